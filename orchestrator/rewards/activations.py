"""Activations: a reward model's raw numbers made into a score, here and not on the server, so that it is on record.

=========== ==================================================== =============
activation  score of a row                                       scale
=========== ==================================================== =============
``none``    the column as it is: of a pairwise-trained model      raw
``sigmoid`` 1 / (1 + exp(-column)): of a model of one label       probability
``softmax`` the column's share of exp(row): of several labels     probability
=========== ==================================================== =============
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from branchwise.orchestrator.core.judgement import Scale, usable
from branchwise.orchestrator.core.selection import logistic

Activation = Literal["none", "sigmoid", "softmax"]


def activated(row: Sequence[float], column: int, activation: Activation) -> float:
    """The score of one row of raw numbers; ValueError where it has no such column, NaN where one is not usable."""
    if not -len(row) <= column < len(row):
        raise ValueError(f"the model gives {len(row)} numbers, there is no column {column}")
    if not usable(*row):
        return math.nan
    if activation == "softmax":
        if len(row) < 2:
            raise ValueError("a softmax over a single number is always 1; use sigmoid")
        highest = max(row)
        shares = [math.exp(each - highest) for each in row]
        return shares[column] / math.fsum(shares)
    return logistic(row[column]) if activation == "sigmoid" else row[column]


def scale_after(activation: Activation) -> Scale:
    """The scale of what an activation gives."""
    return "raw" if activation == "none" else "probability"
