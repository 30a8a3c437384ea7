"""Every reward steers every search: whichever answer it likes wins, and a replay finds every word on record.

The matrix, its rows and columns, and what is left out are in matrix.py; its table stands in docs/rewards.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from branchwise import problem, solve_batch
from branchwise.orchestrator.plugins import kinds
from tests.rewards import matrix

PROBLEMS = [problem(f"Which is it, number {k}?", f"p{k}") for k in range(3)]


def test_every_reward_has_a_row_and_every_search_a_column_or_a_reason() -> None:
    assert {*map(matrix.kind_of, matrix.ROWS), *matrix.NO_TEXT} == {
        kind.name for kind in kinds("reward").values() if kind.module_name.startswith("branchwise.")
    }
    assert {*matrix.ALGORITHMS, *matrix.NOT_STEERED} == {
        kind.name for kind in kinds("search").values() if kind.module_name.startswith("branchwise.")
    }


async def test_without_a_reward_the_frequent_answer_wins() -> None:
    workflow = matrix.plan("best_of_n", {"kind": "calculator"})
    del workflow["nodes"]["search"]["reward"]
    workflow["nodes"]["search"]["select"] = "majority"
    results = await solve_batch(PROBLEMS, workflow, seed=1, backends=matrix.models(matrix.ROWS["judge"], "7"))
    assert [result.answer for result in results] == ["1"] * len(PROBLEMS)


@pytest.mark.parametrize(("name", "algorithm"), matrix.cells())
async def test_the_reward_changes_the_winner_and_is_replayed(name: str, algorithm: str, tmp_path: Path) -> None:
    row = matrix.ROWS[name]
    for liked in ("1", "7"):
        workflow, run = matrix.plan(algorithm, row.reward(liked), row.together), tmp_path / liked
        results = await solve_batch(PROBLEMS, workflow, seed=1, backends=matrix.models(row, liked), out=run)
        assert [result.answer for result in results] == [liked] * len(PROBLEMS)
        assert not any(result.failures for result in results)
    silent = matrix.models(row, liked)
    again = await solve_batch(PROBLEMS, workflow, seed=1, backends=silent, reuse=[run], replay=True)
    assert [(each.answer, each.value) for each in again] == [(each.answer, each.value) for each in results]
    assert sum(model.calls for model in silent.values()) == 0
