"""Workflows as graphs: loops, routes, bounds, faults in them; and a search inside somebody else's graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from branchwise import BackendError, ConfigError, Request, ScriptedBackend, StopReason, as_node, solve
from branchwise.orchestrator.core.events import Event, NodeEntered
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate
from tests.engine.flows import flow, script


def refining(max_visits: int | None = 3) -> dict[str, Any]:
    """Solver -> Reviewer -> Refiner -> Reviewer ..."""
    agents = {
        name: {"kind": "agent", "agent": {"kind": kind, "model": "m", "prompt": f"{name}: $problem|$draft|$feedback"}}
        for name, kind in (("draft", "solver"), ("review", "reviewer"), ("refine", "refiner"))
    }
    agents["draft"]["next"] = "review"  # type: ignore[assignment]
    agents["review"]["next"] = {"accept": "end", "revise": "refine"}
    agents["refine"] |= {"next": "review", "max_visits": max_visits}  # type: ignore[dict-item]
    return {"models": {"m": {"kind": "scripted", "answers": ["unused"]}}, "nodes": agents}


def speaker(accept_after: int) -> ScriptedBackend:
    """A reviewer who lets the draft with this number through; a refiner who counts."""

    def say(request: Request, seed: int) -> str:
        text = request.messages[0].text
        role, draft = text.split(":")[0], text.split("|")[1]
        if role == "review":
            return "ACCEPT" if draft == f"The answer is {accept_after}" else "REVISE it"
        return "The answer is " + ("0" if role == "draft" else str(int(draft.rsplit(" ", 1)[1]) + 1))

    return ScriptedBackend(say)


async def walk(accept_after: int, **budget: Any) -> tuple[Any, list[str]]:
    visited: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, NodeEntered):
            visited.append(event.node)

    workflow = refining() | ({"budget": budget} if budget else {})
    result = await solve("p", workflow, backends={"m": speaker(accept_after)}, on_event=watch)
    return result, visited


async def test_an_accepted_draft_ends_the_loop() -> None:
    result, visited = await walk(accept_after=2)
    assert visited == ["draft", "review", "refine", "review", "refine", "review"]
    assert (result.answer, result.stop) == ("2", StopReason.ANSWERED)
    assert {role: usage.calls for role, usage in result.drawn} == {"policy": 1, "refiner": 2, "reviewer": 3}


async def test_the_loop_is_bounded_and_the_last_draft_stands() -> None:
    result, visited = await walk(accept_after=99)
    assert visited.count("refine") == 3
    assert result.answer == "3"


async def test_a_budget_ends_the_loop_with_the_draft_there_is() -> None:
    result, _ = await walk(accept_after=99, problem={"calls": 4})
    assert (result.answer, result.stop) == ("1", StopReason.BUDGET_CALLS)
    assert result.usage.calls == 4


async def test_a_reviewer_that_fails_costs_its_review_not_the_draft() -> None:
    good = speaker(accept_after=5)

    def fails(request: Request, seed: int) -> BackendError | None:
        return BackendError("lost") if request.messages[0].text.startswith("review") else None

    backend = ScriptedBackend(good._script, fails=fails)
    result = await solve("p", refining(), backends={"m": backend})
    assert result.answer == "0"
    assert [failure.boundary for failure in result.failures] == ["backend"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refine": {"max_visits": None}}, "the cycle review -> refine has no bound"),
        ({"review": {"next": {"accept": "refine", "revise": "refine"}}}, "no way leads from here to the end"),
        ({"review": {"next": {"accept": "end"}}}, "the routes of this node are accept, revise"),
        ({"draft": {"next": "revew"}}, "did you mean 'review'"),
        ({"draft": {"next": "end"}}, "no way leads here from 'draft'"),
        ({"review": {"next": "end"}}, "write one target a route: accept, revise"),
    ],
)
def test_a_wrong_graph_is_refused_before_anything_is_spent(change: dict[str, Any], message: str) -> None:
    workflow = refining()
    if change == {"review": {"next": {"accept": "refine", "revise": "refine"}}}:
        workflow["nodes"]["refine"]["otherwise"] = "review"
    for name, keys in change.items():
        workflow["nodes"][name] |= keys
    with pytest.raises(ConfigError, match=message):
        validate(read_workflow(workflow, {}, Path()))


class Mine(TypedDict, total=False):
    question: str
    answer: str
    shouted: str


async def test_a_search_is_a_node_in_a_graph_of_your_own_even_one_with_checkpoints() -> None:
    backend = ScriptedBackend(script)
    search = as_node(flow({"kind": "best_of_n", "n": 4}), problem_key="question", backends={"m": backend})
    builder: Any = StateGraph(Mine)
    builder.add_node("search", search)
    builder.add_node("shout", lambda state: {"shouted": f"{state['answer']}!"})
    builder.add_edge(START, "search")
    builder.add_edge("search", "shout")
    builder.add_edge("shout", END)
    graph = builder.compile(checkpointer=InMemorySaver())
    state = await graph.ainvoke({"question": "why?"}, {"configurable": {"thread_id": "1"}})
    assert state["shouted"] == f"{state['answer']}!"
    assert backend.calls == 4


async def test_a_search_that_is_entered_again_searches_anew() -> None:
    search = flow({"kind": "best_of_n", "n": 3}, reward=False)["nodes"]["search"]
    review = refining()["nodes"]["review"] | {"next": {"accept": "end", "revise": "search"}}
    workflow = {
        "models": {"m": {"kind": "scripted", "answers": ["unused"]}},
        "nodes": {"search": search | {"next": "review", "max_visits": 2}, "review": review},
    }
    seeds: set[int] = set()

    def say(request: Request, seed: int) -> str:
        if request.messages:
            return "REVISE"
        seeds.add(seed)
        return script(request, seed)

    result = await solve("p", workflow, backends={"m": ScriptedBackend(say)})
    assert len(seeds) == 6
    assert result.usage_of("policy").calls == 6
    assert {node.partition(":")[0] for node in result.tree() if ":" in node} == {"search#2"}
