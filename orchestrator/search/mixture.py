"""Mixture: one algorithm for some problems and another one for the rest, by chance: a size between two sizes.

A problem gets ``other`` with the probability ``share``, else ``algorithm``, whatever it looks like. So a mean budget
that lies between two sizes of an algorithm is spent to the end, and strategies of coarse sizes can be compared at
equal cost: the accuracy that is expected lies on the straight line between those of the two.

Time sharing, as along the edges of a ROC curve's convex hull: Provost and Fawcett 2001, "Robust Classification for
Imprecise Environments", Machine Learning 42:203-231, section 4.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.options import module_of
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory

A = TypeVar("A", bound=_Options)
"""The options of an algorithm: of any search that is not itself composed of others."""


class Options(_Options, Generic[A]):
    """Options of a mixture of two algorithms."""

    kind: Literal["mixture"] = "mixture"
    algorithm: A = Field(
        description="What solves a problem: any kind of search but a composed one, with its options."
    )
    other: A = Field(description="What solves the others.")
    share: float = Field(ge=0, le=1, description="Of the problems, chosen by chance, that get the other one.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """A name without those of all algorithms."""
        return cls.__name__

    @property
    def algorithms(self) -> list[A]:
        """Both."""
        return [self.algorithm, self.other]

    @property
    def wants_reward(self) -> bool:
        """True where one of them is steered by a reward."""
        return any(getattr(each, "wants_reward", False) for each in self.algorithms)

    @property
    def stepwise(self) -> bool:
        """True where one of them wants single steps."""
        return any(getattr(each, "stepwise", False) for each in self.algorithms)

    @property
    def adaptive(self) -> bool:
        """True: what one play shows says nothing of the other algorithm."""
        return True

    @property
    def depth(self) -> int:
        """The most steps that one of them draws below each other."""
        return max(getattr(each, "depth", 1) + getattr(each, "lookahead", 0) for each in self.algorithms)

    @property
    def policies(self) -> list[str]:
        """The policies that they name."""
        named = [name for each in self.algorithms for name in getattr(each, "policies", ())]
        return list(dict.fromkeys(named))

    @property
    def own_select(self) -> Rule:
        """The selection rule of the first one; AttributeError where it has none of its own."""
        rule: Rule = self.algorithm.own_select  # type: ignore[attr-defined]
        return rule


def most_draws(options: Options[Any]) -> int | None:
    """Draws of the policy that one problem takes at most; None where one of the algorithms does not say."""
    counts = [getattr(module_of(each), "most_draws", None) for each in options.algorithms]
    draws = [count(each) if count else None for count, each in zip(counts, options.algorithms, strict=True)]
    known = [int(each) for each in draws if each is not None]
    return max(known) if len(known) == len(draws) else None


def build(options: Options[Any], root: Trajectory, seed: int) -> Search:
    """The search below ``root`` by one of the two."""
    takes_other = chance(seed, "mixture").random() < options.share
    algorithm = options.other if takes_other else options.algorithm
    search: Search = module_of(algorithm).build(algorithm, root, seed)
    return search
