"""Countdown: its rules, what can be reached, the problems and their split, answers, grading, and the rule reward."""

import random
from functools import cache

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks.countdown import Options, build
from branchwise.tasks.countdown.generator import (
    LARGEST,
    TARGETS,
    Puzzle,
    evaluation_puzzles,
    generate,
    is_training,
    parse_problem,
    shortest_solution,
    training_puzzle,
)
from branchwise.tasks.countdown.reaching import reachable, steps_needed, values
from branchwise.tasks.countdown.rules import Move, Numbers, apply, follow, legal_moves, parse_step, written
from branchwise.tasks.countdown.task import CountdownTask, solves
from branchwise.tasks.countdown.verifier import still_reachable, within_reach

PUZZLE = Puzzle(37, (3, 5, 19, 25))
SOLUTION = ("19*3=57: 5 25 57", "57-25=32: 5 32", "32+5=37: 37")
TASK = CountdownTask([PUZZLE])
[PROBLEM] = TASK.problems()


@cache
def fewest_steps(numbers: Numbers, target: int) -> int | None:
    """The same as steps_needed, by trying every sequence of moves."""
    if target in numbers:
        return 0
    below = [fewest_steps(apply(numbers, move), target) for move in legal_moves(numbers)]
    return min((1 + steps for steps in below if steps is not None), default=None)


def said(text: str, stop: StopReason | None = StopReason.ANSWERED, of: Problem = PROBLEM) -> Answer | None:
    return TASK.answer(Trajectory(of, (Step(text),), stop=stop))


def judged(*lines: str, stop: StopReason | None = None) -> float:
    return still_reachable(Trajectory(PROBLEM, tuple(Step(f"{line}\n") for line in lines), stop=stop))


def test_the_moves_of_two_numbers() -> None:
    assert [move.text for move in legal_moves((3, 6))] == ["6+3=9", "6-3=3", "6*3=18", "6/3=2"]
    assert [move.text for move in legal_moves((4, 4))] == ["4+4=8", "4*4=16", "4/4=1"]
    assert [move.text for move in legal_moves((4, 7))] == ["7+4=11", "7-4=3", "7*4=28"]
    assert legal_moves((9,)) == ()
    assert len(legal_moves((2, 2, 2))) == 3


@pytest.mark.parametrize(
    "move", [Move(3, "-", 3), Move(3, "-", 5), Move(7, "/", 2), Move(7, "/", 0), Move(0, "*", 5)]
)
def test_nothing_but_whole_positive_numbers(move: Move) -> None:
    assert move.result is None
    with pytest.raises(ValueError, match="no whole positive number"):
        apply((0, 2, 3, 3, 5, 7), move)


def test_each_number_is_used_once() -> None:
    assert apply((3, 5, 19, 25), Move(19, "*", 3)) == (5, 25, 57)
    assert apply((3, 5, 19, 25), Move(3, "*", 19)) == (5, 25, 57)
    with pytest.raises(ValueError, match="3 is not at hand"):
        apply((3, 5, 19, 25), Move(3, "*", 3))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_exhaustive_search_agrees_with_trying_every_sequence_of_moves(count: int) -> None:
    rng = random.Random(count)
    for _ in range(40):
        numbers = tuple(sorted(rng.randint(1, 12) for _ in range(count)))
        for target in rng.sample(range(1, 60), 5):
            assert steps_needed(numbers, target) == fewest_steps(numbers, target), (numbers, target)


def test_five_numbers_agree_as_well() -> None:
    rng = random.Random(5)
    for _ in range(2):
        numbers = tuple(sorted(rng.randint(1, 25) for _ in range(5)))
        assert steps_needed(numbers, 97) == fewest_steps(numbers, 97)
    assert steps_needed((1, 1, 1, 1, 1), 7) is None


def test_the_values_use_every_number() -> None:
    assert values((2, 3)) == {1, 5, 6}
    assert values((2, 2)) == {1, 4}
    assert reachable((2, 3, 7), 7)
    assert not reachable((2, 2), 3)


@pytest.mark.parametrize("numbers", [3, 4, 5])
def test_every_problem_is_as_it_is_described_and_has_a_solution(numbers: int) -> None:
    rng = random.Random(numbers)
    for _ in range(60):
        puzzle = generate(rng, numbers)
        assert len(puzzle.numbers) == numbers
        assert puzzle.target in TARGETS
        assert puzzle.target not in puzzle.numbers
        assert all(1 <= number <= LARGEST for number in puzzle.numbers)
        assert parse_problem(puzzle.text) == puzzle
        lines = shortest_solution(rng, puzzle)
        assert solves(puzzle, lines)
        assert len(lines) == steps_needed(puzzle.numbers, puzzle.target)


def test_one_seed_gives_one_puzzle() -> None:
    assert generate(random.Random(7), 4) == generate(random.Random(7), 4)
    assert generate(random.Random(7), 4) != generate(random.Random(8), 4)
    with pytest.raises(ValueError, match="at least two"):
        generate(random.Random(7), 1)
    with pytest.raises(ValueError, match="no solution"):
        shortest_solution(random.Random(7), Puzzle(100, (1, 1, 1)))


def test_the_split_is_fixed_and_about_one_in_ten_evaluates() -> None:
    rng = random.Random(1)
    texts = [generate(rng, 4).text for _ in range(1000)]
    assert 0.07 < sum(not is_training(text) for text in texts) / 1000 < 0.13
    assert is_training("37: 3 5 19 25")
    assert not is_training("51: 2 7 14 16")
    assert all(is_training(training_puzzle(rng, 3).text) for _ in range(100))
    found = evaluation_puzzles(rng, 100, 3)
    assert len({puzzle.text for puzzle in found}) == 100
    assert not any(is_training(puzzle.text) for puzzle in found)


