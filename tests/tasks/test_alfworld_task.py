"""ALFWorld: files of games, games made up by a seed, and, where the extra is installed, the engine."""

from __future__ import annotations

import json
import lzma
import random
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from branchwise.orchestrator.core.errors import ConfigError, EnvironmentFailure
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks import alfworld
from branchwise.tasks.alfworld import caches
from branchwise.tasks.alfworld.engine import Engine, Shown, in_this_wording
from branchwise.tasks.alfworld.games import Game, read_games
from branchwise.tasks.alfworld.generator import TYPES, generated
from branchwise.tasks.alfworld.task import AlfworldTask

ROW = {"id": "one", "goal": "put a mug in shelf.", "pddl_problem": "(define)", "task_type": "pick_and_place_simple"}
engine = pytest.mark.skipif(find_spec("alfworld") is None, reason="extra alfworld")


def game(kind: str, seed: int = 1, receptacles: int = 6) -> Game:
    return generated(random.Random(seed), kind, receptacles, 8, seed)


class TestFiles:
    def test_rows_with_goal_and_problem(self, tmp_path: Path) -> None:
        (tmp_path / "g.jsonl").write_text(json.dumps(ROW) + "\n\n" + json.dumps({**ROW, "id": "two"}))
        (one, two), digest = read_games(tmp_path / "g.jsonl")
        assert (one.id, one.goal, one.problem, one.kind) == (
            "one",
            "put a mug in shelf",
            "(define)",
            ROW["task_type"],
        )
        assert two.id == "two"
        assert len(digest) == 64

    def test_the_same_compressed(self, tmp_path: Path) -> None:
        (tmp_path / "g.jsonl.xz").write_bytes(lzma.compress(json.dumps(ROW).encode()))
        assert read_games(tmp_path / "g.jsonl.xz")[0][0].goal == "put a mug in shelf"

    def test_a_game_file_has_its_goal_in_its_grammar(self, tmp_path: Path) -> None:
        grammar = '{"task": [{"rhs": "Your task is to: heat some egg and put it in shelf."}]}'
        row = {"pddl_problem": "(define)", "grammar": grammar, "solvable": True, "walkthrough": ["look"]}
        (tmp_path / "game.tw-pddl").write_text(json.dumps(row))
        ((found,), _) = read_games(tmp_path / "game.tw-pddl")
        assert (found.id, found.goal, found.walkthrough) == ("game", "heat some egg and put it in shelf", ("look",))

    def test_a_folder_of_games_as_alfworld_leaves_it(self, tmp_path: Path) -> None:
        def put(folder: str, **more: object) -> None:
            path = tmp_path / folder / "game.tw-pddl"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"pddl_problem": "(define)", "goal": "put a mug in shelf", **more}))

        put("pick_and_place_simple-Mug-None-Shelf-20/trial_2")
        put("pick_and_place_simple-Mug-None-Shelf-20/trial_1", solvable=True)
        put("pick_and_place_simple-Mug-None-Shelf-21/trial_1", solvable=False)
        put("pick_and_place_simple-MugSliced-None-Shelf-22/trial_1")
        put("pick_heat_then_place_in_recep-Egg-None-Shelf-2/trial_1")
        everything, digest = read_games(tmp_path)
        assert [(game.id, game.kind) for game in everything] == [
            ("pick_and_place_simple-Mug-None-Shelf-20/trial_1", "pick_and_place_simple"),
            ("pick_and_place_simple-Mug-None-Shelf-20/trial_2", "pick_and_place_simple"),
            ("pick_heat_then_place_in_recep-Egg-None-Shelf-2/trial_1", "pick_heat_then_place_in_recep"),
        ]
        heated, of_heated = read_games(tmp_path, "pick_heat_then_place_in_recep")
        assert heated == everything[2:]
        assert digest != of_heated
        assert read_games(tmp_path, count=1)[0] == everything[:1]
        with pytest.raises(ConfigError, match="holds no game of type look_at_obj_in_light"):
            read_games(tmp_path, "look_at_obj_in_light")

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("{", "g.jsonl:1: not JSON"),
            ("[]", "pddl_problem"),
            ('{"goal": "put"}', "pddl_problem"),
            (json.dumps({**ROW, "goal": ""}), "no goal in plain words"),
            (json.dumps({**ROW, "goal": "{__import__('os')}"}), "no goal in plain words"),
            (json.dumps({**ROW, "goal": "#intro#"}), "no goal in plain words"),
            ("", "holds no game"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, row: str, message: str) -> None:
        (tmp_path / "g.jsonl").write_text(row)
        with pytest.raises(ConfigError, match=message):
            read_games(tmp_path / "g.jsonl")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="can't be read"):
            read_games(tmp_path / "g.jsonl")


class TestMadeUp:
    @pytest.mark.parametrize("kind", TYPES)
    def test_the_seed_decides(self, kind: str) -> None:
        assert game(kind, 1) == game(kind, 1)
        assert len({game(kind, seed).problem for seed in range(20)}) == 20

    def test_the_way_to_win_does_what_the_goal_says(self) -> None:
        hot = game("pick_heat_then_place_in_recep")
        assert [command.split()[0] for command in hot.walkthrough if command.split()[0] not in ("go", "open")] == [
            "take",
            "heat",
            "move",
        ]
        two = game("pick_two_obj_and_place")
        assert sum(command.startswith("move") for command in two.walkthrough) == 2
        assert "two" in two.goal

    def test_the_older_wording_is_understood(self) -> None:
        assert in_this_wording(" put mug 1 in/on shelf 2 ") == "move mug 1 to shelf 2"
        assert in_this_wording("look") == "look"


