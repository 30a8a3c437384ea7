"""A trained reward steers every search: it finds right answers that the same reward, turned round, does not."""

from __future__ import annotations

import pytest

from tests.rewards.matrix import ALGORITHMS
from tests.rewards.trained import right, turned

POLICY = {"kind": "embedded", "model": "arithmetic-policy"}
VERIFIER = {"kind": "embedded", "model": "arithmetic-prm"}
REWARD = {"kind": "label_token", "model": "judge", "prompt": "$problem\n$steps", "reducer": "last"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_arithmetic_verifier_changes_the_winner(algorithm: str) -> None:
    assert right(algorithm, REWARD, POLICY, VERIFIER) > right(algorithm, turned(REWARD), POLICY, VERIFIER)
