"""The chance of a label against another: the temperature's vectors, white space, and labels that are not listed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.labels import label_chance
from branchwise.orchestrator.core.request import Draw, TokenLogprob
from branchwise.orchestrator.core.usage import NOTHING


def draw(*top: tuple[str, float]) -> Draw:
    return Draw("", "length", NOTHING, logprobs=(TokenLogprob(*top[0], top=top),))


@pytest.mark.parametrize(("temperature", "chance"), [(1.0, 0.8176), (0.5, 0.9526), (2.0, 0.6792)])
def test_a_decision_has_a_temperature(temperature: float, chance: float) -> None:
    found = label_chance(draw(("yes", -0.2), ("no", -1.7)), "yes", "no", temperature)
    assert found == pytest.approx(chance, abs=5e-5)


def test_white_space_aside_the_spellings_of_a_label_add_up() -> None:
    spelled = draw((" A", math.log(0.3)), ("A", math.log(0.3)), ("B", math.log(0.2)))
    assert label_chance(spelled, "A", "B") == pytest.approx(0.75)


def test_case_tells_labels_apart_unless_it_is_not_to() -> None:
    said = draw((" Yes", math.log(0.4)), ("yes", math.log(0.2)), ("No", math.log(0.2)))
    assert label_chance(said, "yes", "no") is None
    assert label_chance(said, "yes", "no", any_case=True) == pytest.approx(0.75)


def test_a_label_not_listed_is_as_likely_as_the_least_likely_one() -> None:
    assert label_chance(draw(("A", math.log(0.6)), ("C", math.log(0.2))), "A", "B") == pytest.approx(0.75)
    assert label_chance(draw(("A", math.log(0.6)), ("C", math.log(0.3))), "A", "B") == pytest.approx(6 / 7)
    assert label_chance(draw(("A", math.log(0.9))), "A", "B") == pytest.approx(0.9)
    assert label_chance(draw(("B", math.log(0.9))), "A", "B") == pytest.approx(0.1)
    assert label_chance(draw(("A", 0.0)), "A", "B") == 1


def test_a_label_no_likelier_than_what_is_not_listed_decides_nothing() -> None:
    others = [(f"w{k}", math.log(0.02 / 18)) for k in range(18)]
    assert label_chance(draw(("Let", math.log(0.97)), *others, (" no", -9.0)), "yes", "no") is None
    assert label_chance(draw(("maybe", math.log(0.905)), ("yes", math.log(0.05))), "yes", "no") is None
    assert label_chance(draw(("A", math.log(0.74))), "A", "B") is None
    assert label_chance(draw(("A", math.log(0.76))), "A", "B") == pytest.approx(0.76)
    assert label_chance(draw(("Let", math.log(0.97)), ("no", -9.0), ("yes", -9.0)), "yes", "no") == pytest.approx(0.5)


WEIGHTS = st.floats(1e-6, 1)


@given(st.fixed_dictionaries(dict.fromkeys(("A", " A", "\tA", "B", " B", "x", "y"), WEIGHTS)), st.integers(1, 7))
def test_what_is_told_is_at_most_a_quarter_off_what_all_tokens_would_tell(weights: dict[str, float], n: int) -> None:
    total = math.fsum(weights.values())
    listed = sorted(((token, math.log(w / total)) for token, w in weights.items()), key=lambda one: -one[1])[:n]
    told = label_chance(draw(*listed), "A", "B")
    one, other = (sum(w for token, w in weights.items() if token.strip() == label) for label in "AB")
    missing = {token.strip() for token in weights} - {token.strip() for token, _ in listed}
    if told is not None and missing & {"A", "B"}:
        assert abs(told - one / (one + other)) <= 0.25 + 1e-9


def test_numbers_that_are_none_are_no_chances() -> None:
    assert label_chance(draw(("A", -math.inf), ("B", -math.inf)), "A", "B") is None
    assert label_chance(draw(("A", -1e6), ("B", -1e6 - 1)), "A", "B") == pytest.approx(1 / (1 + math.exp(-1)))


def test_without_any_label_there_is_no_chance() -> None:
    assert label_chance(draw(("C", -0.1)), "A", "B") is None
    assert label_chance(Draw("A", "length", NOTHING), "A", "B") is None


@given(
    st.lists(st.tuples(st.sampled_from(["A", " A", "B", "x"]), st.floats(-1e4, 0)), min_size=1), st.floats(0.01, 100)
)
def test_it_is_a_probability_and_the_other_label_has_the_rest(
    top: list[tuple[str, float]], temperature: float
) -> None:
    one, other = (label_chance(draw(*top), *labels, temperature) for labels in (("A", "B"), ("B", "A")))
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one + other == pytest.approx(1)


def test_pieces_of_a_longer_label_add_up_and_common_beginnings_tell_nothing() -> None:
    said = draw((" cor", math.log(0.3)), (" correct", math.log(0.3)), ("inc", math.log(0.2)), ("", math.log(0.1)))
    assert label_chance(said, "correct", "incorrect") == pytest.approx(0.75)
    assert label_chance(draw(("in", math.log(0.9))), "incorrect", "inconclusive") is None
    assert label_chance(draw(("1", math.log(0.6)), ("10", math.log(0.3))), "1", "10") == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.text(max_size=3), st.floats()), min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_hostile_alternatives_give_a_probability_or_nothing(
    top: list[tuple[str, float]], one: str, other: str
) -> None:
    found = label_chance(draw(*top), one, other)
    assert found is None or 0 <= found <= 1
