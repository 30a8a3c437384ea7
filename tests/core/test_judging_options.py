"""What the options of a reward tell of it and of all the parts within it, in whatever depth these are nested."""

from __future__ import annotations

from typing import Any

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import JudgingOptions, needs_of_part, source_of
from tests.rewards.asking import options_of

CALCULATOR = {"kind": "calculator"}
JUDGE = {"kind": "judge", "model": "m", "temperature": 0.7}
PAIRS = {"kind": "pair_judge", "model": "m", "temperature": 0.7}
GIVEN = {"kind": "against_reference", "given": "answer"}


def nested(**inmost: Any) -> Any:
    """A reward as the meta reward of a member of an ensemble behind a gate."""
    grm = {"kind": "grm", "model": "grm", "temperature": 0.0, "meta": inmost}
    return options_of(kind="gated", reward={"kind": "ensemble", "rewards": [CALCULATOR, grm]})


def test_a_world_and_an_oracle_are_known_in_any_depth() -> None:
    assert nested(kind="world").wants_world
    assert not nested(**CALCULATOR).wants_world
    oracle = {"kind": "rule", "callable": "some.module:verdict", "source": "oracle"}
    assert source_of(nested(**oracle)) == "oracle"
    assert source_of(nested(**CALCULATOR)) == "learned"
    assert source_of(options_of(**GIVEN, judge=PAIRS)) == "judge"


def test_the_needs_of_all_models_are_known_in_any_depth() -> None:
    label = {"kind": "label_token", "model": "prm", "reducer": "last"}
    assert needs_of_part(nested(**label)).keys() == {"grm", "prm"}


def test_a_source_that_is_not_declared_is_refused() -> None:
    class Silent(JudgingOptions):
        kind: str = "silent"

    with pytest.raises(ConfigError, match="'silent' does not declare its source"):
        source_of(Silent())


@pytest.mark.parametrize(
    ("written", "sampled"),
    [
        (CALCULATOR, False),
        (JUDGE, True),
        ({**JUDGE, "temperature": 0.0}, False),
        ({"kind": "gated", "reward": JUDGE}, True),
        ({"kind": "ensemble", "rewards": [CALCULATOR, JUDGE]}, True),
        ({"kind": "grm", "model": "g", "temperature": 0.0, "meta": JUDGE}, True),
        ({"kind": "think_prm", "model": "t"}, False),
        ({"kind": "think_prm", "model": "t", "chains": 4}, True),
        ({"kind": "listwise", "model": "l", "temperature": 0.5}, True),
        ({"kind": "listwise", "model": "l"}, True),
        ({"kind": "grm", "model": "g", "temperature": 0.0}, True),
        ({**GIVEN, "judge": PAIRS}, True),
        ({**GIVEN, "temperature": 0.7, "judge": {"kind": "ab_prompt", "model": "m"}}, False),
        ({"kind": "against_reference", "model": "w", "temperature": 0.7, "judge": {**PAIRS, "temperature": 0}}, True),
    ],
)
def test_whether_a_verdict_is_sampled(written: dict[str, Any], sampled: bool) -> None:
    options = options_of(**written)
    assert options.sampled == sampled
    copies = [options.reseeded(k) for k in range(6)]
    assert len({each.model_dump_json() for each in copies}) == (6 if sampled else 1)
    assert all(type(each) is type(options) for each in copies)


def test_seeds_in_any_depth_are_others_and_those_of_nested_copies_never_meet() -> None:
    options = nested(**JUDGE)
    seeds = {k: options.reseeded(k).reward.rewards[1].meta.seed for k in range(4)}
    twice = [options.reseeded(a).reseeded(b).reward.rewards[1].meta.seed for a in range(4) for b in range(4)]
    assert len({*seeds.values(), *twice}) == 20
    assert options.reseeded(2) == options.reseeded(2)


def test_what_gives_no_step_scores_says_so() -> None:
    label = {"kind": "label_token", "model": "prm", "reducer": "last"}
    assert not options_of(**JUDGE).scores_steps
    assert not options_of(**GIVEN, judge=PAIRS).scores_steps
    assert not options_of(kind="gated", reward={"kind": "listwise", "model": "l"}).scores_steps
    assert not nested(**CALCULATOR).scores_steps
    assert options_of(**label).scores_steps
    assert not options_of(**label, every_step=False).scores_steps
