"""Log ratios at step ends: the paper's vector, tokens across a border, floors, and what does not fit together."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
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
    with pytest.raises(ValueError, match="don't spell"):
        span_of(["Q", "\ufffd", "\ufffd"], ["😀"])


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
    span = span_of(tokens, steps)
    assert span.ends[-1] == len(tokens) - span.first
    assert list(span.ends) == sorted(span.ends)


@given(st.lists(st.text()), st.lists(st.text()))
def test_hostile_tokens_fit_or_are_refused(tokens: list[str], steps: list[str]) -> None:
    try:
        span = span_of(tokens, steps)
    except ValueError:
        return
    assert 0 <= span.first <= len(tokens)
