"""Two algorithms by chance: shares, what each problem gets, and what the mixture says of both."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.search import best_of_n, mixture
from branchwise.orchestrator.search.best_of_n import BestOfN
from branchwise.orchestrator.search.dvts import Dvts
from tests.laws.toy import ROOT, WRITTEN

SMALL = {"kind": "best_of_n", "n": 3}
TREE = {"kind": "dvts", "subtrees": 2, "expansions": 2, "depth": 3}


def options(
    algorithm: dict[str, Any] = SMALL, other: dict[str, Any] = TREE, share: float = 0.3
) -> mixture.Options[Any]:
    written: Options = WRITTEN.validate_python(
        {"kind": "mixture", "algorithm": algorithm, "other": other, "share": share}
    )
    assert isinstance(written, mixture.Options)
    return written


def test_so_many_problems_get_the_other_one() -> None:
    built = [mixture.build(options(share=0.3), ROOT, seed) for seed in range(2000)]
    others = sum(isinstance(each, Dvts) for each in built)
    assert sum(isinstance(each, BestOfN) for each in built) == 2000 - others
    assert abs(others / 2000 - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5


def test_one_seed_gives_one_choice_and_a_greater_share_keeps_it() -> None:
    def others(share: float) -> set[int]:
        return {seed for seed in range(200) if isinstance(mixture.build(options(share=share), ROOT, seed), Dvts)}

    assert others(0.3) == others(0.3) < others(0.6) < others(1.0) == set(range(200))
    assert others(0.0) == set()


def test_it_is_the_algorithm_itself() -> None:
    alone = best_of_n.build(best_of_n.Options(n=3), ROOT, 5)
    mixed = mixture.build(options(share=0.0), ROOT, 5)
    assert mixed.ask(8) == alone.ask(8)


def test_what_it_says_of_both() -> None:
    both = options()
    assert (both.wants_reward, both.stepwise, both.depth) == (True, True, 3)
    assert mixture.most_draws(both) == 2 * 2 * 3
    steered = options({"kind": "mcts"}, {"kind": "mcts", "iterations": 9})
    assert steered.own_select == "recommended"
    assert getattr(both, "own_select", None) is None


def test_it_holds_no_composed_search() -> None:
    with pytest.raises(ValidationError):
        options({"kind": "mixture", "algorithm": SMALL, "other": TREE, "share": 0.5})
