"""Log ratios at step ends: the paper's vector, tokens across a border, floors, and what does not fit together."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from branchwise.orchestrator.core.request import TokenLogprob
from branchwise.orchestrator.rewards.log_ratios import Span, cumulative, span_of, step_rewards

MODEL = (-0.5, -1.0, -0.2, -0.7)
REFERENCE = (-0.9, -1.2, -0.5, -0.3)


def said(tokens: list[str], logprobs: tuple[float, ...]) -> list[TokenLogprob]:
    return [TokenLogprob(*pair) for pair in zip(tokens, logprobs, strict=True)]


def test_the_vector_of_the_paper() -> None:
    tokens = ["ab", "c\n", "de", "f"]
    q = cumulative(said(tokens, MODEL), said(tokens, REFERENCE), ["abc\n", "def"], 0.05)
    assert q == pytest.approx([0.030, 0.025])
    r = step_rewards(q)
    assert r == pytest.approx([0.030, -0.005])
    assert sum(r) == pytest.approx(q[-1])
    assert min(r) == pytest.approx(-0.005)


def test_equal_models_give_nothing() -> None:
    tokens = ["ab", "c\n", "de", "f"]
    assert cumulative(said(tokens, MODEL), said(tokens, MODEL), ["abc\n", "def"], 0.05) == [0.0, 0.0]


def test_the_prompt_is_masked() -> None:
    tokens = ["Q:", " ?", "\n", "ab", "c\n", "de", "f", "<end>"]
    noise = (-9.0, -9.0, -9.0, *MODEL, -9.0)
    quiet = (0.0, 0.0, 0.0, *REFERENCE, 0.0)
    assert cumulative(said(tokens, noise), said(tokens, quiet), ["abc\n", "def"], 0.05) == pytest.approx(
        [0.030, 0.025]
    )


def test_a_token_across_a_border_belongs_to_the_earlier_step() -> None:
    assert span_of(["P", "a", "b\nc", "d"], ["ab\n", "cd"]) == Span(1, (2, 3))
    assert span_of(["P", "ab\ncd"], ["ab\n", "cd"]) == Span(1, (1, 1))


def test_a_token_across_the_prompt_is_the_prompts() -> None:
    assert span_of(["P\na", "b", "c"], ["abc"]) == Span(1, (2,))


def test_the_solution_is_where_it_stands_last() -> None:
    assert span_of(["yes", "?", "yes", "."], ["yes"]) == Span(2, (1,))


def test_a_character_spread_over_several_tokens_is_looked_past() -> None:
    tokens = ["Q", "\n", "so ", "\ufffd", "\ufffd", "\n", "ok", "<end>"]
    assert span_of(tokens, ["so 😀\n", "ok"]) == Span(2, (4, 5))
    assert span_of(["Q", "\ufffd", "\ufffd"], ["😀"]) == Span(1, (2,))


def test_tokens_of_spread_characters_belong_to_the_step_that_they_are_in() -> None:
    tokens = ["é", "\n", "", "ok", "\n", "\ufffd", "\ufffd", "ö", "<end>"]
    assert span_of(tokens, ["ok\n", "😀ö"]) == Span(2, (3, 6))
    assert span_of([*tokens[:-1], "\n", "x"], ["ok\n", "😀ö\n", "x"]) == Span(2, (3, 7, 8))


@pytest.mark.parametrize(
    ("tokens", "steps"),
    [
        (["Q", "é", "\n", "A"], ["😀"]),  # every character is spelled, and none is the solution's
        (["Q", "\n", "\ufffd", "\ufffd", "é", "5"], ["😀", "é5"]),  # which of the parts end the first step?
    ],
)
def test_where_spread_characters_leave_it_open_it_is_a_failure(tokens: list[str], steps: list[str]) -> None:
    with pytest.raises(ValueError, match="don't spell the solution"):
        span_of(tokens, steps)


@pytest.mark.parametrize(
    ("tokens", "steps", "span"),
    [
        (["Q", "\n", "a", "."], ["a.\n\n"], Span(2, (2,))),
        (["Q", "\n", "a", ".\n\n", "b"], ["a.\n\n", "b\n\n"], Span(2, (2, 3))),
        (["Q", "\n", "a", ".", "\n\nb"], ["a.\n\n", "b\n\n"], Span(2, (3, 3))),
        (["Q", "\n", "a", ".", "<|eot|>"], ["a.\n\n"], Span(2, (2,))),
        (["Q", "\n", "a", ".\n", "<|im_end|>", "\n"], ["a.\n\n"], Span(2, (2,))),
        (["Q", "\n", "a", ".", "\n\n<|eot|>"], ["a.\n\n"], Span(2, (3,))),  # merged: the step's, as it begins in it
        (["Q", "\n", "a", "\n", "b", "<e>"], ["a\n", "b\n", "\n"], Span(2, (2, 3, 3))),
        (["Q", "\n", "a", "\n\n\n", "<e>"], ["a\n", "\n\n"], Span(2, (2, 2))),
        (["Q", "\n", "a", " b", "<e>"], ["\n", " a", " b "], Span(2, (0, 1, 2))),
        (["Q", "\n", " ", "a"], [" ", "a"], Span(2, (1, 2))),
        (["5\n\n", "is", "it", "?", "5"], ["5\n\n"], Span(4, (1,))),  # not the one in the prompt
        (["Q", "\n", "\ufffd", "\ufffd", "a", "<e>"], ["😀a\n"], Span(2, (3,))),
    ],
)
def test_white_space_around_the_solution_counts_as_far_as_the_template_left_it(
    tokens: list[str], steps: list[str], span: Span
) -> None:
    assert span_of(tokens, steps) == span


def test_an_answer_that_a_mark_of_the_template_spells_is_not_the_mark() -> None:
    """Command's templates end a turn with one token of many capitals."""
    assert span_of(["A", " or", " E", "?\n", "E", "<|END_OF_TURN_TOKEN|>"], ["E"]) == Span(4, (1,))
    assert span_of(["2", " >", " 1", "?\n", ">", "<|im_end|>"], [">"]) == Span(4, (1,))
    assert span_of(["?\n", "end", "<|im_end|>", "<|im_end|>"], ["end\n"]) == Span(1, (1,))


