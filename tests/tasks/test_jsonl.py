"""Tasks from JSON Lines files."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks.jsonl import Options, build
from branchwise.tasks.jsonl.task import JsonlTask

GSM8K = {"question": "Two hens lay 3 eggs each. How many?", "answer": "2 * 3 = <<2*3=6>>6 eggs\n#### 6"}
OWN = {"id": "own-1", "prompt": "What is half of one?", "answer": "1/2"}
SOLVED = {"id": "s-1", "question": "1 + 1?", "solution": "1 + 1 = 2\n#### 2", "answer": "2"}


def task(tmp_path: Path, *rows: Any, **options: Any) -> JsonlTask:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return build(Options(path=path, **options))


def said(of: JsonlTask, text: str, stop: StopReason = StopReason.ANSWERED) -> str | None:
    answer = of.answer(Trajectory(next(of.problems()), (Step(text),), stop=stop))
    return answer.canonical if answer is not None else None


def test_three_layouts(tmp_path: Path) -> None:
    read = task(tmp_path, OWN, "", GSM8K, SOLVED)
    assert read.name == "rows"
    assert [each.id for each in read.problems()] == ["own-1", "rows-3", "s-1"]
    assert [each.text for each in read.problems()] == [OWN["prompt"], GSM8K["question"], SOLVED["question"]]
    assert read.grade("rows-3", "6.0").correct == 1
    assert read.grade("rows-3", "6.0").expected == "6"
    assert read.grade("own-1", "0.5").correct == 1
    assert read.grade("s-1", "3").correct == 0
    assert read.grade("s-1", None).correct == 0
    assert all("answer" not in repr(each) for each in read.problems())


def test_the_prompt_is_a_template(tmp_path: Path) -> None:
    row = {"prompt": "what is {x} of {question}?", "answer": 3}
    read = task(tmp_path, row, prompt="Q: {question}\nSay {it}.")
    assert next(read.problems()).text == "Q: what is {x} of {question}?\nSay {it}."
    with pytest.raises(ValidationError, match=r"must contain \{question\}"):
        Options(path=tmp_path, prompt="no place")


def test_rows_without_an_answer_are_not_graded(tmp_path: Path) -> None:
    read = task(tmp_path, {"prompt": "a", "answer": None}, {"prompt": "b"}, {"prompt": "c", "answer": 0})
    assert [read.grade(each.id, "1").correct for each in read.problems()] == [None, None, 0]


def test_numbers_are_read_out_of_what_is_stated(tmp_path: Path) -> None:
    read = task(tmp_path, OWN)
    assert said(read, "The answer is $18 a day.") == "18"
    assert said(read, "so that makes 12") == "12"
    assert said(read, "so that makes 12", StopReason.MAX_TOKENS) is None
    assert said(read, r"\boxed{12} and", StopReason.MAX_TOKENS) == "12"
    assert said(read, "none") is None


def test_other_answers_are_what_is_stated(tmp_path: Path) -> None:
    read = task(tmp_path, OWN, {"prompt": "Capital of France?", "answer": "Paris"})
    assert said(read, "The answer is Paris.") == "paris"
    assert said(read, "Paris 12") is None
    assert read.grade("rows-2", "the PARIS").correct == 1


def test_without_keys_the_text_is_the_answer(tmp_path: Path) -> None:
    read = task(tmp_path, {"prompt": "Write a poem."})
    assert said(read, " Roses  are red. ") == "roses are red"
    assert said(read, "long " * 1000) == " ".join(["long"] * 1000)
    assert said(read, " \n") is None
    assert said(task(tmp_path, {"prompt": "2+2?"}, answers="number"), "it is 4") == "4"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["{"], r"rows\.jsonl:1: not JSON"),
        ([OWN, "", "{'prompt': 'x'}"], r"rows\.jsonl:3: not JSON"),
        ([OWN, "[1]"], r":2: a row is a JSON object, this is list"),
        (["[" * 100_000], r":1: not JSON"),
        (['{"prompt": "x", "answer": NaN}'], r":1: not JSON: NaN is not a JSON value"),
        (['{"prompt": "x", "answer": ' + "9" * 5000 + "}"], r":1: not JSON"),
        ([{"id": "a", "text": "x"}], r":1: no key 'prompt' or 'question'; found id, text"),
        ([{}], r":1: no key 'prompt' or 'question'; found none"),
        ([{"prompt": " "}], r":1: the question must be text and not empty"),
        ([{"question": ["x"]}], r":1: the question must be text"),
        ([OWN, SOLVED, OWN], r":3: id 'own-1' is also that of line 1"),
        ([{"id": "rows-2", "prompt": "x"}, {"prompt": "y"}], r":2: id 'rows-2' is also that of line 1"),
        ([{"id": None, "prompt": "x"}], r":1: id must be text"),
        ([{"id": "", "prompt": "x"}], r":1: id must be text"),
        ([{"prompt": "x", "answer": ""}], r":1: the answer is empty"),
        ([{"prompt": "x", "answer": "see above ####"}], r":1: the answer is empty"),
        ([{"prompt": "x", "answer": [1]}], r":1: answer must be text or a number"),
        ([{"prompt": "x", "answer": True}], r":1: answer must be text or a number"),
        ([], r"rows\.jsonl: the file has no rows"),
        (["", " "], r"rows\.jsonl: the file has no rows"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task(tmp_path, *rows)


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ConfigError, match="can't be read"):
            build(Options(path=path))
    (tmp_path / "latin.jsonl").write_bytes(b'{"prompt": "caf\xe9"}')
    with pytest.raises(ConfigError, match="can't be read"):
        build(Options(path=tmp_path / "latin.jsonl"))


def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "windows.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(OWN).encode() + b"\r\n" + '{"prompt": "a\u2028b"}'.encode() + b"\r\n"
    )
    assert [each.id for each in build(Options(path=path)).problems()] == ["own-1", "windows-2"]
