"""Task arguments of the command line."""

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.plugins import find
from branchwise.tasks.arithmetic import Options
from branchwise.tasks.parse import TaskArgument, parse_task


@pytest.mark.parametrize(
    ("argument", "kind", "options"),
    [
        ("arithmetic", "arithmetic", {}),
        ("arithmetic:steps=3,operators=+-", "arithmetic", {"steps": "3", "operators": "+-"}),
        ("arithmetic: steps = 3", "arithmetic", {"steps": "3"}),
        ("rows.jsonl", "jsonl", {"path": "rows.jsonl"}),
        ("../my:rows.jsonl", "jsonl", {"path": "../my:rows.jsonl"}),
        ("jsonl:path=rows.jsonl,answers=number", "jsonl", {"path": "rows.jsonl", "answers": "number"}),
        ("jsonl:path=rows.jsonl", "jsonl", {"path": "rows.jsonl"}),
        ("own:text=a=b", "own", {"text": "a=b"}),
    ],
)
def test_arguments(argument: str, kind: str, options: dict[str, str]) -> None:
    assert parse_task(argument) == TaskArgument(kind, options)


@pytest.mark.parametrize(
    "argument",
    ["", ":", "arithmetic:", "arithmetic:steps", "arithmetic:steps=1,", "arithmetic:=1", "a b", "rows.json", "../x",
     "arithmetic:steps=1,steps=2", "arithmetic:kind=jsonl", "arithmetic:1=2"],
)  # fmt: skip
def test_wrong_arguments_are_named(argument: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_task(argument)
    assert repr(argument) in str(raised.value)


@pytest.mark.parametrize("kind", ["arithmetic", "constrained_sentence", "jsonl"])
def test_each_kind_is_found_with_its_options(kind: str) -> None:
    found = find("task", kind)
    assert found.module.Options.model_fields["kind"].default == kind
    assert found.summary


def test_values_are_turned_by_the_options_of_the_kind() -> None:
    parsed = parse_task("arithmetic:steps=2,count=5,operators=*")
    assert Options.model_validate(dict(parsed.options)) == Options(steps=2, count=5, operators="*")