@pytest.mark.skipif(find_spec("alfworld") is not None, reason="it is installed")
def test_without_the_extra_the_remedy_is_told() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'branchwise\[alfworld\]'"):
        alfworld.build(alfworld.Options())


@engine
class TestEngine:
    @pytest.fixture
    def opened(self) -> Iterator[list[Engine]]:
        """Engines that are closed afterwards."""
        engines: list[Engine] = []
        yield engines
        for one in engines:
            one.close()

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("seed", [1, 2])
    def test_every_game_that_is_made_up_can_be_won(self, kind: str, seed: int, opened: list[Engine]) -> None:
        made = game(kind, seed, 5 + 4 * seed)
        opened.append(Engine(made))
        won = [False]
        for command in made.walkthrough:
            assert command in opened[0].seen.commands
            won.append(opened[0].step(command).won)
        assert won == [False] * len(made.walkthrough) + [True]

    @pytest.mark.parametrize("kind", TYPES)
    def test_with_caches_it_shows_the_same(self, kind: str, opened: list[Engine]) -> None:
        made = game(kind)
        opened += [Engine(made, cached=True), Engine(made, cached=False)]
        quick, plain = opened
        assert quick.seen == plain.seen
        rng = random.Random(2)
        for _ in range(25):
            command = rng.choice(plain.seen.commands)
            assert quick.step(command) == plain.step(command)
        assert quick._cached
        assert not plain._cached

    def test_patches_are_undone(self) -> None:
        from textworld.envs.pddl import textgen

        caches.switch(False)
        before = dict(vars(textgen)), dict(vars(textgen.Symbol))
        caches.switch(True)
        assert vars(textgen)["copy_context"] is not before[0]["copy_context"]
        caches.switch(False)
        assert (dict(vars(textgen)), dict(vars(textgen.Symbol))) == before

    def test_caches_that_change_what_is_shown_stay_off(
        self, monkeypatch: pytest.MonkeyPatch, opened: list[Engine]
    ) -> None:
        from branchwise.tasks.alfworld import engine as module

        caches.switch(False)
        monkeypatch.setattr(module, "_verdicts", {})
        monkeypatch.setattr(caches, "_copied", lambda context: {**context, "variables": {}})
        caches._patches.cache_clear()
        opened.append(Engine(game("pick_and_place_simple")))
        assert module._verdicts == {"caches": False}
        assert not opened[0]._cached
        caches.switch(False)
        caches._patches.cache_clear()

    def test_it_leaves_arguments_and_output_alone(self, opened: list[Engine]) -> None:
        before = list(sys.argv), sys.stdout
        opened.append(Engine(game("pick_and_place_simple")))
        assert (sys.argv, sys.stdout) == before

    def test_many_restores_leave_the_engine_whole(self, opened: list[Engine]) -> None:
        opened.append(Engine(game("pick_two_obj_and_place")))
        (one,) = opened
        start, commands, shown = one.snapshot(), one.seen.commands, dict[str, Shown]()
        for number in range(500):
            one.restore(start)
            command = commands[number % len(commands)]
            seen = one.step(command)
            assert shown.setdefault(command, seen) == seen

    def test_a_problem_that_is_no_pddl_is_the_worlds_failure(self) -> None:
        with pytest.raises(EnvironmentFailure, match="ALFWorld"):
            Engine(Game("broken", "put a mug in shelf", "(define (problem broken"))


@engine
class TestTask:
    def task(self) -> AlfworldTask:
        return alfworld.build(alfworld.Options(count=2, receptacles=5, objects=3, seed=1))

    def test_the_run_records_what_is_played(self) -> None:
        facts = self.task().world.facts
        assert facts["alfworld"] == "0.4.2"
        assert (facts["wording"], facts["games"], facts["max_steps"]) == ("0.4", "made up", "50")

    def test_commands_are_graded_by_playing_them_again(self) -> None:
        task = self.task()
        made = generated(random.Random(1), next(iter(TYPES)), 5, 3, 0)
        assert next(task.problems()).text == f"Your task is to: {made.goal}."
        assert task.grade(made.id, "; ".join(made.walkthrough)).correct == 1.0
        assert task.grade(made.id, "; ".join(made.walkthrough[:-1])).correct == 0.0
        assert task.grade(made.id, None).correct == 0.0

    def test_only_what_the_world_ended_has_an_answer(self) -> None:
        way = (Step("look\n", "You see.", action="look"), Step("use lamp\n", "Lit.", action="use lamp"))
        of = Problem("p", (user("?"),))
        answer = self.task().answer(Trajectory(of, way, (0,), StopReason.ENVIRONMENT_DONE))
        assert answer is not None
        assert (answer.text, answer.canonical) == ("look; use lamp", "won")
        assert self.task().answer(Trajectory(of, way, (0,), StopReason.MAX_DEPTH)) is None

    def test_a_type_that_there_is_not(self) -> None:
        with pytest.raises(ConfigError, match="there is no type dance"):
            alfworld.build(alfworld.Options(type="dance"))
