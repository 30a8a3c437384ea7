"""Bins of problems, from hard to easy, and which algorithm each of them gets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.seeds import chance

A = TypeVar("A", bound=Options)
"""The options of an algorithm: of any search that is not itself composed of others."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """A name without those of all algorithms."""
        return cls.__name__


class Mixture(_Closed, Generic[A]):
    """A second algorithm, for some of a bin's problems."""

    share: float = Field(gt=0, lt=1, description="Of the bin's problems, chosen by chance.")
    algorithm: A = Field(description="What solves them.")


class Bin(_Closed, Generic[A]):
    """Problems of like difficulty, and what solves them."""

    up_to: float | None = Field(None, description="The easiest that still belong here; left out in the last bin.")
    algorithm: A = Field(description="What solves them: any kind of search but this one, with its options.")
    mixture: Mixture[A] | None = Field(None, description="A `share` of them gets another `algorithm`.")

    @property
    def algorithms(self) -> list[A]:
        """One or both."""
        return [self.algorithm] if self.mixture is None else [self.algorithm, self.mixture.algorithm]


def check(ends: Sequence[float | None]) -> None:
    """ValueError unless bins with these ends, from hard to easy, hold every problem once."""
    known = [end for end in ends[:-1] if end is not None]
    if ends[-1] is not None or len(known) < len(ends) - 1:
        raise ValueError("every bin but the last has its up_to, and the last has none")
    if any(low >= high for low, high in pairwise(known)):
        raise ValueError("bins go from hard to easy: each up_to is greater than the one before")


def chosen(bins: Sequence[Bin[A]], ease: float | None, seed: int) -> A:
    """The algorithm for a problem that looks this easy (None: nothing can be said, so it is hard)."""
    found = next(each for each in bins if ease is None or each.up_to is None or ease <= each.up_to)
    if found.mixture is not None and chance(seed, "mixture").random() < found.mixture.share:
        return found.mixture.algorithm
    return found.algorithm
