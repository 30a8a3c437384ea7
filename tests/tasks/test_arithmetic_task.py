"""The arithmetic task: its problems, how an answer is read, and grading."""

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks.arithmetic import Options, build
from branchwise.tasks.arithmetic.generator import Chain, Operation, is_training, parse_problem
from branchwise.tasks.arithmetic.task import ArithmeticTask

CHAIN = Chain(47, (Operation("+", 38), Operation("*", 3)))
TASK = ArithmeticTask([CHAIN])
[PROBLEM] = TASK.problems()


def said(text: str, stop: StopReason | None = StopReason.ANSWERED, of: Problem = PROBLEM) -> str | None:
    answer = TASK.answer(Trajectory(of, (Step(text),), stop=stop))
    return answer.canonical if answer is not None else None


def test_problems_are_public_and_unseen() -> None:
    problems = list(build(Options(steps=2, count=50)).problems())
    assert len({each.id for each in problems}) == 50
    for each in problems:
        chain = parse_problem(each.text)
        assert chain is not None
        assert not is_training(each.text)
        assert [message.role for message in each.messages] == ["user"]
        assert each.metadata == {"steps": 2, "operators": "".join(one.operator for one in chain.operations)}
        assert each.id == "arithmetic-" + each.text.replace("*", "x")


def test_the_options_seed_goes_before_the_runs() -> None:
    def ids(options: Options, seed: int = 0) -> list[str]:
        return [each.id for each in build(options, seed=seed).problems()]

    assert ids(Options()) == ids(Options(), 0) == ids(Options(seed=0), 5)
    assert ids(Options()) != ids(Options(), 5)
    assert ids(Options(count=10)) == ids(Options(count=30))[:10]
    assert len(ids(Options())) == 100


def test_the_operators_are_kept_to() -> None:
    problems = build(Options(operators="+", count=20)).problems()
    assert {each.metadata["operators"] for each in problems} == {"+++"}


@pytest.mark.parametrize("operators", ["", "/", "++", "+-*/"])
def test_unknown_operators_are_refused(operators: str) -> None:
    with pytest.raises(ValidationError, match="operators are some of"):
        Options(operators=operators)


def test_too_many_problems_are_refused() -> None:
    with pytest.raises(ConfigError, match="fewer problems"):
        build(Options(steps=1, operators="*", count=5000))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("47+38=85\n85*3=255", "255"),
        ("47+38=85\n85*3=255\n", "255"),
        ("47+38=85\n85*3=-12", "-12"),
        ("47 + 38 = 85\n\n85 * 3 = 255", "255"),
        ("47+38=85", None),
        ("47+38=85\n85*3=255\n255+1=256", None),
        ("47+38=85\n85*3=", None),
        ("47+38=85\n85*3=25x", None),
        ("47+38=85\n85*3=1=255", None),
        ("", None),
        ("\n\n", None),
        ("47+38=85\n85*3=" + "9" * 5000, None),
    ],
)
def test_the_answer_is_the_last_result_of_a_finished_solution(text: str, answer: str | None) -> None:
    assert said(text) == answer


def test_a_last_line_that_may_have_been_cut_off_answers_nothing() -> None:
    assert said("47+38=85\n85*3=25", StopReason.MAX_TOKENS) is None
    assert said("47+38=85\n85*3=25", None) is None
    assert said("47+38=85\n85*3=255\n", StopReason.MAX_DEPTH) == "255"


def test_grading_is_by_value() -> None:
    assert TASK.grade(PROBLEM.id, "255").correct == 1
    assert TASK.grade(PROBLEM.id, "255.0").correct == 1
    assert TASK.grade(PROBLEM.id, "256").correct == 0
    assert TASK.grade(PROBLEM.id, "").correct == 0
    assert TASK.grade(PROBLEM.id, None).correct == 0
    assert TASK.grade(PROBLEM.id, None).expected == "255"
    with pytest.raises(KeyError):
        TASK.grade("arithmetic-1+1", "2")


def test_the_key_does_not_travel_with_the_problem() -> None:
    assert "255" not in repr(PROBLEM)
