"""Calibration: the curve from a reward's value to the chance that the answer is right, and whose curve it is.

* Platt: sigmoid(slope * z + intercept). Platt 1999, "Probabilistic Outputs for Support Vector Machines".
* Temperature: sigmoid(z / temperature). Guo et al. 2017, arXiv 1706.04599.
* Isotonic: straight lines between points that never fall. Zadrozny and Elkan 2002, "Transforming Classifier Scores".

z, the logit, is the log-odds of a probability, and any other value itself. Curves are fitted in
evaluation/calibrating.py and applied by the reward ``calibrated``; they meet here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.selection import logistic

NEAREST: Final = 1e-6
"""How near to 0 and 1 a probability can be told apart from them."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Platt(_Closed):
    """A logistic curve with two parameters."""

    method: Literal["platt"] = "platt"
    slope: float = Field(description="Factor before the logit.")
    intercept: float = Field(description="What is added to it.")

    def chance(self, value: float, scale: Scale) -> float:
        """In [0, 1]."""
        return logistic(self.slope * logit(value, scale) + self.intercept)


class Temperature(_Closed):
    """A logistic curve with one parameter; the greater, the less sure."""

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0, description="What the logit is divided by.")

    def chance(self, value: float, scale: Scale) -> float:
        """In [0, 1]."""
        return logistic(logit(value, scale) / self.temperature)


class Isotonic(_Closed):
    """A curve through points that never falls; flat before the first and after the last."""

    method: Literal["isotonic"] = "isotonic"
    values: tuple[float, ...] = Field(min_length=1, description="Values of the reward, rising.")
    chances: tuple[float, ...] = Field(min_length=1, description="The chance at each of them, never falling.")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        rising = all(a < b for a, b in pairwise(self.values)) and all(a <= b for a, b in pairwise(self.chances))
        if len(self.values) != len(self.chances) or not rising or self.chances[0] < 0 or self.chances[-1] > 1:
            raise ValueError("values rise, and each has a chance in [0, 1] that is not below the one before")
        return self

    def chance(self, value: float, scale: Scale) -> float:
        """In [0, 1]."""
        place = bisect_right(self.values, value)
        if place == 0 or place == len(self.values):
            return self.chances[max(0, place - 1)]
        (low, high), (a, b) = self.values[place - 1 : place + 1], self.chances[place - 1 : place + 1]
        return min(b, a + (b - a) * ((value - low) / (high - low)))


Curve = Annotated[Platt | Temperature | Isotonic, Field(discriminator="method")]


class Calibration(_Closed):
    """A curve, and the reward that it was fitted to: its options and the identities of its models.

    Without a reward it is anyone's: somebody wrote it down.
    """

    curve: Curve
    scale: Scale = Field("probability", description="The scale of the values that the curve takes.")
    reward: dict[str, JsonValue] = Field(default_factory=dict, description="The reward's options.")
    models: dict[str, dict[str, str | bool | None]] = Field(default_factory=dict, description="Its models.")
    answers: int = Field(0, ge=0, description="Graded answers that it was fitted to.")
    problems: int = Field(0, ge=0, description="Problems that these answer.")

    def chance(self, value: float) -> float:
        """The chance that an answer of this value is right."""
        return self.curve.chance(value, self.scale)


def logit(value: float, scale: Scale) -> float:
    """The log-odds of a probability, anything else itself."""
    if scale != "probability":
        return value
    inside = min(max(value, NEAREST), 1 - NEAREST)
    return math.log(inside / (1 - inside))