@pytest.mark.parametrize("steps", [["\n"], [" ", "\n"], [""], []])
def test_nothing_but_white_space_is_no_solution(steps: list[str]) -> None:
    with pytest.raises(ValueError, match="don't spell"):
        span_of(["Q", "\n", " ", "\n"], steps)


def test_a_solution_without_a_token_of_its_own_is_a_failure_and_no_zero() -> None:
    with pytest.raises(ValueError, match="no token of its own"):
        span_of(["Q", ":", " 5"], ["5"])
    with pytest.raises(ValueError, match="don't spell"):
        span_of(["Q", ": ", "answer 5"], ["5"])


def test_what_the_reference_finds_impossible_is_floored() -> None:
    (q,) = cumulative(said(["ab"], (-1.0,)), said(["ab"], (-math.inf,)), ["ab"], 1.0)
    assert q == 99.0


@pytest.mark.parametrize(
    ("model", "reference", "message"),
    [(["ab", "c"], ["a", "bc"], "same tokenizer"), (["ab", "d"], ["ab", "d"], "don't spell")],
)
def test_tokens_have_to_be_the_same_and_the_solutions(model: list[str], reference: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cumulative(said(model, (0.0, 0.0)), said(reference, (0.0, 0.0)), ["abc"], 1.0)


@given(st.text(min_size=1, max_size=30), st.lists(st.integers(0, 30)), st.lists(st.integers(0, 30)))
def test_every_token_of_the_solution_belongs_to_one_step(text: str, cuts: list[int], borders: list[int]) -> None:
    tokens = ["Q\x00", *(text[a:b] for a, b in pairwise(sorted({0, len(text), *(c for c in cuts if c < len(text))})))]
    steps = [text[a:b] for a, b in pairwise(sorted({0, len(text), *(c for c in borders if c < len(text))}))]
    assume(text.strip())
    span = span_of(tokens, steps)
    assert span.ends[-1] == len(tokens) - span.first
    assert list(span.ends) == sorted(span.ends)


@given(
    st.text(min_size=1, max_size=20), st.lists(st.integers(0, 20), max_size=4), st.lists(st.text(" \n", max_size=3))
)
def test_a_template_that_trims_changes_the_outer_white_space_only(
    text: str, borders: list[int], spaces: list[str]
) -> None:
    """Tokens are characters: a step's are those of it that the trimmed text still has."""
    cuts = sorted({0, len(text), *(border for border in borders if border < len(text))})
    steps = [*spaces, *(text[a:b] for a, b in pairwise(cuts)), *spaces]
    solution = "".join(steps)
    assume(solution.strip() and solution.strip() != "<e>")
    span = span_of(["Q", "\x00", *solution.strip(), "<e>"], steps)
    lead = len(solution) - len(solution.lstrip())
    reached = (len("".join(steps[: k + 1])) - lead for k in range(len(steps)))
    assert span == Span(2, tuple(min(max(count, 0), len(solution.strip())) for count in reached))


@given(st.lists(st.text()), st.lists(st.text()))
def test_hostile_tokens_fit_or_are_refused(tokens: list[str], steps: list[str]) -> None:
    try:
        span = span_of(tokens, steps)
    except ValueError:
        return
    assert 0 <= span.first <= len(tokens)
