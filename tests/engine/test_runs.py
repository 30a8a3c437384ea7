"""Whole runs over the scripted backend: order, budgets, deadlines, faults, cancellation, suspension, reuse."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.api import solve, solve_batch, solve_batch_sync, solve_iter
from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.core.budget import Budget
from branchwise.orchestrator.core.errors import BackendError, ConfigError, JournalError, Suspended
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow
from tests.engine.flows import flow, script

BEAM = {"kind": "beam", "width": 2, "expansions": 3, "depth": 4}
VOTE = {"kind": "best_of_n", "n": 9, "stop": "decided"}
EIGHT = {"kind": "best_of_n", "n": 8}
PROBLEMS = [f"problem {number}" for number in range(6)]


def noisy(**changes: Any) -> ScriptedBackend:
    noise = random.Random()
    return ScriptedBackend(script, delay=lambda request, seed: noise.random() * 0.01, **changes)


def tree_rows(result: Any) -> Any:
    return sorted((node, json.dumps(data, sort_keys=True)) for node, data in result.tree().nodes(data=True))


@pytest.mark.parametrize("algorithm", [BEAM, VOTE, EIGHT])
async def test_same_seed_same_trees_under_shuffled_completion(algorithm: dict[str, Any]) -> None:
    reward = algorithm is not VOTE
    runs = [await solve_batch(PROBLEMS, flow(algorithm, reward), seed=5, backends={"m": noisy()}) for _ in range(4)]
    trees = [[(r.answer, r.votes, r.drawn, tree_rows(r)) for r in run] for run in runs]
    assert all(tree == trees[0] for tree in trees)
    other = await solve_batch(PROBLEMS, flow(algorithm, reward), seed=6, backends={"m": noisy()})
    assert [tree_rows(r) for r in other] != [tree_rows(r) for r in runs[0]]


async def test_best_of_16_takes_over_the_draws_of_best_of_8(tmp_path: Path) -> None:
    first, second = ScriptedBackend(script), ScriptedBackend(script)
    await solve_batch(PROBLEMS, flow(EIGHT), seed=5, out=tmp_path / "8", backends={"m": first})
    sixteen = flow({"kind": "best_of_n", "n": 16})
    results = await solve_batch(
        PROBLEMS, sixteen, seed=5, out=tmp_path / "16", reuse=[tmp_path / "8"], backends={"m": second}
    )
    assert (first.calls, second.calls) == (8 * 6, 8 * 6)
    assert all(result.usage_of("policy").calls == 16 for result in results)


async def test_replay_makes_no_call_and_refuses_what_is_not_on_record(tmp_path: Path) -> None:
    whole = await solve_batch(PROBLEMS, flow(BEAM), seed=5, out=tmp_path / "a", backends={"m": noisy()})
    silent = ScriptedBackend(script)
    settings: dict[str, Any] = {"reuse": [tmp_path / "a"], "replay": True, "backends": {"m": silent}}
    again = await solve_batch(PROBLEMS, flow(BEAM), seed=5, **settings)
    assert silent.calls == 0
    assert [tree_rows(r) for r in again] == [tree_rows(r) for r in whole]
    with pytest.raises(JournalError, match="not on record"):
        await solve_batch(PROBLEMS, flow(BEAM), seed=6, **settings)


@pytest.mark.parametrize("commit", ["ticket", "arrival"])
async def test_replay_lacks_nothing_where_calls_were_cancelled(tmp_path: Path, commit: str) -> None:
    backend = ScriptedBackend(
        lambda request, seed: "answer: 1", delay=lambda r, s: 0.001 if backend.calls <= 5 else 30.0
    )
    silent = ScriptedBackend(script)
    plan = flow(VOTE, reward=False)
    plan["nodes"]["search"]["commit"] = commit
    whole = await solve_batch(PROBLEMS[:1], plan, seed=5, out=tmp_path / "a", backends={"m": backend})
    assert (backend.calls, backend.cancelled, dict(whole[0].drawn)["policy"].calls) == (9, 4, 5)
    again = await solve_batch(PROBLEMS[:1], plan, seed=5, reuse=[tmp_path / "a"], replay=True, backends={"m": silent})
    assert silent.calls == 0
    assert [result.answer for result in again] == ["1"]
    if commit == "ticket":  # in order of arrival, a replay has an order of its own
        assert [tree_rows(result) for result in again] == [tree_rows(result) for result in whole]


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("calls", [3, 10, 13, 20])
async def test_a_runs_budget_may_end_among_labels_that_are_asked_for_together(mode: str, calls: int) -> None:
    label = {"kind": "label_token", "model": "m", "reducer": "min"}
    plan = flow(EIGHT | {"batch": 4}, reward=False, budget={"mode": mode, "run": {"calls": calls}}, together=True)
    plan["nodes"]["search"] |= {"reward": label, "select": "naive"}
    results = await solve_batch(PROBLEMS[:2], plan, seed=5, backends={"m": ScriptedBackend(script)})
    assert results[-1].stop is StopReason.BUDGET_CALLS


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_option_is_a_number(value: float) -> None:
    with pytest.raises(ConfigError, match=r"exploration.*finite"):
        solve_batch_sync(PROBLEMS, flow({"kind": "mcts", "exploration": value}))


async def test_draws_that_a_server_can_not_number_are_asked_for_one_by_one() -> None:
    backend = ScriptedBackend(script)
    backend.capabilities = replace(backend.capabilities, seeds_increment=False)
    (result,) = await solve_batch(PROBLEMS[:1], flow(EIGHT | {"batch": 8}, together=True), backends={"m": backend})
    assert backend.calls == 8
    assert len(result.tree()) == 9


async def test_a_decided_vote_cancels_what_is_out_down_to_the_backend() -> None:
    backend = ScriptedBackend(lambda request, seed: "answer: 1", delay=lambda r, s: delay_of(backend))

    def delay_of(current: ScriptedBackend) -> float:
        return 0.001 if current.calls <= 5 else 30.0

    result = await asyncio.wait_for(solve("p", flow(VOTE, reward=False), backends={"m": backend}), 10)
    assert (result.answer, result.stop) == ("1", StopReason.ANSWERED)
    assert backend.cancelled == 4
    assert backend.in_flight == 0
    assert dict(result.votes) == {"1": 5}
    assert dict(result.cancelled)["policy"].calls == 4


async def test_a_problems_hard_token_budget_is_never_overshot_and_decided_in_ticket_order() -> None:
    budget = {"problem": {"tokens": 120}}
    runs = [
        await solve_batch(PROBLEMS, flow(EIGHT, budget=budget), seed=5, backends={"m": noisy()}) for _ in range(3)
    ]
    for results in runs:
        assert all(result.usage.tokens <= 120 for result in results)
        assert {result.stop for result in results} == {StopReason.BUDGET_TOKENS}
        assert all(result.answer is not None for result in results)
    assert [[tree_rows(r) for r in run] for run in runs[1:]] == [[tree_rows(r) for r in runs[0]]] * 2


async def test_a_branch_has_a_budget_of_its_own() -> None:
    result = await solve("p", flow(BEAM, budget={"branch": {"calls": 3}}), seed=5, backends={"m": noisy()})
    children: dict[str, int] = {}
    for node in result.tree().nodes:
        children[node.split(".")[0]] = children.get(node.split(".")[0], 0) + 1
    del children["root"]
    assert max(children.values()) <= 3
    assert result.stop is StopReason.BUDGET_CALLS


async def test_each_search_of_a_problem_has_branches_of_its_own() -> None:
    workflow = flow({"kind": "best_of_n", "n": 4}, reward=False, budget={"branch": {"calls": 1}})
    first = workflow["nodes"]["search"]
    workflow["nodes"] = {"one": {**first, "next": "two"}, "two": {**first, "algorithm": {**EIGHT}}}
    result = await solve("p", workflow, backends={"m": noisy()})
    assert (result.usage.calls, result.stop) == (4 + 8, StopReason.ANSWERED)


async def test_a_runs_hard_call_budget_is_kept_and_every_problem_gets_its_best_answer() -> None:
    backend = noisy()
    results = await solve_batch(
        PROBLEMS, flow(EIGHT, budget={"run": {"calls": 30}}), concurrency=3, backends={"m": backend}
    )
    assert backend.calls == 30
    assert len(results) == 6
    assert sum(result.usage.calls for result in results) == 30
    assert [result.answer for result in results[:3]] != [None] * 3
    assert StopReason.BUDGET_CALLS in {result.stop for result in results}


async def test_a_runs_role_budget_counts_that_role_only() -> None:
    backend = noisy()
    limits = {"run": {"roles": {"policy": {"calls": 10}, "verifier": {"calls": 1}}}}
    await solve_batch(PROBLEMS, flow(EIGHT, budget=limits), backends={"m": backend})
    assert backend.calls == 10


async def test_time_is_up_the_best_so_far_is_the_answer() -> None:
    backend = ScriptedBackend(script, delay=lambda request, seed: 0.001 if seed % 2 else 60.0)
    budget = {"problem": {"seconds": 0.3}}
    result = await asyncio.wait_for(solve("p", flow(EIGHT, budget=budget), backends={"m": backend}), 10)
    assert result.stop is StopReason.BUDGET_SECONDS
    assert result.answer is not None
    assert backend.in_flight == 0


async def test_faults_cost_candidates_not_problems() -> None:
    def fails(request: Request, seed: int) -> BackendError | None:
        return BackendError("lost") if random.Random(seed).random() < 0.3 else None

    results = await solve_batch(PROBLEMS, flow(EIGHT), backends={"m": noisy(fails=fails)})
    assert all(result.answer is not None for result in results)
    lost = sum(len(result.failures) for result in results)
    assert 5 <= lost <= 25
    assert {failure.boundary for result in results for failure in result.failures} == {"backend"}


async def test_a_problem_that_loses_everything_is_failed_and_the_others_go_on() -> None:
    def fails(request: Request, seed: int) -> BackendError | None:
        return BackendError("lost") if "problem 2" in (request.prompt or "") else None

    results = await solve_batch(PROBLEMS, flow(BEAM), backends={"m": noisy(fails=fails)})
    assert [result.stop is StopReason.FAILED for result in results] == [n == 2 for n in range(6)]


async def test_a_search_that_came_to_no_answer_lost_nothing() -> None:
    shallow = {"kind": "best_first", "budget": 1, "expansions": 2, "depth": 4}
    endless = ScriptedBackend(lambda request, seed: "step after step\n" * 4)
    (result,) = await solve_batch(["?"], flow(shallow), backends={"m": endless})
    assert (result.answer, result.stop, result.failures) == (None, StopReason.MAX_DEPTH, ())


async def test_our_own_bug_crashes_loudly_and_leaves_a_resumable_run(tmp_path: Path) -> None:
    def broken(request: Request, seed: int) -> str:
        if "problem 3" in (request.prompt or ""):
            raise ZeroDivisionError("a bug")
        return script(request, seed)

    with pytest.raises(ZeroDivisionError):
        await solve_batch(PROBLEMS, flow(BEAM), out=tmp_path, concurrency=2, backends={"m": ScriptedBackend(broken)})
    mended = ScriptedBackend(script)
    results = await solve_batch(PROBLEMS, flow(BEAM), out=tmp_path, concurrency=2, backends={"m": mended})
    assert len(results) == 6


async def test_a_suspended_run_drains_and_goes_on_to_the_same_end(tmp_path: Path) -> None:
    expected = await solve_batch(PROBLEMS, flow(BEAM), seed=5, backends={"m": noisy()})
    loaded = read_workflow(flow(BEAM), {}, Path())
    first = noisy()
    settings = Settings(seed=5, concurrency=3, out=tmp_path, backends={"m": first})
    with pytest.raises(Suspended):
        async with open_session(loaded, as_task(PROBLEMS), settings) as session:
            asyncio.get_running_loop().call_later(0.05, session.run.suspend)
            async for _ in session.results():
                pass
    assert first.cancelled == 0
    second = noisy()
    results = await solve_batch(PROBLEMS, flow(BEAM), seed=5, out=tmp_path, concurrency=3, backends={"m": second})
    whole = noisy()
    await solve_batch(PROBLEMS, flow(BEAM), seed=5, backends={"m": whole})
    assert first.calls + second.calls == whole.calls
    assert [(r.answer, tree_rows(r)) for r in results] == [(r.answer, tree_rows(r)) for r in expected]


async def test_another_plan_in_the_same_directory_is_refused_with_the_reason(tmp_path: Path) -> None:
    await solve_batch(PROBLEMS, flow(BEAM), out=tmp_path, backends={"m": noisy()})
    with pytest.raises(ConfigError, match="the plan changed"):
        await solve_batch(PROBLEMS, flow(EIGHT), out=tmp_path, backends={"m": noisy()})
    with pytest.raises(ConfigError, match="the seed changed from 0 to 9"):
        await solve_batch(PROBLEMS, flow(BEAM), seed=9, out=tmp_path, backends={"m": noisy()})
    with pytest.raises(ConfigError, match="the limit changed from none to 2"):
        await solve_batch(PROBLEMS, flow(BEAM), limit=2, out=tmp_path, backends={"m": noisy()})


async def test_arrival_order_resumes_from_the_recorded_log(tmp_path: Path) -> None:
    workflow = flow(BEAM, commit="arrival")
    results = await solve_batch(PROBLEMS, workflow, out=tmp_path, backends={"m": noisy()})
    silent = ScriptedBackend(script)
    again = await solve_batch(PROBLEMS, workflow, out=tmp_path, backends={"m": silent})
    assert silent.calls == 0
    assert [tree_rows(r) for r in again] == [tree_rows(r) for r in results]


async def test_results_come_as_they_are_finished() -> None:
    backend = ScriptedBackend(script, delay=lambda r, s: 0.5 if "problem 0" in (r.prompt or "") else 0.0)
    order = [r.problem_id async for r in solve_iter(PROBLEMS, flow(EIGHT), concurrency=6, backends={"m": backend})]
    assert sorted(order) == [f"problem-{n}" for n in range(6)]
    assert order[-1] == "problem-0"


async def test_the_sync_form_works_under_a_running_loop() -> None:
    assert len(solve_batch_sync(PROBLEMS[:2], flow(EIGHT), backends={"m": ScriptedBackend(script)})) == 2


async def test_draining_one_problem_does_not_cancel_the_calls_of_another(tmp_path: Path) -> None:
    slow = ScriptedBackend(script, delay=lambda r, s: 0.4 if "problem 1" in (r.prompt or "") else 0.01)
    settings = Settings(concurrency=2, out=tmp_path, backends={"m": slow})
    with pytest.raises(Suspended):
        async with open_session(read_workflow(flow(BEAM), {}, Path()), as_task(PROBLEMS[:2]), settings) as session:
            asyncio.get_running_loop().call_later(0.02, session.run.suspend)
            async for _ in session.results():
                pass
    assert slow.cancelled == 0
    assert slow.in_flight == 0


async def test_nothing_is_sent_once_the_time_of_the_run_is_up() -> None:
    backend = ScriptedBackend(script, delay=lambda request, seed: 0.2)
    budget = {"run": {"seconds": 0.3}}
    results = await solve_batch(PROBLEMS, flow(EIGHT, budget=budget), concurrency=2, backends={"m": backend})
    unsent = [result for result in results if result.usage.calls == 0]
    assert results[-1] in unsent
    assert {result.stop for result in unsent} == {StopReason.BUDGET_SECONDS}
    assert backend.calls == 8 * (6 - len(unsent))


async def test_what_a_cancelled_branch_used_is_missing_from_the_next_nodes_budget() -> None:
    workflow = flow(VOTE, reward=False, budget={"problem": {"calls": 10}})
    first = workflow["nodes"]["search"]
    workflow["nodes"] = {"vote": {**first, "next": "again"}, "again": {**first, "algorithm": {**EIGHT}}}
    backend = ScriptedBackend(lambda r, s: "answer: 1", delay=lambda r, s: 0.001 if backend.calls <= 5 else 0.2)
    result = await solve("p", workflow, backends={"m": backend})
    assert result.stop is StopReason.BUDGET_CALLS
    assert result.usage.calls == 10


async def test_what_came_home_too_late_to_be_told_is_missing_from_the_next_nodes_budget_too(tmp_path: Path) -> None:
    workflow = flow(VOTE, reward=False, budget={"problem": {"calls": 10}})
    first = workflow["nodes"]["search"]
    again = {**first, "algorithm": {**EIGHT}, "policy": {**first["policy"], "prompt": "again: $problem"}}
    workflow["nodes"] = {"vote": {**first, "next": "again"}, "again": again}
    backend = ScriptedBackend(lambda r, s: "answer: 1", delay=lambda r, s: 0.1 if backend.calls == 1 else 0.0)
    result = await solve("p", workflow, out=tmp_path, backends={"m": backend})
    assert (backend.calls, result.usage.calls, result.stop) == (10, 10, StopReason.BUDGET_CALLS)
    assert dict(result.cancelled)["policy"].calls == 4


class Closable(ScriptedBackend):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def test_a_model_that_was_loaded_is_closed_where_the_next_one_can_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Closable] = []

    def load(options: Any) -> ScriptedBackend:
        if loaded:
            raise ConfigError("damaged")
        loaded.append(Closable(script))
        return loaded[0]

    monkeypatch.setattr("branchwise.orchestrator.session.build_backend", load)
    workflow = flow(EIGHT)
    workflow["models"] |= {"second": workflow["models"]["m"]}
    with pytest.raises(ConfigError, match="damaged"):
        await solve("p", workflow, out=tmp_path / "r")
    assert loaded[0].closed
    assert not (tmp_path / "r").exists()


async def test_a_backend_that_was_given_stays_open() -> None:
    given = Closable(script)
    await solve("p", flow(EIGHT), backends={"m": given})
    assert not given.closed


async def test_without_content_no_text_is_kept_and_the_run_can_still_be_resumed(tmp_path: Path) -> None:
    workflow = flow(BEAM) | {"journal": {"content": False}}
    given = ["hush", "hush again"]
    early = solve_iter(given, workflow, out=tmp_path, concurrency=1, backends={"m": noisy()})
    await early.__anext__()
    await early.aclose()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("journal.sqlite*"))
    assert b"hush" not in kept
    assert b"done" not in kept
    results = await solve_batch(["hush", "hush again"], workflow, out=tmp_path, backends={"m": noisy()})
    assert [result.usage.calls > 0 for result in results] == [True, True]


async def test_drawing_children_together_changes_the_requests_and_not_the_tree() -> None:
    apart, together = noisy(), noisy()
    singly = await solve_batch(PROBLEMS, flow(BEAM), seed=5, backends={"m": apart})
    jointly = await solve_batch(PROBLEMS, flow(BEAM, together=True), seed=5, backends={"m": together})
    assert [tree_rows(r) for r in singly] == [tree_rows(r) for r in jointly]
    assert together.calls * 3 == apart.calls


async def test_the_tree_knows_its_problem_also_where_there_is_no_answer() -> None:
    mute = ScriptedBackend(lambda request, seed: "no idea")
    (result,) = await solve_batch(["problem 7"], flow(BEAM), backends={"m": mute})
    assert result.answer is None
    assert result.tree().nodes["root"]["text"] == "problem 7"


def priced(workflow: Any) -> Any:
    """The same workflow with a model that costs a million a million tokens."""
    workflow["models"]["m"]["price"] = {"prompt": 1e6, "completion": 1e6}
    return workflow


@pytest.mark.parametrize("scope", ["run", "problem", "branch"])
@pytest.mark.parametrize("window", [1, 64])
async def test_a_hard_money_budget_is_never_overshot(scope: str, window: int) -> None:
    workflow = priced(flow(EIGHT, budget={scope: {"money": 60.0}}, window=window))
    result = await solve("p", workflow, backends={"m": noisy()})
    if scope == "branch":  # every branch is one answer, which fits
        assert result.stop is StopReason.ANSWERED
        return
    assert 0 < result.usage.money <= 60.0
    assert result.stop is StopReason.BUDGET_MONEY


async def test_results_may_be_left_early_and_the_run_goes_on_later(tmp_path: Path) -> None:
    first, second = noisy(), noisy()
    results = solve_iter(PROBLEMS, flow(BEAM), seed=5, out=tmp_path, concurrency=3, backends={"m": first})
    assert await results.__anext__()
    await results.aclose()
    assert first.in_flight == 0
    whole = await solve_batch(PROBLEMS, flow(BEAM), seed=5, out=tmp_path, backends={"m": second})
    expected = await solve_batch(PROBLEMS, flow(BEAM), seed=5, backends={"m": noisy()})
    assert [(r.answer, tree_rows(r)) for r in whole] == [(r.answer, tree_rows(r)) for r in expected]
    assert not any(result.failures for result in whole)


async def test_an_endless_stream_of_problems_is_read_as_far_as_the_limit() -> None:
    def endless() -> Any:
        number = 0
        while True:
            yield f"problem {(number := number + 1)}"

    assert len(await solve_batch(endless(), flow(EIGHT), limit=2, backends={"m": noisy()})) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"concurrency": 0}, "concurrency is a whole number of at least 1"),
        ({"limit": 0}, "limit is a whole number of at least 1"),
        ({"seed": None}, "seed is a whole number"),
        ({"reuse": "runs/x"}, "reuse is a list"),
        ({"problems": "a single one"}, "problems is a list"),
        ({"problems": [None]}, "a problem is a text or a Problem"),
        ({"problems": ["a", "b"], "budget": Budget.model_validate({"run": {"roles": {"polcy": {"calls": 1}}}})},
         "nobody has this role; did you mean 'policy'"),
    ],
)  # fmt: skip
async def test_wrong_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    arguments = {"problems": PROBLEMS, **changes}
    with pytest.raises(ConfigError, match=message):
        await solve_batch(arguments.pop("problems"), flow(EIGHT), backends={"m": noisy()}, **arguments)


async def test_hostile_text_resumes_to_the_same_end(tmp_path: Path) -> None:
    def broken(request: Request, seed: int) -> str:
        return script(request, seed).replace("step", "st\ud800p")

    expected = await solve_batch(PROBLEMS[:2], flow(BEAM), backends={"m": ScriptedBackend(broken)})
    results = solve_iter(
        PROBLEMS[:2], flow(BEAM), out=tmp_path, concurrency=1, backends={"m": ScriptedBackend(broken)}
    )
    await results.__anext__()
    await results.aclose()
    again = await solve_batch(PROBLEMS[:2], flow(BEAM), out=tmp_path, backends={"m": ScriptedBackend(broken)})
    assert [tree_rows(r) for r in again] == [tree_rows(r) for r in expected]
