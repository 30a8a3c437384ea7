"""The matrix of rewards and searches: which reward is tried under which search, on what, what is left out, and why.

Every cell is a planted case: a policy whose answer is mostly 1 and sometimes 7, a step at a time, and a judge who
likes the one or the other. Nothing else differs: where each wins in its turn, the reward has changed the winner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from branchwise import ScriptedBackend
from branchwise.orchestrator.plugins import find
from tests.rewards.planted import Liked, judge, other, policy, telling

ALGORITHMS: Final[dict[str, dict[str, Any]]] = {
    "best_of_n": {"n": 8},
    "beam": {"width": 2, "expansions": 6, "depth": 3},
    "dvts": {"subtrees": 3, "expansions": 4, "depth": 3},
    "best_first": {"expansions": 3, "budget": 24, "depth": 4},
    "tree_of_thoughts": {"width": 2, "expansions": 6, "depth": 3},
    "pav_beam": {"width": 2, "expansions": 6, "depth": 3},
    "mcts": {"iterations": 8, "children": 6, "depth": 3},
    "ab_mcts": {"expansions": 16, "depth": 3},
    "particle_filter": {"particles": 10, "depth": 3},
    "feynman_kac": {"particles": 10, "depth": 3},
    "by_difficulty": {
        "first_pass": 2,
        "bins": [{"algorithm": {"kind": "beam", "width": 2, "expansions": 6, "depth": 3}}],
    },
}
NOT_STEERED: Final = {
    "greedy": "draws a single answer: there is nothing to choose from",
    "step_rollouts": "collects rollouts as labels of steps: it chooses no answer",
}
"""Searches without a column, and why."""

NO_TEXT: Final = {
    "world": "it reads what a task's world gave for actions, not an answer; tested in tests/engine/test_acting.py",
}
"""Kinds of rewards without a row, and why."""

TRAINED: Final = {
    "label_token": "[the arithmetic verifier](../tests/rewards/test_trained.py)",
    "outcome_model": "[a tiny classifier on vLLM](../tests/vllm/test_matrix.py)",
    "process_model": "[a tiny token classifier on vLLM](../tests/vllm/test_matrix.py)",
}
"""Rows that ran on a trained model under every search too, and where."""

ONCE: Final = {"outcome_model, reranker": "[a tiny classifier on vLLM](../tests/vllm/stories.py)"}
"""Rows that ran on a trained model under best-of-N alone, and where."""

EXACT: Final = ("calculator", "rule")
"""Rows that ask no model: what is tried is the reward itself."""

Written = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A reward under trial: as it is written for a judge who likes one of the answers."""

    reward: Callable[[Liked], Written]
    together: bool = False
    judge_likes: Callable[[Liked], Liked] = lambda liked: liked
    sums: bool = False


def always(**written: Any) -> Row:
    """A row of a reward that is written in one way, whatever is liked."""
    return Row(lambda liked: written, together=_holds(written, ("grm", "listwise")))


def _holds(written: Any, kinds: tuple[str, ...]) -> bool:
    parts = written if isinstance(written, list) else list(written.values()) if isinstance(written, dict) else []
    return (isinstance(written, dict) and written.get("kind") in kinds) or any(_holds(part, kinds) for part in parts)


JUDGE: Final[Written] = {"kind": "judge", "model": "judge"}
GRM: Final[Written] = {"kind": "grm", "model": "judge", "votes": 2}
PAIR: Final[Written] = {"kind": "pair_judge", "model": "judge"}
OUTCOME: Final[Written] = {"kind": "outcome_model", "model": "judge"}
CHANCE: Final[Written] = {**OUTCOME, "activation": "sigmoid"}
PROCESS: Final[Written] = {"kind": "process_model", "model": "judge", "step_tag": "#", "reducer": "min"}
IMPLICIT: Final[Written] = {
    "kind": "implicit_prm", "model": "trained", "reference": "base", "coefficient": 1.0, "style": "completion",
}  # fmt: skip
CURVE: Final = {"curve": {"method": "platt", "slope": 0.5, "intercept": 0.0}}