def test_problems_are_public_and_unseen() -> None:
    problems = list(build(Options(numbers=3, count=50)).problems())
    assert len({each.id for each in problems}) == 50
    for each in problems:
        puzzle = parse_problem(each.text)
        assert puzzle is not None
        assert not is_training(each.text)
        assert each.metadata == {"numbers": 3, "target": puzzle.target}
        assert each.id == "-".join(["countdown", *each.text.replace(":", "").split()])


def test_the_options_seed_goes_before_the_runs() -> None:
    def ids(options: Options, seed: int = 0) -> list[str]:
        return [each.id for each in build(options, seed=seed).problems()]

    assert ids(Options(count=10)) == ids(Options(count=10, seed=0), 5)
    assert ids(Options(count=10)) != ids(Options(count=10), 5)
    assert ids(Options(count=10)) == ids(Options(count=30))[:10]


def test_too_many_problems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("branchwise.tasks.countdown.generator.TARGETS", range(5, 6))
    monkeypatch.setattr("branchwise.tasks.countdown.generator.LARGEST", 3)
    with pytest.raises(ConfigError, match="fewer problems"):
        build(Options(numbers=3, count=500))


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("19*3=57: 5 25 57", (5, 25, 57)),
        ("3*19=57: 57 25 5", (5, 25, 57)),
        (" 19 * 3 = 57 : 5 25 57\n", (5, 25, 57)),
        ("19*3=58: 5 25 58", None),
        ("19*3=57: 3 5 25 57", None),
        ("19*3=57: 5 57", None),
        ("19*3=57", None),
        ("7*3=21: 5 19 25 21", None),
        ("3-19=-16: -16 5 25", None),
        ("19*3=57: 5 25 57 !", None),
        ("19*3*5=285: 25 285", None),
        ("", None),
    ],
)
def test_a_line_must_keep_every_rule(line: str, state: Numbers | None) -> None:
    assert list(follow(PUZZLE.numbers, [line])) == [state]


def test_nothing_follows_a_broken_line() -> None:
    states = list(follow(PUZZLE.numbers, [SOLUTION[0], "57-25=31: 5 31", "31+5=36: 36"]))
    assert states == [(5, 25, 57), None, None]
    assert list(follow(PUZZLE.numbers, SOLUTION))[-1] == (37,)


def test_a_written_step_is_read_back() -> None:
    rng = random.Random(3)
    for _ in range(50):
        numbers = generate(rng, 4).numbers
        move = rng.choice(legal_moves(numbers))
        step = parse_step(written(numbers, move))
        assert step is not None
        assert (step.move, step.result, step.left) == (move, move.result, apply(numbers, move))


def test_the_answer_is_the_whole_solution() -> None:
    answer = said("\n".join(SOLUTION))
    assert answer is not None
    assert answer.text == "19*3=57: 5 25 57; 57-25=32: 5 32; 32+5=37: 37"
    assert TASK.grade(PROBLEM.id, answer.text).correct == 1
    other = said("19*3=57: 25 57 5\n\n57 - 25=32: 5 32\n32+5=37: 37\n", StopReason.MAX_DEPTH)
    assert other == answer


def test_equal_equations_are_one_vote() -> None:
    one = said("5-3=2: 2 19 25\n25+19=44: 2 44\n44-2=37: 37")
    other = said("25+19=44: 3 5 44\n5-3=2: 2 44\n44-2=37: 37")
    assert one is not None
    assert other is not None
    assert one.canonical == other.canonical
    assert one.text != other.text
    assert TASK.grade(PROBLEM.id, one.text).correct == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "37",
        "19*3=57: 5 25 57",
        "19*3=57: 5 25 57\n57-25=32: 5 32\n32+5=37",
        "19*3=57: 5 25 57\nthen\n32+5=37: 37",
        "32+5=37: 37\n" * 50,
        "32+5=37: 37" + " " * 5000,
    ],
)
def test_what_does_not_claim_the_target_in_readable_lines_is_no_answer(text: str) -> None:
    assert said(text) is None


def test_a_last_line_that_may_have_been_cut_off_answers_nothing() -> None:
    text = "\n".join(SOLUTION)
    assert said(text, StopReason.MAX_TOKENS) is None
    assert said(text, None) is None
    assert said(text, of=problem("what?")) is None


@pytest.mark.parametrize(
    "answer",
    [None, "", ";", "37", "32+5=37: 37", "19*3=57: 5 25 57; 57-25=37: 5 37", "19*3=57: 5 25 57; 25+5=30: 30 57"],
)
def test_a_wrong_or_unfinished_solution_is_graded_0(answer: str | None) -> None:
    assert TASK.grade(PROBLEM.id, answer).correct == 0


def test_grading_knows_its_own_problems_only() -> None:
    with pytest.raises(KeyError):
        TASK.grade("countdown-1-2-3", "1")


def test_the_rule_says_whether_the_target_is_within_reach() -> None:
    assert judged(SOLUTION[0]) == judged(*SOLUTION[:2]) == 1
    assert judged("5+3=8: 8 19 25") == 0
    assert judged("19*3=58: 5 25 58") == 0
    assert judged(SOLUTION[0], "nonsense") == 0
    assert judged(SOLUTION[0], "", SOLUTION[1]) == 1
    assert judged(*SOLUTION) == judged(*SOLUTION, stop=StopReason.ANSWERED) == 1
    assert judged(*SOLUTION[:2], stop=StopReason.ANSWERED) == 0
    assert within_reach(PUZZLE, [SOLUTION[0], "57-5=52: 25 52", "52-25=27: 27"]) == (True, False, False)
    with pytest.raises(ValueError, match="not a Countdown problem"):
        still_reachable(Trajectory(problem("what?"), (Step("1"),)))
