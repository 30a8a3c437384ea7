"""treequest: it leaves calls and threads to its user; here a blocking draw and score, a thread for each problem."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from typing import Any

from tests.benchmarks.peer_works.measuring import BEAM, EXPANSIONS, MCTS, Run, asked, judging, main, said

tree: Any = import_module("treequest")
requests: Any = import_module("requests")
own = threading.local()
LEAVES = 8
BEAM_EXPANSIONS = 84
"""Width 4, 4 expansions each, depth 6: 4 + 5 x 16."""


def answer(url: str, body: dict[str, Any]) -> str:
    """One request over this thread's connections."""
    if not hasattr(own, "session"):
        own.session = requests.Session()
    return said(own.session.post(f"{url}/chat/completions", json=body).json())


def generating(url: str) -> Callable[[str | None], tuple[str, float]]:
    """The function that treequest wants: from a parent's text to a child's and its score."""

    def generate(parent: str | None) -> tuple[str, float]:
        before = parent or "Problem"
        text = f"{before}\n{answer(url, asked(before[-200:]))}"
        return text, float(answer(url, judging(text)))

    return generate


def one_by_one(algorithm: Any, generate: Any, count: int) -> int:
    """Its step() in a loop; nodes kept."""
    state = algorithm.init_tree()
    for _ in range(count):
        state = algorithm.step(state, {"model": generate})
    return nodes(algorithm, state)


def in_batches(algorithm: Any, generate: Any, count: int) -> int:
    """Its ask_batch() and tell(), and threads for a batch; nodes kept."""
    state, done = algorithm.init_tree(), 0
    with ThreadPoolExecutor(LEAVES) as pool:
        while done < count:
            state, trials = algorithm.ask_batch(state, min(LEAVES, count - done), ["model"])
            made = list(pool.map(lambda trial: generate(trial.parent_state), trials))
            for trial, result in zip(trials, made, strict=True):
                state = algorithm.tell(state, trial.trial_id, result)
            done += len(trials)
    return nodes(algorithm, state)


def nodes(algorithm: Any, state: Any) -> int:
    """Children that are in the tree."""
    kept: list[Any] = algorithm.get_state_score_pairs(state)
    return len(kept)


def together(make: Callable[[], Any], grow: Any, count: int, problems: int) -> Callable[[str], int]:
    """A thread a problem; the fewest nodes that a tree has kept."""

    def go(url: str) -> int:
        with ThreadPoolExecutor(problems) as pool:
            grown: list[Future[int]] = [pool.submit(grow, make(), generating(url), count) for _ in range(problems)]
            return min(each.result() for each in grown)

    return go


def mcts() -> Any:
    """Its plain MCTS; as many samples of a node as leaves, since the rest of a batch would be drawn in vain."""
    return tree.StandardMCTS(samples_per_action=LEAVES)


def breadth_first() -> Any:
    """Its tree of thoughts, as wide as the beam."""
    return tree.TreeOfThoughtsBFSAlgo(breadth_limit=4, size_limit=4)


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    main(
        "treequest",
        [
            Run(MCTS, "StandardMCTS, step()", together(mcts, one_by_one, EXPANSIONS, 10)),
            Run(MCTS, "StandardMCTS, ask_batch(8)", together(mcts, in_batches, EXPANSIONS, 10), leaves=LEAVES),
            Run(MCTS, "AB-MCTS-A, ask_batch(8)", together(tree.ABMCTSA, in_batches, EXPANSIONS, 10), leaves=LEAVES),
            Run(BEAM, "tree of thoughts, step()", together(breadth_first, one_by_one, BEAM_EXPANSIONS, 20)),
        ],
    )