ROWS: Final[dict[str, Row]] = {
    "judge": always(**JUDGE),
    "judge, JSON": always(**JUDGE, form="json"),
    "think_prm": always(kind="think_prm", model="judge"),
    "grm": always(**GRM),
    "grm, meta": always(**GRM, meta=JUDGE),
    "listwise": always(kind="listwise", model="judge"),
    "against_reference, pair_judge": always(kind="against_reference", model="m", judge=PAIR),
    "against_reference, ab_prompt": always(kind="against_reference", model="m", judge={**PAIR, "kind": "ab_prompt"}),
    "label_token": always(kind="label_token", model="judge", reducer="last"),
    "outcome_model": always(**CHANCE),
    "outcome_model, raw": always(**OUTCOME),
    "outcome_model, reranker": always(**CHANCE, ask="score"),
    "process_model": always(**PROCESS),
    "process_model, hierarchical": always(**PROCESS, granularity="hierarchical"),
    "implicit_prm": always(**IMPLICIT, reducer="mean", activation="sigmoid"),
    "implicit_prm, raw": always(**IMPLICIT, reducer="sum"),
    "ensemble": always(kind="ensemble", rewards=[CHANCE, PROCESS]),
    "ensemble, least": always(kind="ensemble", rewards=[CHANCE, PROCESS], combine="min"),
    "ensemble, z-scores": always(kind="ensemble", rewards=[OUTCOME, PROCESS], references=[[-3.0, 3.0], [0.2, 0.8]]),
    "transformed, preference": always(kind="transformed", reward=OUTCOME, transform="preference", references=[0.0]),
    "transformed, clipped": always(kind="transformed", reward=PROCESS, transform="clipped"),
    "gated": always(kind="gated", reward=GRM),
    "gated, ensemble": always(kind="gated", reward={"kind": "ensemble", "rewards": [CHANCE, PROCESS]}),
    "calibrated": always(kind="calibrated", reward=CHANCE, calibration=CURVE),
    "voted": always(kind="voted", votes=2, reward={**JUDGE, "temperature": 1.0}),
    "flipped": Row(lambda liked: {"kind": "flipped", "share": 1.0, "reward": CHANCE}, judge_likes=other),
    "calculator": Row(lambda liked: {"kind": "calculator"}, sums=True),
    "rule": Row(lambda liked: {"kind": "rule", "callable": f"tests.rewards.planted:likes_{liked}"}),
}
"""Rows by name: the kind, and what is special about it."""


def kind_of(name: str) -> str:
    """The kind of a row."""
    return name.partition(",")[0]


def models(row: Row, liked: Liked) -> dict[str, ScriptedBackend]:
    """Who answers and who judges, in a world where this answer is liked."""
    return {
        "m": policy(liked if row.sums else None),
        "judge": judge(row.judge_likes(liked)),
        "trained": telling("trained", liked, 2.0),
        "base": telling("base", liked, 0.0),
    }


def plan(algorithm: str, reward: Written, together: bool = False) -> dict[str, Any]:
    """A workflow of one search, steered by this reward. Its answer is that of the greatest value."""
    options = find("search", algorithm).module.Options
    policy = {"kind": "solver", "model": "m", "style": "completion", "prompt": "$problem\n", "step_separator": "\n"}
    node = {"kind": "search", "algorithm": {"kind": algorithm, **ALGORITHMS[algorithm]}, "policy": policy}
    node |= {"reward": reward, "together": together}
    node |= {} if getattr(options, "own_select", None) else {"select": "naive"}
    scripted = {"kind": "scripted", "answers": ["unused"]}  # what each can do; the backends are given
    tells = {**scripted, "prompt_logprob": -1.0}
    known = {"m": scripted, "judge": {**scripted, "values": [[[0.0]]]}, "trained": tells, "base": tells}
    return {"models": known, "nodes": {"search": node}}


def cells() -> list[tuple[str, str]]:
    """(row, algorithm) of every cell that is run."""
    return [(row, algorithm) for row in ROWS for algorithm in ALGORITHMS]


def table() -> str:
    """The matrix as it stands in the documentation: a row a reward, a column a search."""
    heads = ["reward", *(f"`{algorithm}`" for algorithm in ALGORITHMS), "ran on"]
    run = set(cells())
    lines = [heads, ["---"] * len(heads)]
    for name in ROWS:
        kind, _, how = name.partition(",")
        marks = ["x" if (name, algorithm) in run else "" for algorithm in ALGORITHMS]
        lines.append([f"`{kind}`{how and ',' + how}", *marks, _ran_on(name)])
    left_out = [f"No column: `{search}`, which {reason}." for search, reason in NOT_STEERED.items()]
    left_out += [f"No row: `{kind}`; {reason}." for kind, reason in NO_TEXT.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n" + "\n".join(left_out) + "\n"


def _ran_on(name: str) -> str:
    if name in TRAINED:
        return f"scripted answers; trained: {TRAINED[name]}"
    if name in ONCE:
        return f"scripted answers; trained, best-of-N only: {ONCE[name]}"
    return "no model is asked" if name in EXACT else "scripted answers only"
