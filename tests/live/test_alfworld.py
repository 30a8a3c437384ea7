"""ALFWorld on its real engine: a game solved by MCTS with the outcome as its reward, killed on the way and resumed.

The commands are those of docs/worlds.md. First no model proposes, then a server does, and counts what it is asked.
Needs the extra `alfworld`; ``make test-alfworld`` builds it and runs this with the laws of worlds, none skipped.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from branchwise.orchestrator.core.decisions import Asked, Decision, Told
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.journal.decisions import DecisionLog
from branchwise.orchestrator.journal.store import read_decisions
from tests.server import Behaviour, Sample, Seen, Server
from tests.stories.kill_moments import read

pytestmark = [pytest.mark.live, pytest.mark.alfworld, pytest.mark.timeout(1200)]

EXAMPLE = Path(__file__).parents[2] / "examples/workflows/alfworld_mcts.yaml"
WRITTEN = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
MCTS = WRITTEN["nodes"]["play"]["algorithm"]
TASK = "alfworld:type=look_at_obj_in_light,count=1,receptacles=5,objects=3,max_steps=16"
SEED, IN_FLIGHT = 3, MCTS["in_flight"]
KILLS = (0.25, 0.6)
"""Shares of the run's decisions after which it is killed."""


class Player(Server):
    """A model that acts: it names one of the admissible commands that its prompt lists, chosen by the draw's seed."""

    def _sample(self, body: dict[str, Any], k: int) -> Sample:
        prompt = body["messages"][-1]["content"]
        listed = prompt.partition("Admissible actions now: ")[2].partition("\n")[0].split(", ")
        number = hashlib.blake2b(f"{body['seed'] + k} {prompt}".encode(), digest_size=8).digest()
        return Sample(("Action:", f" {listed[int.from_bytes(number) % len(listed)]}"), "stop")


def command(workflow: Path, directory: Path) -> list[str]:
    """Start the run, or go on with it."""
    words = ["run", str(workflow), "--tasks", TASK, "--seed", str(SEED), "--out", str(directory)]
    return ["resume", str(directory)] if (directory / "journal.sqlite").exists() else words


async def started(workflow: Path, directory: Path) -> asyncio.subprocess.Process:
    """A process that runs it."""
    start, quiet = (sys.executable, "-m", "branchwise.orchestrator.cli"), asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*start, *command(workflow, directory), stdout=quiet, stderr=quiet)


async def finish(workflow: Path, directory: Path) -> None:
    """Let it run to its end."""
    process = await started(workflow, directory)
    assert await process.wait() == 0


async def killed(workflow: Path, directory: Path, decisions: int) -> int:
    """Start or go on, kill -9 once so many decisions are on record; how many there are then."""
    process = await started(workflow, directory)
    ended = asyncio.ensure_future(process.wait())
    while not ended.done() and decided(directory) < decisions:
        await asyncio.wait([ended], timeout=0.01)
    if not ended.done():
        process.kill()
    await ended
    return decided(directory)


def decided(directory: Path) -> int:
    """Decisions on record so far."""
    file = directory / "journal.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM decisions").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0


def decisions_of(directory: Path) -> list[Decision]:
    """What the search was asked and told, in order."""
    (problem_id,) = read(directory).results
    (recorded,) = read_decisions(directory, problem_id).values()
    root = Trajectory(problem("", problem_id))
    return DecisionLog(root, lambda seq, kind, payload: None, recorded).replay()


def played_by(url: str) -> dict[str, Any]:
    """The same search, smaller, of a model's commands."""
    model = {"kind": "openai", "url": url, "model": "m", "max_in_flight": IN_FLIGHT}
    smaller = {**MCTS, "iterations": 16, "children": 4, "rollouts": 1}
    policy = {"kind": "actor", "model": "m"}
    node = {**WRITTEN["nodes"]["play"], "algorithm": smaller, "policy": policy}
    return {**WRITTEN, "models": {"m": model}, "nodes": {"play": node}}


async def in_pieces(workflow: Path, directory: Path, whole: Path) -> None:
    """The run, killed at ``KILLS``, then to its end."""
    for share in KILLS:
        assert await killed(workflow, directory, int(share * decided(whole))) < decided(whole)
    await finish(workflow, directory)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documented run, in one piece."""
    directory = tmp_path_factory.mktemp("undisturbed") / "run"
    asyncio.run(finish(EXAMPLE, directory))
    return directory


def test_the_game_is_won_and_the_win_is_checked_by_playing_it_again(undisturbed: Path) -> None:
    (result,) = read(undisturbed).results.values()
    assert result["answer"].split("; ")[-1].startswith("use desklamp")
    assert result["grade"][0] == 1.0


def test_eight_leaves_are_under_way_and_no_expansion_is_lost(undisturbed: Path) -> None:
    out, most, expansions, won = set[int](), 0, 0, 0
    for decision in decisions_of(undisturbed):
        if isinstance(decision, Asked):
            out |= {expansion.ticket for expansion in decision.expansions}
            most = max(most, len(out))
        elif isinstance(decision, Told):
            out.remove(decision.outcome.ticket)
            children = decision.outcome.candidates
            assert all(child.failure is None for child in children)
            expansions += len(children) == MCTS["children"]
            won += sum(child.trajectory.stop is StopReason.ENVIRONMENT_DONE for child in children)
    assert most >= IN_FLIGHT
    assert not out
    assert expansions == MCTS["iterations"]
    assert won


async def test_killed_in_the_middle_it_goes_on_to_the_same_tree(undisturbed: Path, tmp_path: Path) -> None:
    await in_pieces(EXAMPLE, tmp_path / "run", undisturbed)
    assert read(tmp_path / "run") == read(undisturbed)


async def test_no_call_of_a_model_that_plays_is_paid_twice(tmp_path: Path) -> None:
    async with Player(Behaviour(latency_seconds=0.02)) as server:
        workflow = tmp_path / "played.yaml"
        workflow.write_text(yaml.safe_dump(played_by(server.url)))
        await finish(workflow, tmp_path / "whole")
        calls, most = server.seen.answered, server.seen.peak
        server.seen = Seen()
        await in_pieces(workflow, tmp_path / "run", tmp_path / "whole")
        assert read(tmp_path / "run") == read(tmp_path / "whole")
        assert IN_FLIGHT // 2 < most <= IN_FLIGHT  # an answer may be there before the last call is sent
        assert calls <= server.seen.answered <= calls + len(KILLS) * IN_FLIGHT
        assert max(server.seen.paid.values()) <= 1 + len(KILLS)
