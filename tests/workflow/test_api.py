"""The edges of the Python API."""

from __future__ import annotations

import pytest

from branchwise import ConfigError, load_task


def test_a_limit_makes_that_many_problems_and_a_count_is_kept() -> None:
    assert len(list(load_task("arithmetic:steps=2", limit=130).problems())) == 130
    assert len(list(load_task("arithmetic:steps=2,count=5", limit=130).problems())) == 5
    shorter = [problem.id for problem in load_task("arithmetic:steps=2", limit=10).problems()]
    longer = [problem.id for problem in load_task("arithmetic:steps=2", limit=30).problems()]
    assert longer[:10] == shorter


def test_wrong_options_are_named() -> None:
    with pytest.raises(ConfigError, match="steps"):
        load_task("arithmetic:steps=99")
    with pytest.raises(ConfigError, match=r"unknown option 'stesp'; did you mean 'steps'"):
        load_task("arithmetic:stesp=3")
