"""A baseline at given tokens: the two nearest sizes, and how many problems get which."""

import pytest

from branchwise.orchestrator.evaluation.matching import Matched, Size, matched

SIZES = [Size("eight", 400.0), Size("four", 200.0), Size("six", 290.0)]


@pytest.mark.parametrize(
    ("tokens", "smaller", "greater", "share"),
    [(200, "four", "six", 0.0), (245, "four", "six", 0.5), (290, "six", "eight", 0.0), (389, "six", "eight", 0.9)],
)
def test_between_two_sizes_the_mean_is_what_is_wanted(
    tokens: float, smaller: str, greater: str, share: float
) -> None:
    found, by_name = matched(SIZES, tokens), {size.name: size.tokens for size in SIZES}
    assert (found.smaller, found.greater, found.share) == (smaller, greater, pytest.approx(share))
    assert (1 - share) * by_name[smaller] + share * by_name[greater] == pytest.approx(tokens)


@pytest.mark.parametrize(("tokens", "nearest"), [(100, "four"), (400, "eight"), (500, "eight")])
def test_outside_its_sizes_the_nearest_one_stands(tokens: float, nearest: str) -> None:
    assert matched(SIZES, tokens) == Matched(nearest, nearest, 0.0)


def test_equal_sizes_and_none() -> None:
    assert matched([Size("a", 5.0), Size("b", 5.0)], 5.0).share == 0
    with pytest.raises(ValueError, match="no size"):
        matched([], 1.0)
