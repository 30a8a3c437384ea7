"""What is done with servers, wherever they are: whole searches, steered by a calculator and by trained models.

A story takes the servers by their role, asserts what has to come out, and says what came out. It runs on real servers
(test_stories.py) and on cassettes of them (tests/backends/test_vllm_recorded.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from branchwise.orchestrator.api import load_task, loaded_workflow, solve_batch_sync
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.doctor.examination import examine

POLICY = {"kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "step_separator": "\n",
          "max_tokens": 96, "max_step_tokens": 24}  # fmt: skip
BEST_OF_8 = {"kind": "best_of_n", "n": 8, "batch": 8}
BEAM = {"kind": "beam", "width": 2, "expansions": 4, "depth": 5}
BY_OUTCOME = {"kind": "outcome_model", "model": "judge"}
BY_RERANKER = BY_OUTCOME | {"ask": "score"}
BY_PROCESS = {"kind": "process_model", "model": "judge", "step_tag": "#", "style": "completion", "reducer": "min"}
PROBLEMS = 12


class Endpoint(Protocol):
    """Where a model is served, and under which name."""

    name: str

    @property
    def url(self) -> str: ...


Servers = Mapping[str, Endpoint]
Story = Callable[[Servers], str]


def on(server: Endpoint, **options: Any) -> dict[str, Any]:
    """The model on this server."""
    return {"kind": "vllm_server", "url": server.url, "model": server.name, **options}


def flow(algorithm: dict[str, Any], server: Endpoint, **options: Any) -> dict[str, Any]:
    """A search with the policy on this server, steered by a calculator."""
    node = {"kind": "search", "algorithm": algorithm, "policy": POLICY, "reward": {"kind": "calculator"}}
    return {"models": {"policy": on(server, **options)}, "nodes": {"search": node}}


def judged(algorithm: dict[str, Any], policy: Endpoint, judge: Endpoint, reward: dict[str, Any]) -> dict[str, Any]:
    """The same, steered by a reward model that scores."""
    workflow = flow(algorithm, policy)
    workflow["models"]["judge"] = on(judge, runner="pooling")
    workflow["nodes"]["search"]["reward"] = reward
    return workflow


def solved(workflow: dict[str, Any], steps: int = 3, problems: int = PROBLEMS, **settings: Any) -> list[Result]:
    """What it makes of arithmetic problems, the same each time."""
    task = load_task(f"arithmetic:steps={steps}", seed=11)
    return solve_batch_sync(task, workflow, seed=11, limit=problems, **settings)


def right(results: Sequence[Result]) -> int:
    """How many are right."""
    return sum(result.grade is not None and result.grade.correct == 1 for result in results)


def better_than_one_answer(workflow: dict[str, Any]) -> str:
    """Nothing was lost, and the search chooses better than the first answer does."""
    results, node = solved(workflow), workflow["nodes"]["search"]
    assert not any(result.failures for result in results)
    single = right(solved({**workflow, "nodes": {"search": node | {"algorithm": {"kind": "greedy"}}}}))
    assert right(results) > single
    return f"{right(results)} of {len(results)} right, {single} by one greedy answer"


def best_of_8_by_calculator(servers: Servers) -> str:
    """Eight answers, the calculator chooses."""
    return better_than_one_answer(flow(BEST_OF_8, servers["policy"]))


def beam_by_calculator(servers: Servers) -> str:
    """A beam that goes on from token ids."""
    return better_than_one_answer(flow(BEAM, servers["policy"]))


def best_of_8_by_outcome_model(servers: Servers) -> str:
    """Eight answers, the outcome model chooses."""
    return better_than_one_answer(chosen(servers, BY_OUTCOME))


def best_of_8_by_reranker(servers: Servers) -> str:
    """Eight answers, the same model chooses as a reranker: how well does an answer go with its problem?"""
    return better_than_one_answer(chosen(servers, BY_RERANKER))


def chosen(servers: Servers, reward: dict[str, Any]) -> dict[str, Any]:
    """Eight answers, of which the outcome model's server chooses one."""
    workflow = judged(BEST_OF_8, servers["policy"], servers["outcome"], reward)
    workflow["nodes"]["search"]["select"] = "naive"
    return workflow


def beam_by_process_model(servers: Servers) -> str:
    """A beam by the scores of its steps."""
    return better_than_one_answer(judged(BEAM, servers["policy"], servers["process"], BY_PROCESS))


def doctor(servers: Servers) -> str:
    """All that the last story's workflow needs is there."""
    workflow = judged(BEAM, servers["policy"], servers["process"], BY_PROCESS)
    examined = asyncio.run(examine(loaded_workflow(workflow, {})))
    assert [one.name for one in examined.models] == ["policy", "judge"]
    assert not examined.advice
    assert all(one.speed is not None for one in examined.models)
    (judgement,) = [one.judgement for one in examined.judged]
    assert judgement is not None
    assert len(judgement.step_values) == 2
    return ", ".join(f"{one.name}: {[trial.need for trial in one.tried if trial.known]}" for one in examined.models)


STORIES: tuple[Story, ...] = (
    best_of_8_by_calculator, beam_by_calculator, best_of_8_by_outcome_model, best_of_8_by_reranker,
    beam_by_process_model, doctor,
)  # fmt: skip
