"""A few moments at which a run is killed; tests/live has forty."""

from __future__ import annotations

import pytest

from tests.stories.kill_moments import check


@pytest.mark.timeout(300)
def test_killed_runs_go_on_to_the_same_trees() -> None:
    assert check(moments=4, seed=1)
