"""The math task: three layouts, what is wrong with them, and answers that vote and are graded as mathematics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator import api, session
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.journal.results import result_from, result_json
from branchwise.orchestrator.report.trees import shown_tree
from branchwise.orchestrator.workflow.tree import Selected
from branchwise.tasks.math import Options, build
from branchwise.tasks.math.task import MathTask

EGGS = {"question": "Two hens lay 3 eggs each. How many?", "answer": "2 * 3 = <<2*3=6>>6 eggs\n#### 6"}
DIAGONAL = {
    "problem": "How long is the diagonal of a square of side 2?",
    "solution": r"By Pythagoras it is $\boxed{2\sqrt{2}}$.",
    "answer": r"2\sqrt{2}",
    "subject": "Geometry",
    "level": 2,
    "unique_id": "test/geometry/1.json",
}
BOXED = {"problem": "Solve $x^2=2$.", "solution": r"So $x=\boxed{\pm\sqrt{2}}$."}
CONTEST = {"ID": "2099-I-1", "Problem": "Find $m+n$.", "Answer": "073"}
HANGING = "9^{9^{9^{9}}}"


def task(folder: Path, *rows: Any, **options: Any) -> MathTask:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return build(Options.model_validate({"path": path, **options}))


async def said(of: MathTask, text: str, stop: StopReason = StopReason.ANSWERED) -> str | None:
    answer = await of.answer(Trajectory(next(of.problems()), (Step(text),), stop=stop))
    return answer.canonical if answer is not None else None


async def graded(of: MathTask, *answers: str | None) -> list[float | None]:
    of_first = next(of.problems()).id
    return [(await of.grade(of_first, answer)).correct for answer in answers]


async def test_gsm8k(tmp_path: Path) -> None:
    read = task(tmp_path, EGGS, {"id": "own", "question": "1,000 + 1?", "answer": 1001}, layout="gsm8k")
    assert [each.id for each in read.problems()] == ["rows-1", "own"]
    assert EGGS["question"] in next(read.problems()).text
    assert r"\boxed{}" in next(read.problems()).text
    assert await graded(read, "6", "6.0 eggs", "six", "7", None) == [1, 0, 0, 0, 0]
    assert await said(read, "The answer is $6 a day.") == "6"
    assert await said(read, "so that makes 6") == "6"
    assert await said(read, "so that makes 6", StopReason.MAX_TOKENS) is None
    assert (await read.grade("own", "1,001")).correct == 1


async def test_math_500(tmp_path: Path) -> None:
    read = task(tmp_path, DIAGONAL, BOXED, prompt="{question} Box it.")
    first, second = read.problems()
    assert first.id == "test/geometry/1.json"
    assert dict(first.metadata) == {"subject": "Geometry", "level": 2}
    assert first.text == "How long is the diagonal of a square of side 2? Box it."
    assert await graded(read, r"\sqrt{8}", "2*sqrt(2)", r"2\sqrt{2}\text{ cm}", "2.83", r"2\sqrt{3}", "") == [
        1,
        1,
        1,
        0,
        0,
        0,
    ]
    assert (await read.grade(second.id, r"-\sqrt{2}, \sqrt{2}")).correct == 1
    assert await said(read, r"so \boxed{\frac{\sqrt{32}}{2}}") == await said(read, r"the answer is $2\sqrt{2}$.")
    assert await said(read, "so 2") is None


@pytest.mark.parametrize("solution", [r"So $x=\boxed 4.$", r"So it is $\boxed4$.", r"so $\boxed{\,4}$"])
async def test_boxes_without_braces(tmp_path: Path, solution: str) -> None:
    """Some keys of MATH are boxed so."""
    read = task(tmp_path, {"problem": "What is $2+2$?", "solution": solution})
    for text in (
        solution,
        r"So $\boxed 4$.",
        r"So $\boxed\frac82$.",
        "The answer is 4, because 2+2=4",
        "The answer is\n\n4",
    ):
        assert await said_and_graded(read, text) == ("4", 1), text
    assert await said(read, r"So $\boxed 4x$.") is None


async def test_a_key_may_be_that_there_is_nothing(tmp_path: Path) -> None:
    read = task(tmp_path, {"problem": "For which x is x = x + 1?", "solution": r"For none: $\boxed{\{\}}$."})
    assert await graded(read, r"\varnothing", r"\emptyset", r"\{ \}", "0") == [1, 1, 1, 0]


async def test_aime(tmp_path: Path) -> None:
    read = task(tmp_path, CONTEST, {"id": 7, "problem": "Find $n$.", "answer": 540}, layout="aime")
    assert [each.id for each in read.problems()] == ["2099-I-1", "7"]
    assert await graded(read, "73", "073", "73.0", "74") == [1, 1, 1, 0]
    assert await said(read, r"m+n=\boxed{073}") == "73"


async def said_and_graded(of: MathTask, text: str) -> tuple[str, float | None] | None:
    first = next(of.problems())
    answer = await of.answer(Trajectory(first, (Step(text),), stop=StopReason.ANSWERED))
    return (answer.canonical, (await of.grade(first.id, answer.text)).correct) if answer is not None else None


@pytest.mark.parametrize("layout", ["gsm8k", "aime"])
async def test_where_keys_are_numbers_a_formula_is_its_value(tmp_path: Path, layout: str) -> None:
    read = task(tmp_path, {"question": "?", "problem": "?", "answer": "10"}, layout=layout)
    for text, found in {
        r"\boxed{10+5}": ("15", 0),
        r"\boxed{10 \cdot 3}": ("30", 0),
        r"\boxed{10!}": ("3628800", 0),
        r"\boxed{\binom52}": ("10", 1),
        r"\boxed{\sqrt{100}}": ("10", 1),
        r"\boxed{2^{3}+2}": ("10", 1),
        r"\boxed{10\text{ dollars}}": ("10", 1),
        r"\boxed{10 \text{ apples a day}}": ("10", 1),
        r"The answer is $10 a day.": ("10", 1),
        r"The answer is 5 * 2 = $10 a day": ("10", 1),
        r"\boxed{10 \text{ or } 6}": None,
        r"\boxed{\text{not } 10}": None,
        r"\boxed{10x}": None,
        "The answer is undefined, not 10.": None,
        "The answer is 10, since 4+4=8": ("10", 1),
        "The answer is:\n\n10 eggs": ("10", 1),
        "The answer is:\n\nFirst, 3 + 4 = 7, so it is 10": ("10", 1),
        r"So it is $\boxed 10$.": ("10", 1),
        r"So it is $\boxed\binom52$.": ("10", 1),
        "The answer is 10 or 20": None,
    }.items():
        assert await said_and_graded(read, text) == found, text


async def test_variables_keep_their_case(tmp_path: Path) -> None:
    read = task(tmp_path, {"problem": "The area of a ring?", "answer": r"\pi(R^2-r^2)"})
    assert await graded(read, r"\pi R^2 - \pi r^2", "0", r"\pi(r^2-R^2)") == [1, 0, 0]


async def test_a_vote_for_what_can_not_be_read_is_one_for_its_text(tmp_path: Path) -> None:
    read = task(tmp_path, DIAGONAL)
    forms = [
        await said(read, rf"\boxed{{{text}}}") for text in (r"\frac{dy}{dx}=2x", r"\frac{dy}{dx} = 2x", r"y'=2x")
    ]
    assert forms == [r"\frac{dy}{dx}=2x", r"\frac{dy}{dx}=2x", "y'=2x"]


@pytest.mark.parametrize(
    ("layout", "row", "message"),
    [
        ("gsm8k", {"problem": "x", "answer": "1"}, r"rows\.jsonl:1: no key 'question'; found answer, problem"),
        ("gsm8k", {"question": "x", "answer": "see above"}, r":1: answer: expected a number, .* got 'see above'"),
        ("gsm8k", {"question": "x", "answer": ["1"]}, r":1: answer must be text or a number"),
        ("math", {"problem": " ", "answer": "1"}, r":1: problem must be text and not empty"),
        ("math", {"problem": "x"}, r":1: no key 'answer' or 'solution'; found problem"),
        ("math", {"problem": "x", "solution": "so 4"}, r":1: solution: expected a last \\boxed{}, got 'so 4'"),
        ("math", {"problem": "x", "answer": ""}, r":1: answer: it is empty or too long"),
        ("math", {"problem": "x", "answer": True}, r":1: answer must be text or a number"),
        ("math", {"problem": "x", "answer": "1", "unique_id": 1.5}, r":1: unique_id must be text or a whole number"),
        ("math", "{", r":1: not JSON"),
        ("aime", {"Problem": "x", "Answer": 1000}, r":1: Answer: expected a whole number from 0 to 999, got '1000'"),
        ("aime", {"Problem": "x", "Answer": "1/2"}, r":1: Answer: expected a whole number"),
    ],
)
def test_errors_name_file_line_and_key(tmp_path: Path, layout: str, row: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(tmp_path, row, layout=layout)


def test_a_template_without_the_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"must contain \{question\}"):
        task(tmp_path, DIAGONAL, prompt="Answer.")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("branchwise.tasks.math.task.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'branchwise\[math\]'"):
        task(tmp_path, DIAGONAL)


async def test_a_formula_that_hangs_is_a_failure_and_no_zero(tmp_path: Path) -> None:
    read = task(tmp_path, DIAGONAL, seconds=0.5)
    grade = await read.grade(DIAGONAL["unique_id"], HANGING)  # type: ignore[arg-type]
    assert grade.correct is None
    assert grade.failure is not None
    assert grade.failure.boundary == "sandbox"
    assert "took longer than 0.5 s" in grade.failure.message
    assert await said(read, rf"\boxed{{{HANGING}}}") == "9^{9^{9^9}}"  # votes as its own text
    assert await graded(read, r"\sqrt{8}") == [1]


def answering(folder: Path, *answers: str, **options: Any) -> Any:
    """What a vote among these answers comes to, each drawn once."""
    texts = [rf"So it is \boxed{{{answer}}}." for answer in answers]
    workflow = {
        "version": 1,
        "models": {"m": {"kind": "scripted", "answers": texts}},
        "nodes": {
            "vote": {
                "kind": "search",
                "algorithm": {"kind": "best_of_n", "n": 24},
                "policy": {"kind": "solver", "model": "m"},
                "select": "majority",
            }
        },
    }
    (result,) = api.solve_batch_sync(task(folder, DIAGONAL, **options), workflow)
    return result


def test_spellings_vote_together_and_are_graded_alike(tmp_path: Path) -> None:
    result = answering(tmp_path, r"2\sqrt{2}", r"\sqrt{8}", r"\frac{4}{\sqrt{2}}", "3", "3.0")
    assert len(result.votes) == 2
    assert sum(count for _, count in result.votes) == 24
    assert result.grade.correct == float(result.votes[0][0] != "3")
    (record,) = result.record()
    tree = shown_tree("vote", record, Selected(), result.grade.canonical)
    right = {node.answer: node.correct for node in tree.nodes if node.answer}
    assert right == {r"2\sqrt{2}": True, r"\sqrt{8}": True, r"\frac{4}{\sqrt{2}}": True, "3": False, "3.0": False}


def test_a_run_says_that_an_answer_could_not_be_graded_and_remembers_it(tmp_path: Path) -> None:
    result = answering(tmp_path, HANGING, seconds=0.5)
    assert result.grade.correct is None
    assert [failure.boundary for failure in result.failures] == ["sandbox"]
    again = result_from(problem("x", result.problem_id), result_json(result))
    assert (again.grade, again.failures) == (result.grade, result.failures)


def test_a_task_of_coroutines_is_a_task(tmp_path: Path) -> None:
    assert session.as_task(task(tmp_path, DIAGONAL)).name == "rows"
