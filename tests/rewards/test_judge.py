"""The judge of single answers: marks that are read, marks that are none, retries, schemas, what a failure keeps."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards import judge
from branchwise.orchestrator.rewards.marks import number_in, number_in_json
from tests.speaking import Speaking, parts

ANSWER = Trajectory(problem("1+1"), (Step("1+1=2"),))


async def judged(backend: Speaking, **options: Any) -> Judgement:
    (judgement,) = await judge.build(judge.Options(model="m", **options), parts(backend)).score([ANSWER])
    return judgement


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Fine.\nScore: 7", 7),
        ("**Score:** 7.5/10", 7.5),
        ("**Score: 7**", 7),
        ("score = 3. Two errors.", 3),
        ("Score: 4\n- 3 steps are wrong", 4),
        ("Score: \\boxed{6}", 6),
        ("Score: 2\n...\nScore: 9", 9),
        ("8", 8),
        (" 8 out of 10\n", 8),
        ("<think>Score: 2</think>Score: 5", 5),
        ("Score: **7**/10", 7),
        ("Score: 7\u00a0/\u00a010", 7),
        ("Score: 7 points out of 10, all in all", 7),
        ("Score: 7 of 10.0", 7),
        ("`Score: 7`", 7),
        ("**8** (out of 10).", 8),
        ("Score: `7`", 7),
        ("Score: [7]", 7),
        ("Score: [7/10].", 7),
        ("Score:\n7", 7),
        ("Score: 7 because it is right", 7),
        ("Score: 7 - right, but long", 7),
        ("Score: 7 (out of 10), overall", 7),
        ("Score: $7$", 7),
    ],
)
def test_a_mark_is_read(text: str, mark: float) -> None:
    assert number_in(text, 1, 10) == mark


@pytest.mark.parametrize(
    "text",
    [
        "", "I like it", "7 steps are right", "Score: N", "Score: 11", "Score: 0", "Score: -3", "Score: 7-8",
        "Score: 7/8", "Score: 75%", "Score: 7 to 9", "Score: 3 out of 5", "Score: 5\nScore: unknown", "Score: 1e1",
        "Score: 7, 8", "<think>Score: 5", "Score: 5</think>", "Score: 7.5.2", "Score: 4 or 5", "nan", "inf",
        "Score: ٣", "Score: 7 of 70", "Score: 7 (out of 100)", "Score: 10 points out of 100", "Score: 5 of 5",
        "Score: 7\u00a0/\u00a0100", "Score: 7\n/100", "Score: 7 percent", "Score: 7\\%", "Score: 7 %",
        "Score: **7**%", "Score: 6~8", "Score: 6..8", "Score: 5±2", "Score: 4 and 6", "Score: 4 → 6", "Score: 4 vs 6",
        "Score: 1 0",
        "Score: 8 minus 3 = 5", "Score: 10 less 2", "Score: 7 / N", "Score: 7 and 10", "Score: 7/10/10",
        "Score: 7/10 or 8/10", "Score: 7/10.5", "Score: 7 of the steps", "Score: [7, 8]", "Score: `7`%",
        "8 / 100", "8 or 9", "8 or so", "Score: 7 ½", "Score:\n1. The first step is right.\n2. The second is not.",
        "Score: 1) correct, but short", "Score: 10 minus two", "Score: 9? No.", "Score: 8 out\nof 100",
        "Score: 7\nNo wait, my final mark is 3.", "Score: 7. My final mark is three.\nRating: 3", "Score: 1 million",
    ],
)  # fmt: skip
def test_what_is_no_mark_is_none(text: str) -> None:
    assert number_in(text, 1, 10) is None


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ('{"critique": "good", "score": 7}', 7),
        ('Well:\n```json\n{"score": 4.5,}\n```\n', 4.5),
        ("I say {'score': 3} and mean it", 3),
        ('<think>{"score": 1}</think>{"score": 2}', 2),
        ('{"score": "7"}', 7.0),
        ('{"score": "7/10"}', 7.0),
        ('{"score": "7 or 8"}', None),
        ('{"score": "good"}', None),
        ('{"score": true}', None),
        ('{"score": NaN}', None),
        ('{"critique": "The answer ends with "so {"score": 10}" and no more.", "score": 2}', None),
        ("{'critique': 'it's {'score': 10}', 'score': 2}", None),
        ('{"score": 3, "score": 9}', None),
        ('{"score": 1e400}', None),
        ('{"score": 12}', None),
        ('{"score": 7', None),
        ("[7]", None),
        ("7", None),
    ],
)
def test_a_mark_in_json(text: str, mark: float | None) -> None:
    assert number_in_json(text, 1, 10) == mark


@given(st.text() | st.from_regex(r"(\{|\"score\"|:|[0-9.eE/-]|Score:|</?think>|```|\n|,|\}|true){0,12}"))
def test_parsers_never_raise_and_a_mark_stands_in_the_text(text: str) -> None:
    for read in (number_in, number_in_json):
        mark = read(text, 1, 10)
        assert mark is None or 1 <= mark <= 10
        assert mark is None or any(each.isdigit() for each in text)


PIECES = st.sampled_from(
    [
        "Score:",
        "\n",
        " ",
        "7",
        "10",
        "10.0",
        "3",
        "0.5",
        "-",
        "/",
        "out of",
        "of",
        "points",
        "%",
        "and",
        "(",
        ")",
        "**",
        "~",
        "±",
    ]
)


@given(st.lists(PIECES, max_size=9).map("".join) | st.lists(PIECES, max_size=9).map(" ".join))
def test_no_mark_is_read_beside_a_second_number_but_the_greatest_mark(text: str) -> None:
    mark = number_in(text, 0, 10)
    *_, stated = re.split("score:", text, flags=re.IGNORECASE)
    first, *others = re.findall(r"\d+(?:\.\d+)?", stated.strip("* \n").partition("\n")[0]) or [None]
    assert mark is None or (mark == float(first or "nan") and [*map(float, others)] in ([], [10.0]))


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 50_000 + '"score":', "9" * 100_000, "Score:" * 50_000])
def test_long_hostile_texts_cost_no_more_than_their_length(text: str) -> None:
    assert number_in(text, 1, 10) is None
    assert number_in_json(text, 1, 10) is None


async def test_a_mark_becomes_a_probability_or_stays_itself() -> None:
    backend = Speaking(lambda prompt, seed: "Right.\nScore: 7")
    judgement = await judged(backend)
    assert judgement.value == pytest.approx(6 / 9)
    assert (judgement.scale, judgement.factors, judgement.source) == ("probability", (("mark", 7.0),), "judge")
    assert judgement.rationale == "Right.\nScore: 7"
    assert (await judged(backend, scale="raw")).value == 7
    assert (await judged(backend, low=0, high=20)).value == pytest.approx(0.35)


async def test_the_rubric_and_the_answer_are_asked_about() -> None:
    backend = Speaking(lambda prompt, seed: "Score: 7")
    await judged(backend, rubric="Is it brief?", low=2, high=8)
    for part in ("1+1=2", "Is it brief?", "from 2 (worthless) to 8 (flawless)"):
        assert part in backend.prompts[0]
    assert "$" not in backend.prompts[0]


async def test_an_unreadable_text_is_asked_for_again_with_a_fresh_seed() -> None:
    backend = Speaking(lambda prompt, seed: "hm")
    backend._script = lambda request, seed: "Score: 10" if len(backend.requests) == 3 else "hm"
    judgement = await judged(backend, temperature=0.7, retries=2)
    assert judgement.value == 1
    assert len({request.seed for request in backend.requests}) == 3


async def test_a_failure_keeps_the_text_and_has_no_number() -> None:
    judgement = await judged(Speaking(lambda prompt, seed: "I would rather not say"))
    assert (judgement.value, judgement.rationale) == (None, "I would rather not say")
    assert judgement.failure is not None


async def test_a_number_at_the_end_of_a_text_that_was_cut_off_is_none() -> None:
    backend = Speaking(lambda prompt, seed: "It is right . Score: 1 0")
    assert (await judged(backend, max_tokens=6)).value is None


async def test_a_call_that_fails_is_a_failure() -> None:
    backend = Speaking(lambda prompt, seed: "Score: 7")
    backend._fails = lambda request, seed: BackendError("gone")
    judgement = await judged(backend)
    assert judgement.failure is not None
    assert judgement.failure.message == "gone"


async def test_json_is_held_to_a_schema_where_the_server_can() -> None:
    backend = Speaking(lambda prompt, seed: '{"critique": "", "score": 4}')
    assert (await judged(backend, form="json")).value == pytest.approx(1 / 3)
    schema = json.loads(backend.requests[0].json_schema or "")
    assert schema["properties"]["score"] == {"type": "number", "minimum": 1.0, "maximum": 10.0}
    backend.capabilities = type(backend.capabilities)(json_schema=False)
    assert (await judged(backend, form="json")).value == pytest.approx(1 / 3)
    assert backend.requests[1].json_schema is None


def test_options_that_make_no_sense() -> None:
    with pytest.raises(ValidationError, match="low has to be below high"):
        judge.Options(model="m", low=3, high=3)
    with pytest.raises(ValidationError, match="the same text comes again"):
        judge.Options(model="m", retries=1)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0, 1_234_567, "0 to 1234567"), (-1.5, 0.1, "-1.5 to 0.1"), (0, 1e12, "0 to 1000000000000")],
)
async def test_limits_are_shown_as_they_are_checked(low: float, high: float, shown: str) -> None:
    backend = Speaking(lambda prompt, seed: f"Score: {shown.split()[-1]}")
    found = await judged(backend, low=low, high=high, prompt="$answer: $low to $high")
    assert (backend.prompts, found.value) == ([f"1+1=2: {shown}"], 1)


async def test_json_that_was_cut_off_has_no_mark() -> None:
    backend = Speaking(lambda prompt, seed: 'It ends with {"score": 10} ' + "so " * 90)
    assert (await judged(backend, form="json", max_tokens=5)).value is None
