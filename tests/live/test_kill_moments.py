"""Forty moments at which a run is killed, with nothing lost and nothing paid twice."""

from __future__ import annotations

import pytest

from tests.stories.kill_moments import check

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]


def test_forty_moments() -> None:
    assert check(moments=40, seed=2)
