"""What may be written on the command line. Each command names the function that runs it, imported when chosen."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SET = "a.b.c=VALUE"
LIMIT = "SCOPE.RESOURCE=VALUE"


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        from importlib.metadata import version

        print(f"branchwise {version('branchwise')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="branchwise",
        description="Test-time search for language models: reward models steer a search, a budget bounds it, "
        "a journal keeps what was paid for.",
        epilog="Exit codes: 0 done, 2 wrong input (nothing spent), 3 journal broken, 130 interrupted (resumable).",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _run(_added(commands, "run", "run:run", "solve a task's problems with a workflow"))
    _resume(_added(commands, "resume", "run:resume", "go on with a run where it stopped"))
    _evaluate(_added(commands, "evaluate", "evaluate:evaluate", "hold strategies against each other: a suite"))
    _allocate(_added(commands, "allocate", "allocate:allocate", "write a workflow that spends by difficulty"))
    _calibrate(_added(commands, "calibrate", "calibrate:calibrate", "fit a reward's values to what was right"))
    _measure(_added(commands, "measure", "measure:measure", "how well a reward finds the first wrong step"))
    _check(_added(commands, "check", "check:check", "check a workflow and predict its cost; runs nothing"))
    _doctor(
        _added(commands, "doctor", "doctor:doctor", "ask every model of a workflow whether it can do what is needed")
    )
    _report(_added(commands, "report", "report:report", "table, JSON or HTML page of finished runs"))
    listing = _added(commands, "list", "listing:listing", "algorithms, rewards, agents, backends and tasks")
    listing.add_argument("role", nargs="?", help="only these: search, reward, agent, backend or task")
    _json(listing)
    models = _added(commands, "models", "models:listing", "models by name")
    models.set_defaults(json=False)
    actions = models.add_subparsers(metavar="ACTION", title="actions")
    _json(_added(actions, "list", "models:listing", "what ships, what was pulled, what can be"))
    pull = _added(actions, "pull", "models:pull", "fetch a model into the cache")
    pull.add_argument("name", metavar="NAME", help="a name that `branchwise models list` shows")
    _added(commands, "schema", "listing:schema", "the JSON Schema of workflow files, for editors")
    return top


def _added(commands: Any, name: str, command: str, summary: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary}.".capitalize())
    added.set_defaults(command=command)
    return added


def _run(run: argparse.ArgumentParser) -> None:
    _workflow(run)
    _task(run, required=True)
    run.add_argument("--seed", type=int, default=0, help="seed of the search, and of the task (default: 0)")
    run.add_argument(
        "--concurrency", type=_positive, default=8, metavar="N", help="problems under way at once (default: 8)"
    )
    run.add_argument("--out", type=Path, metavar="DIR", help="run directory (default: runs/NAME-TIME)")
    run.add_argument(
        "--reuse",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="take over draws of this run (repeatable)",
    )
    run.add_argument("--replay", action="store_true", help="refuse every model call: all draws must be on record")
    _json(run)


def _resume(resume: argparse.ArgumentParser) -> None:
    resume.add_argument("directory", type=Path, metavar="DIR", help="a run directory")
    resume.add_argument("--concurrency", type=_positive, metavar="N", help="problems under way at once")
    _json(resume)


def _evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("suite", type=Path, metavar="SUITE.yaml", help="the suite file")
    evaluate.add_argument("--seed", type=int, help="instead of the suite's")
    evaluate.add_argument("--limit", type=_positive, metavar="N", help="at most N problems a part")
    evaluate.add_argument("--out", type=Path, metavar="DIR", help="where the runs go (default: runs/NAME-TIME)")
    evaluate.add_argument(
        "--part", type=_positive, action="append", metavar="N", help="only the part of this number (repeatable)"
    )
    evaluate.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file, too")
    _json(evaluate)


def _allocate(allocate: argparse.ArgumentParser) -> None:
    allocate.add_argument(
        "directories", type=Path, nargs="+", metavar="DIR", help="where `evaluate` ran; several: other seeds of it"
    )
    allocate.add_argument(
        "--budget", type=_amount, required=True, metavar="TOKENS", help="tokens generated, a problem, by all roles"
    )
    allocate.add_argument("--out", type=Path, required=True, metavar="WORKFLOW.yaml", help="the workflow to write")
    allocate.add_argument(
        "--first-pass", type=_positive, default=4, metavar="N", help="answers that tell the difficulty (default: 4)"
    )
    allocate.add_argument(
        "--by",
        choices=("value", "agreement"),
        default="value",
        help="what tells it: the mean value, or the share of the leading answer (default: value)",
    )
    allocate.add_argument("--bins", type=_positive, default=5, metavar="K", help="quantiles (default: 5)")
    allocate.add_argument(
        "--like", metavar="RUN", help="the run whose policy, reward and rule it has, if they differ"
    )
    _json(allocate)


def _calibrate(calibrate: argparse.ArgumentParser) -> None:
    calibrate.add_argument("directories", type=Path, nargs="+", metavar="DIR", help="graded runs of one reward")
    calibrate.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="the calibration to write")
    calibrate.add_argument(
        "--method",
        choices=("platt", "isotonic", "temperature"),
        default="platt",
        help="the curve: logistic with two parameters, rising steps, or one parameter (default: platt)",
    )
    _json(calibrate)


def _measure(measure: argparse.ArgumentParser) -> None:
    _workflow(measure)
    measure.add_argument(
        "--steps",
        type=Path,
        required=True,
        metavar="FILE.jsonl",
        help="solutions whose first wrong step is known, in ProcessBench's layout",
    )
    measure.add_argument("--node", metavar="NAME", help="the search node with the reward, if there are several")
    measure.add_argument("--limit", type=_positive, metavar="N", help="only the first N solutions")
    threshold = measure.add_mutually_exclusive_group()
    threshold.add_argument(
        "--threshold", type=_finite, metavar="T", help="a step scored below is wrong (default: 0.5 for probabilities)"
    )
    threshold.add_argument(
        "--fit", type=_share, metavar="SHARE", help="choose the threshold on this share, measure on the others"
    )
    measure.add_argument("--seed", type=int, default=0, help="of the share and of sampled judgements (default: 0)")
    measure.add_argument(
        "--concurrency", type=_positive, default=8, metavar="N", help="solutions under way at once (default: 8)"
    )
    measure.add_argument("--out", type=Path, metavar="DIR", help="keep what was scored here, and go on from it")
    _json(measure)


def _check(check: argparse.ArgumentParser) -> None:
    _workflow(check)
    _task(check, required=False)
    check.add_argument("--seed", type=int, default=0, help="as of `run`")
    _json(check)


def _doctor(doctor: argparse.ArgumentParser) -> None:
    _workflow(doctor)
    _json(doctor)


def _report(report: argparse.ArgumentParser) -> None:
    report.add_argument("directories", type=Path, nargs="+", metavar="DIR", help="run directories")
    report.add_argument("--html", type=Path, metavar="FILE", help="write the page to this file")
    report.add_argument(
        "--trees", type=int, default=12, metavar="K", help="search trees a run in the page (default: 12)"
    )
    report.add_argument(
        "--problem",
        dest="problems",
        action="append",
        default=[],
        metavar="ID",
        help="show the search tree of this problem (repeatable)",
    )
    _json(report)


def _workflow(command: argparse.ArgumentParser) -> None:
    command.add_argument("workflow", type=Path, metavar="WORKFLOW.yaml", help="the workflow file")
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar=SET,
        help="change a value of the file (repeatable)",
    )
    command.add_argument(
        "--budget",
        action="append",
        default=[],
        metavar=LIMIT,
        help="a limit, such as problem.tokens=4000, run.seconds=60 or problem.verifier.calls=50 (repeatable)",
    )


def _task(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "--tasks", required=required, metavar="TASK", help="KIND, KIND:key=value,key=value or FILE.jsonl"
    )
    command.add_argument("--limit", type=_positive, metavar="N", help="only the first N problems")


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON object on standard output, nothing else")


def _amount(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive, finite number")
    return number


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not -float("inf") < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return number


def _share(text: str) -> float:
    number = _amount(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share below 1")
    return number


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number
