"""The suites in examples/ are whole: each run of theirs is a workflow that loads, as far as its models are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from branchwise.orchestrator.backends.catalogue import list_models
from branchwise.orchestrator.commands.preparing import loaded_from
from branchwise.orchestrator.evaluation.suite import Part, Suite, pairs_of, trials_of
from branchwise.orchestrator.workflow.yaml_file import read_yaml, validated

EXAMPLES = Path(__file__).parents[2] / "examples"


def parts() -> list[Part]:
    """Every part of every suite."""
    found = [(path, *read_yaml(path)) for path in sorted(EXAMPLES.glob("*.yaml"))]
    return [part for path, data, lines in found for part in validated(Suite, data, {}, str(path), lines).parts]


@pytest.mark.parametrize("part", parts(), ids=lambda part: str(part.title))
def test_every_run_of_a_suite_can_be_made(part: Part) -> None:
    trials = trials_of(part, EXAMPLES)
    names = {trial.name for trial in trials}
    for pair in pairs_of(trials, part.equal_tokens):
        assert {pair.first, *pair.seconds} <= names
    present = {model.name for model in list_models() if model.present}
    if present.issuperset(part.needs):
        for trial in trials:
            assert loaded_from(trial.workflow, {}, trial.settings).workflow.nodes
