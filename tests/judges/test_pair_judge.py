"""The generative judge of pairs: RM-R1's and Think-RM's ends, majorities, both orders, and what is no preference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.roles import Pair
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.judges import pair_judge
from branchwise.orchestrator.judges.orders import same_verdict
from branchwise.orchestrator.judges.preferences import lettered, majority, signed, strength, tagged
from tests.laws.toy import ROOT
from tests.speaking import Speaking, parts

PAIR = Pair(Candidate(ROOT.extend((Step("good"),), 0)), Candidate(ROOT.extend((Step("bad"),), 1)))


async def compared(backend: Speaking, **options: Any) -> Judgement:
    judge = pair_judge.build(pair_judge.Options(model="m", **options), parts(backend))
    (judgement,) = await judge.compare([PAIR])
    return judgement


def liking(text: str, form: str = "<answer>[[{}]]</answer>") -> Speaking:
    def says(prompt: str, seed: int) -> str:
        return form.format("A" if prompt.partition("Answer A:\n")[2].startswith(text) else "B")

    return Speaking(says)


@pytest.mark.parametrize(
    ("text", "preference"),
    [
        ("... <answer>[[A]]</answer>", 1),
        ("[[A]]" + "." * 80 + "[[B]]", 0),
        ("[[A]] or rather [[B]]", None),
        ("[[A]]" + "." * 76, None),
        ("[[A]]" + "." * 75, 1),
        ("[[C]] A", None),
        ("It is certainly not [[A]].", None),
        ("So it isn't <answer>[[A]]</answer>", None),
        ("The other is better than answer [[B]]", None),
        ("Not bad at all, so <answer>[[A]]</answer>", 1),
        ("<think>surely [[A]]", None),
        ("<think>hm</think>[[A]]", 1),
        ("<think>so it is [[B]]</think>\n[[A]]", 1),
        ("<think>so it is [[B]]</think>\nBoth are fine.", None),
        ("", None),
    ],
)
def test_rm_r1_looks_at_the_last_80_characters(text: str, preference: float | None) -> None:
    assert tagged(text) == preference


MINUSES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<answer>-3</answer>", -3),
        ("<answer>3</answer>", 3),
        ("<answer>+2</answer>", 2),
        ("<answer>1</answer> no: <answer>first -2, now -1</answer>", -1),
        ("<answer>first 2, now -1</answer>", None),
        ("<answer>-2 (1 = slightly, 2 = clearly)</answer>", None),
        ("<answer>0</answer>", None),
        ("<answer>-4</answer>", None),
        ("<answer>13</answer>", None),
        ("<answer>-13</answer>", None),
        ("<answer>2.5</answer>", None),
        ("<answer>0.2</answer>", None),
        *((f"<answer>{minus}{gap}2</answer>", -2) for minus in MINUSES for gap in ("", " ", "\u00a0", "\n")),
        ("<answer>\\boxed{- 2}</answer>", -2),
        ("<answer>A: \u2013 2</answer>", -2),
        ("<answer>B - 2</answer>", None),
        ("<answer>1\u20132</answer>", None),
        ("<answer>-3 to -1</answer>", None),
        ("<answer>-2 of 3</answer>", None),
        ("<answer>minus 2</answer>", None),
        ("<answer>-**2**</answer>", None),
        ("<answer>2, no: 0</answer>", None),
        ("<answer>not -2</answer>", None),
        ("<answer>Answer 1 is better</answer>", None),
        ("<answer>A is better: 2</answer>", None),
        ("<answer>B: 2</answer>", 2),
        ("<answer>2", None),
        ("<answer>-2</answer> or <answer>", None),
        ("2", None),
    ],
)
def test_think_rm_reads_the_last_strength_of_the_last_block(text: str, found: int | None) -> None:
    assert strength(text) == found
    assert signed(text) == (None if found is None else float(found < 0))


@pytest.mark.parametrize(
    ("text", "preference"),
    [
        ("<answer>A</answer>", 1),
        ("<answer>A</answer><answer>B</answer>", 0),
        ("<answer>B, B</answer>", 0),
        ("<answer>not A but B</answer>", None),
        ("<answer>A is better than B</answer>", None),
        ("<answer>[[A]]</answer>", 1),
        ("<answer>AB</answer>", None),
        ("<answer>A tie</answer>", None),
        ("<answer>A draw: both are equal</answer>", None),
        ("<answer>Not A</answer>", None),
        ("<answer>A is worse</answer>", None),
        ("<answer>A is not better</answer>", None),
        ("<answer>a</answer>", None),
        ("<answer>\n**Answer A**\n</answer>", 1),
        ("<answer>The response B is better.</answer>", 0),
        ("<answer>\\boxed{A}</answer>", 1),
        ("<answer></answer>", None),
        ("<think><answer>B</answer></think><answer>A</answer>", 1),
        ("<think><answer>B</answer>", None),
        ("A", None),
    ],
)
def test_think_rm_reads_the_letter_of_the_last_block(text: str, preference: float | None) -> None:
    assert lettered(text) == preference


FRAGMENTS = st.from_regex(r"(</?answer>|\[\[|\]\]|[AB]|-?[0-9]| |\.){0,14}")


@given(st.text() | FRAGMENTS)
def test_parsers_never_raise_and_invent_nothing(text: str) -> None:
    for read, letters in ((tagged, ("[[A]]", "[[B]]")), (lettered, ("A", "B"))):
        found = read(text)
        assert found in (None, 0.0, 1.0)
        assert found is None or letters[0 if found else 1] in text
    number = strength(text)
    assert number is None or (number in (-3, -2, -1, 1, 2, 3) and str(abs(number)) in text)


@given(st.sampled_from(MINUSES), st.text("*_ ${(\n\u200b\u00a0", max_size=6), st.integers(1, 3))
def test_a_minus_never_becomes_a_strength_for_the_other_answer(minus: str, between: str, size: int) -> None:
    assert strength(f"<answer>{minus}{between}{size}</answer>") in (-size, None)


@pytest.mark.parametrize("piece", ["-", "- ", "2 ", "-2", " ", "to "])
def test_a_long_block_costs_no_more_than_its_length(piece: str) -> None:
    strength(f"<answer>{piece * 100_000}</answer>")


def test_a_majority_of_what_can_be_read() -> None:
    assert majority([1, 0, None, 1]) == 1
    assert majority([1, 0, None, 0]) == 0
    assert majority([1, 0]) == 0.5
    assert majority([None, None]) is None
    assert majority([]) is None


@pytest.mark.parametrize(("likes", "chance"), [("good", 1), ("bad", 0)])
async def test_both_orders_have_to_agree(likes: str, chance: float) -> None:
    assert (await compared(liking(likes))).value == chance
    assert (await compared(Speaking(lambda prompt, seed: "[[A]]"))).value == 0.5
    assert (await compared(Speaking(lambda prompt, seed: "[[A]]"), swap=False)).value == 1


async def test_defaults_are_the_papers() -> None:
    backend = liking("good")
    await compared(backend)
    assert {(each.temperature, each.max_tokens) for each in backend.requests} == {(0.0, 8192)}
    assert len(backend.requests) == 2
    backend = liking("good", "<answer>{}</answer>")
    assert (await compared(backend, parsing="think_rm")).value == 1
    assert {(each.temperature, each.max_tokens) for each in backend.requests} == {(0.6, 16384)}
    assert len({(each.messages, each.seed) for each in backend.requests}) == 8
    signs = Speaking(
        lambda p, s: f"<answer>{-2 if p.partition('Answer A:')[2].strip().startswith('good') else 2}</answer>"
    )
    assert (await compared(signs, parsing="think_rm_signed")).value == 1


async def test_samples_that_are_lost_have_no_vote_and_without_any_it_is_a_failure() -> None:
    backend = liking("good")
    lost = iter([True, False] * 3)
    backend._fails = lambda request, seed: BackendError("gone") if next(lost) else None
    assert (await compared(backend, samples=3, temperature=0.5)).value == 1
    silent = await compared(Speaking(lambda prompt, seed: "Both are fine."))
    assert (silent.value, silent.rationale) == (None, "Both are fine.")


def test_samples_that_are_all_the_same() -> None:
    with pytest.raises(ValidationError, match="all the same"):
        pair_judge.Options(model="m", samples=3)


async def test_one_order_and_a_tie_in_the_other_do_not_agree() -> None:
    def says(prompt: str, seed: int) -> str:
        first = prompt.partition("Answer A:\n")[2].startswith("good")
        return f"<answer>{'A' if first or seed % 2 else 'B'}</answer>"

    seeds = Speaking(says)
    judge = pair_judge.build(pair_judge.Options(model="m", parsing="think_rm", samples=2), parts(seeds))
    found = {(await judge.compare([Pair(PAIR.first, Candidate(ROOT.extend((Step(f"bad {k}"),), 1)))]))[0].value
             for k in range(12)}  # fmt: skip
    assert found == {0.5, 1}
    assert same_verdict(1, 0.5) == same_verdict(0.5, 0) == same_verdict(1, 1) == 0.5
    assert (same_verdict(1, 0), same_verdict(0, 1), same_verdict(0)) == (1, 0, 0)


async def test_a_sample_that_was_cut_off_has_no_vote() -> None:
    cut = await compared(Speaking(lambda prompt, seed: "[[A]] " + "so " * 90), max_tokens=1)
    assert (cut.value, cut.rationale) == (None, "[[A]]")
