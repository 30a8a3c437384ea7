"""Whole searches on real servers: best-of-N and beam, steered by the outcome model's and the process model's kin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from branchwise.orchestrator.api import load_task, solve_batch_sync
from branchwise.orchestrator.core.result import Result
from tests.vllm.server import Server, post

POLICY = {"kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "step_separator": "\n",
          "max_tokens": 96, "max_step_tokens": 24}  # fmt: skip
BEST_OF_8 = {"kind": "best_of_n", "n": 8, "batch": 8}
BEAM = {"kind": "beam", "width": 2, "expansions": 4, "depth": 5}
PROBLEMS = 12


def flow(algorithm: dict[str, Any], server: Server, **options: Any) -> dict[str, Any]:
    """A search with the policy on this server, steered by a calculator."""
    node = {"kind": "search", "algorithm": algorithm, "policy": POLICY, "reward": {"kind": "calculator"}}
    return {"models": {"policy": on(server, **options)}, "nodes": {"search": node}}


def on(server: Server, **options: Any) -> dict[str, Any]:
    return {"kind": "vllm_server", "url": server.url, "model": server.name, **options}


def solved(workflow: dict[str, Any], steps: int = 3, problems: int = PROBLEMS, **settings: Any) -> list[Result]:
    task = load_task(f"arithmetic:steps={steps}", seed=11)
    return solve_batch_sync(task, workflow, seed=11, limit=problems, **settings)


def right(results: Sequence[Result]) -> int:
    return sum(result.grade is not None and result.grade.correct == 1 for result in results)


@pytest.mark.parametrize("algorithm", [BEST_OF_8, BEAM], ids=lambda algorithm: str(algorithm["kind"]))
def test_a_search_beats_one_answer(policy: Server, algorithm: dict[str, Any]) -> None:
    single = right(solved(flow({"kind": "greedy"}, policy)))
    assert right(solved(flow(algorithm, policy))) > single


def test_best_of_n_by_the_outcome_model(policy: Server, outcome: Server, note: list[str]) -> None:
    workflow = flow(BEST_OF_8, policy)
    workflow["models"]["judge"] = on(outcome, runner="pooling")
    workflow["nodes"]["search"] |= {"reward": {"kind": "outcome_model", "model": "judge"}, "select": "naive"}
    steered(workflow, note)


def test_a_beam_by_the_process_model(policy: Server, process: Server, note: list[str]) -> None:
    workflow = flow(BEAM, policy)
    workflow["models"]["judge"] = on(process, runner="pooling")
    workflow["nodes"]["search"]["reward"] = {
        "kind": "process_model", "model": "judge", "step_tag": "#", "style": "completion", "reducer": "min",
    }  # fmt: skip
    steered(workflow, note)


def steered(workflow: dict[str, Any], note: list[str]) -> None:
    """The trained reward lost no judgement, and chooses better than the first answer does."""
    results = solved(workflow)
    assert not any(result.failures for result in results)
    greedy = {**workflow, "nodes": {"search": workflow["nodes"]["search"] | {"algorithm": {"kind": "greedy"}}}}
    kind, single = workflow["nodes"]["search"]["reward"]["kind"], right(solved(greedy))
    note.append(f"{kind}: {right(results)} of {len(results)} right, {single} by one greedy answer")
    assert right(results) > single


def test_steps_go_on_from_token_ids_and_hit_the_prefix_cache(policy: Server, note: list[str]) -> None:
    rates = {ids: hit_rate(policy, partial(solved, flow(BEAM, policy, token_ids=ids), steps=5))
             for ids in (False, True)}  # fmt: skip
    note.append(f"prefix cache hits in a beam over chains of five: {rates[True]:.0%} of the prompts with token ids, "
                f"{rates[False]:.0%} with text (single characters, blocks of 32)")  # fmt: skip
    assert rates[True] >= rates[False] > 0


def hit_rate(server: Server, run: Callable[[], list[Result]]) -> float:
    """The part of a run's prompts that came from a cache that was empty before; the results say the same."""
    post(server, "/reset_prefix_cache", {})
    before = cached(server)
    results = run()
    asked, hit = (after - begun for after, begun in zip(cached(server), before, strict=True))
    assert not any(result.failures for result in results)
    assert sum(result.usage.cached_tokens for result in results) == hit
    return hit / asked


def cached(server: Server) -> tuple[float, float]:
    """Prompt tokens looked up in the prefix cache so far, and found."""
    return server.metric("vllm:prefix_cache_queries_total"), server.metric("vllm:prefix_cache_hits_total")
