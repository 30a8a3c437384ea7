"""Looking at a run while it runs: its events as an async iterator, the trees of problems under way."""

from __future__ import annotations

import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx
import pytest

from branchwise import ConfigError, ScriptedBackend, read_tree, solve, solve_batch, solve_events
from branchwise.orchestrator.core.decisions import Told
from branchwise.orchestrator.core.events import Decided, Event, ProblemFinished
from branchwise.orchestrator.report.collect import collect
from tests.engine.flows import flow, script

MCTS = {"kind": "mcts", "iterations": 12, "children": 3, "depth": 5, "finish": 0}
PROBLEMS = ["problem 0", "problem 1", "problem 2"]


def model() -> dict[str, ScriptedBackend]:
    return {"m": ScriptedBackend(script)}


def told(event: Event) -> bool:
    return isinstance(event, Decided) and isinstance(event.decision, Told)


def rows(tree: networkx.DiGraph) -> Any:
    return sorted(tree.nodes(data=True)), sorted(tree.edges)


async def test_events_come_in_order_and_bring_the_results() -> None:
    events = [e async for e in solve_events(PROBLEMS, flow(MCTS), seed=5, backends=model(), concurrency=1)]
    assert [event.type for event in events if event.type != "decided"] == [
        "run_started",
        *["problem_started", "node_entered", "problem_finished"] * 3,
        "run_finished",
    ]
    finished = [event.result for event in events if isinstance(event, ProblemFinished)]
    results = await solve_batch(PROBLEMS, flow(MCTS), seed=5, backends=model(), concurrency=1)
    assert [replace(one, seconds=0.0) for one in finished] == [replace(one, seconds=0.0) for one in results]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_tree_under_way_is_the_final_one_as_far_as_it_has_grown(kept: bool, tmp_path: Path) -> None:
    out, trees = tmp_path / "run" if kept else None, list[networkx.DiGraph]()

    def watch(event: Event) -> None:
        if told(event):
            trees.append(event.tree())  # type: ignore[union-attr]
            if out is not None:
                assert rows(read_tree(out, "problem-0")) == rows(trees[-1])

    result = await solve("problem 0", flow(MCTS), seed=5, backends=model(), on_event=watch, out=out)
    final = result.tree()
    assert len(trees) == MCTS["iterations"]
    assert any(data.get("under_way") for _, data in trees[3].nodes(data=True))
    for one, next_one in zip(trees, [*trees[1:], final], strict=True):
        assert one.nodes["root"]["visits"] < next_one.nodes["root"]["visits"] or next_one is final
        for name, data in one.nodes(data=True):
            same = ("text", "score", "order", "expanded", "stop")
            assert data.get("under_way") or all(
                final.nodes[name].get(key) == data[key] for key in same if key in data
            )
    if out is not None:
        assert rows(read_tree(out, "problem-0")) == rows(final)


async def test_a_resumed_run_finds_its_trees_as_they_were(tmp_path: Path) -> None:
    first = await solve_batch(PROBLEMS, flow(MCTS), seed=5, backends=model(), out=tmp_path / "run")
    again = await solve_batch(PROBLEMS, flow(MCTS), seed=5, backends=model(), out=tmp_path / "run")
    assert [rows(result.tree()) for result in first] == [rows(result.tree()) for result in again]
    assert all(result.tree().nodes["root"]["visits"] >= MCTS["iterations"] for result in again)


async def test_leaving_the_loop_ends_the_run(tmp_path: Path) -> None:
    async with aclosing(solve_events(PROBLEMS, flow(MCTS), backends=model(), out=tmp_path / "run")) as events:
        async for event in events:
            if told(event):
                break
    results = await solve_batch(PROBLEMS, flow(MCTS), backends=model(), out=tmp_path / "run")  # it is free again
    assert len(results) == 3


async def test_what_is_wrong_reaches_whoever_reads() -> None:
    with pytest.raises(ConfigError, match="no such kind"):
        [event async for event in solve_events(["p"], flow({"kind": "no such kind"}), backends=model())]


async def test_a_problem_that_was_not_started_has_no_tree(tmp_path: Path) -> None:
    await solve("p", flow(MCTS), backends=model(), out=tmp_path / "run")
    with pytest.raises(ConfigError, match="no problem 'q'"):
        read_tree(tmp_path / "run", "q")


async def test_a_run_directory_is_reported_while_it_runs(tmp_path: Path) -> None:
    out, page, seen = tmp_path / "run", tmp_path / "report.html", list[Event]()
    command = [sys.executable, "-m", "branchwise.orchestrator.cli", "report", str(out), "--html", str(page)]

    def watch(event: Event) -> None:
        seen.extend([event] if told(event) else [])
        if len(seen) == MCTS["iterations"] + 5 and not page.exists():  # the first is finished, the second under way
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
            assert "1 of 2 problems are not finished" in ran.stdout
            finished, open_one = collect([out], created="now").trees
            assert (finished.graph.problem, finished.graph.note[:6]) == ("problem-0", "ended:")
            assert (open_one.graph.problem, open_one.graph.note) == ("problem-1", "not finished")
            assert 0 < (open_one.nodes[0].visits or 0) < (finished.nodes[0].visits or 0)
            assert any(node.under_way for node in open_one.nodes)

    await solve_batch(PROBLEMS, flow(MCTS), seed=5, backends=model(), out=out, concurrency=1, on_event=watch)
    assert "problem-1" in page.read_text(encoding="utf-8")
    assert [tree.graph.note[:6] for tree in collect([out], created="now").trees] == ["ended:"] * 3
