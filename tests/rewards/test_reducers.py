"""Reducers of step scores."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.rewards.reducers import REDUCERS, RawReducer, Reducer, reduced

KINDS: list[RawReducer] = list(REDUCERS)
OF_PROBABILITIES: tuple[Reducer, ...] = get_args(Reducer)


@pytest.mark.parametrize("reducer", KINDS)
def test_one_score_is_its_own_reduction(reducer: RawReducer) -> None:
    assert reduced(reducer, [0.25]) == 0.25


@pytest.mark.parametrize("reducer", KINDS)
def test_nothing_can_not_be_reduced(reducer: RawReducer) -> None:
    with pytest.raises(ValueError, match="no step scores"):
        reduced(reducer, [])


@pytest.mark.parametrize("reducer", KINDS)
def test_nan_is_never_lost(reducer: RawReducer) -> None:
    for scores in ([math.nan, 0.5], [0.5, math.nan], [0.5, math.nan, 0.1]):
        assert math.isnan(reduced(reducer, scores))


@given(st.lists(st.floats(0, 1), min_size=1))
def test_probabilities_stay_probabilities(scores: list[float]) -> None:
    values = {reducer: reduced(reducer, scores) for reducer in OF_PROBABILITIES}
    assert all(0 <= value <= 1 for value in values.values())
    assert values["product"] <= values["min"] <= values["mean"] + 1e-12 <= values["max"] + 2e-12
