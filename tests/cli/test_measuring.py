"""`branchwise measure`: the reward of a workflow against steps that were marked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.cli import main
from branchwise.orchestrator.core.errors import BackendError, RewardFailure
from branchwise.orchestrator.core.judgement import Judgement, failed, judged
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards import calculator

Measure = Callable[..., tuple[int, str, str]]

WORKFLOW = """\
name: trial
models:
  m: {kind: scripted, answers: ["4"]}
nodes:
  search:
    kind: search
    algorithm: {kind: best_of_n, n: 2}
    policy: {kind: solver, model: m}
    reward: {kind: calculator}
"""
RIGHT, AT_0, AT_1 = ["1+1=2", "2+2=4"], ["1+1=3", "3+1=4"], ["1+1=2", "2+2=5"]
ROWS = [
    *[{"problem": "a", "steps": RIGHT, "label": -1}] * 3,
    {"problem": "a", "steps": AT_0, "label": -1},  # the calculator sees an error that people did not
    *[{"problem": "a", "steps": AT_1, "label": 1}] * 2,
    *[{"problem": "a", "steps": AT_1, "label": 0}] * 2,
]


@pytest.fixture
def measure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Measure:
    """The command on these rows and this workflow."""

    def run(
        *arguments: str, rows: list[dict[str, Any]] = ROWS, reward: str = "{kind: calculator}"
    ) -> tuple[int, str, str]:
        (tmp_path / "w.yaml").write_text(WORKFLOW.replace("{kind: calculator}", reward))
        (tmp_path / "steps.jsonl").write_text("\n".join(map(json.dumps, rows)))
        code = main(["measure", str(tmp_path / "w.yaml"), "--steps", str(tmp_path / "steps.jsonl"), *arguments], {})
        return code, *capsys.readouterr()

    return run


def test_the_table(measure: Measure) -> None:
    code, out, _ = measure()
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "calculator of node search; threshold 0.5, given"
    assert lines[3] == "first error found 4 50.0 % 15.0 to 85.0 %"
    assert lines[4] == "no error, none found 4 75.0 % 30.1 to 95.4 %"
    assert lines[5].startswith("F1 8 60.0 % ")
    assert lines[6].startswith("weakest step is the last 8 50.0 % ")


def test_as_json_with_a_threshold_below_every_score(measure: Measure) -> None:
    code, out, _ = measure("--json", "--threshold", "-1")
    found = json.loads(out)
    assert (code, found["threshold"], found["chosen_on"], found["failed"]) == (0, -1, 0, {})
    assert found["rows"]["first error found"]["share"] == 0
    assert found["rows"]["no error, none found"]["share"] == 1
    assert found["rows"]["F1"] == {"n": 8, "share": 0, "interval": [0, 0]}


def test_a_threshold_is_chosen_on_a_share_and_measured_on_the_others(measure: Measure) -> None:
    found = [json.loads(measure("--json", "--fit", "0.25", "--seed", seed, rows=ROWS * 3)[1]) for seed in ("0", "4")]
    for each in found:
        assert (each["threshold"], each["chosen_on"], each["rows"]["F1"]["n"]) == (0.5, 6, 18)
    assert found[0]["rows"] != found[1]["rows"]
    code, _, error = measure("--fit", "0.4", rows=ROWS[:3])
    assert code == 2
    assert "--fit: a threshold is chosen on solutions with an error and solutions without one" in error


@pytest.mark.parametrize(("share", "what"), [("0.1", "choose on"), ("0.9", "measure on")])
def test_a_share_that_rounds_to_nothing_or_to_all_is_refused(measure: Measure, share: str, what: str) -> None:
    code, out, error = measure("--fit", share, rows=ROWS[:4])
    assert (code, out) == (2, "")
    assert f"--fit {share} of 4 solutions with step values leaves none to {what}" in error


class Fickle:
    """A reward that can score the fourth solution and those after it only."""

    source = "learned"

    def __init__(self) -> None:
        self.asked = 0

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        self.asked += 1
        match self.asked:
            case 1:
                return [failed("unreadable", "learned")]
            case 2:
                return [judged(1, scale="probability", source="learned", step_values=(1,))]
            case 3:
                raise RewardFailure("gone")
        values = tuple(float("=3" not in step.text) for step in trajectories[0].steps)
        return [judged(1, scale="probability", source="learned", step_values=values)]


def test_failures_are_counted_and_in_no_share(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calculator, "build", lambda options, parts: Fickle())
    code, out, _ = measure("--json", "--concurrency", "1")
    found = json.loads(out)
    assert code == 0
    assert found["failed"] == {"unreadable": 1, "1 step values for 2 steps": 1, "gone": 1}
    assert found["rows"]["F1"]["n"] == len(ROWS) - 3


def test_where_nothing_could_be_scored_it_says_why(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fickle, "asked", property(lambda self: 1, lambda self, asked: None), raising=False)
    monkeypatch.setattr(calculator, "build", lambda options, parts: Fickle())
    code, out, error = measure()
    assert (code, out) == (2, "")
    assert "nodes.search.reward: calculator gave no step values: unreadable" in error


def test_what_was_scored_is_on_record(measure: Measure, tmp_path: Path) -> None:
    first = measure("--json", "--out", str(tmp_path / "run"))
    assert first[0] == 0
    assert measure("--json", "--out", str(tmp_path / "run")) == first


def test_what_can_be_refused_is_refused_before_anything_is_spent(
    measure: Measure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = list[Request]()

    async def paid(self: ScriptedBackend, request: Request, progress: Any = None) -> tuple[Draw, ...]:
        asked.append(request)
        raise BackendError("paid for")

    monkeypatch.setattr(ScriptedBackend, "generate", paid)
    calling = "{kind: voted, votes: 3, reward: {kind: judge, model: m, temperature: 1.0}}"
    raw = "{kind: transformed, transform: progress, reward: {kind: calculator}}"
    for arguments, reward, message in (
        ((), calling, "w.yaml:9: nodes.search.reward: voted gives one value for the whole"),
        ((), raw, "step values on the scale raw need --threshold or --fit"),
        (("--fit", "0.01"), raw, "leaves none to choose on"),
        (("--fit", "0.2"), raw, "solutions with an error and solutions without one"),
    ):
        code, out, error = measure(
            *arguments, "--out", str(tmp_path / "run"), rows=ROWS[:4] + ROWS[:1], reward=reward
        )
        assert (code, out, asked) == (2, "", [])
        assert message in error
        assert not (tmp_path / "run").exists()


def test_refusals(measure: Measure) -> None:
    for arguments, options, message in (
        (
            (),
            {"reward": "{kind: rule, callable: 'builtins:len', source: rule}"},
            "rule gives one value for the whole",
        ),
        (("--node", "serch"), {}, "--node serch: name one with a reward; did you mean 'search'?"),
        ((), {"rows": [{"problem": "a", "steps": RIGHT}]}, "steps.jsonl:1: no key 'label'"),
    ):
        code, out, error = measure(*arguments, **options)  # type: ignore[arg-type]
        assert (code, out) == (2, "")
        assert message in error
    for wrong in (("--fit", "1"), ("--threshold", "nan"), ("--fit", "0.5", "--threshold", "0.5")):
        with pytest.raises(SystemExit):
            measure(*wrong)
