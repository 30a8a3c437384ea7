"""Answers as mathematics: what is equal has one form, what is not has another, and nothing hangs, raises or stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.errors import SandboxError
from branchwise.tasks.math.process import Limits, Worker
from branchwise.tasks.math.spelling import formula, plain_form, without_units
from tests.tasks.math_answers import HOSTILE, SPELLINGS

TOKENS = st.lists(
    st.sampled_from([*r"\{}$()[].,:;!'-+/=^%_<>| 0123456789xaiA", r"\frac{", r"\sqrt{", r"\text{", r"\boxed{", r"\pi",
                     r"\infty", r"\le", r"\cup", r"\pm", r"\binom", r"\sum_{", r"\int", r"\overline{", r"\in"]),
    max_size=30,
).map("".join)  # fmt: skip


@pytest.fixture(scope="module")
def worker() -> Worker:
    return Worker(Limits(seconds=20))


@pytest.fixture(scope="module")
def impatient() -> Worker:
    return Worker(Limits(seconds=0.5))


def form(worker: Worker, text: str) -> str | None:
    plain = plain_form(text)
    return plain if plain is not None else worker.form(formula(text))


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda group: group[0])
def test_spellings_of_one_answer_have_one_form(worker: Worker, spellings: tuple[str, ...]) -> None:
    forms = {spelling: form(worker, spelling) for spelling in spellings}
    assert forms == dict.fromkeys(spellings, forms[spellings[0]])
    assert None not in forms.values()


def test_different_answers_have_different_forms(worker: Worker) -> None:
    forms: dict[str | None, str] = {}
    for spellings in SPELLINGS:
        here = form(worker, spellings[0])
        assert here not in forms, f"{spellings[0]} is {forms[here]}"
        forms[here] = spellings[0]


def test_ordinary_answers_need_no_worker() -> None:
    for text in (
        "5",
        "-3.5",
        "1/2",
        r"\frac{3}{4}",
        "1,234",
        "50%",
        "Paris",
        "(C)",
        "7:05",
        "12 dollars",
        r"90^\circ",
    ):
        assert plain_form(text) is not None, text
    for text in ("x^2", r"\sqrt{2}", "(1,2)", r"\frac{\pi}{2}", "1,2"):
        assert plain_form(text) is None, text


def test_numbers_have_the_form_that_every_task_gives_them(worker: Worker) -> None:
    for text in (r"\sqrt{16}", r"\frac{14}{4}", "2^{10}", r"-\sqrt{\frac14}"):
        found = worker.form(formula(text))
        assert found is not None
        assert found == canonical(found)


@given(st.integers(-999, 999), st.integers(1, 99), st.sampled_from(["", " cm", r"\text{ apples}", r"\%", " dollars"]))
def test_units_never_change_a_number(over: int, under: int, unit: str) -> None:
    assert plain_form(f"{over}/{under}{unit}") == canonical(f"{over}/{under}")


@given(st.text() | TOKENS)
def test_spelling_reads_anything(text: str) -> None:
    assert len(without_units(text)) <= max(len(text), 1)
    found = plain_form(text)
    assert found is None or found
    assert isinstance(formula(text), str)


@given(TOKENS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_worker_reads_anything(worker: Worker, text: str) -> None:
    try:
        found = worker.form(formula(text))
    except SandboxError:
        return
    assert found is None or found


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_hostile_formulas_cost_their_limit_at_most(impatient: Worker, text: str) -> None:
    with suppress(SandboxError):
        form(impatient, text)
    assert impatient.form(r"\sqrt{9}") == "3"


def test_a_lost_worker_costs_one_answer_and_is_replaced() -> None:
    worker = Worker(Limits(seconds=0.5))
    hanging = "9^{9^{9^{9}}}"
    with pytest.raises(SandboxError, match=r"took longer than 0\.5 s: '9\^"):
        worker.form(hanging)
    assert worker.form(r"\sqrt{9}") == "3"
    process = worker._process
    with pytest.raises(SandboxError, match="took longer"):  # remembered: paid for once
        worker.form(hanging)
    assert worker._process is process


def test_memory_is_limited() -> None:
    worker = Worker(Limits(seconds=60, megabytes=512))
    with pytest.raises(SandboxError, match="took more than 512 MB"):
        worker.form("2^{2^{33}}+1")
    assert worker.form(r"\sqrt{9}") == "3"


def test_a_killed_worker_is_named_and_replaced() -> None:
    worker = Worker(Limits(seconds=30))
    assert worker.form(r"\sqrt{9}") == "3"
    assert worker._process is not None
    worker._process.kill()
    worker._process.wait()
    with pytest.raises(SandboxError, match=r"broke the worker process \(exit code -9\)"):
        worker.form(r"\sqrt{16}")
    assert worker.form(r"\sqrt{25}") == "5"


def test_threads_share_one_worker(worker: Worker) -> None:
    found: dict[int, str | None] = {}

    def ask(number: int) -> None:
        found[number] = worker.form(rf"\sqrt{{{number * number}}}")

    threads = [Thread(target=ask, args=(number,)) for number in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) for number in range(2, 10)}


def test_a_worker_ends_with_who_started_it() -> None:
    code = (
        "from branchwise.tasks.math.process import Limits, Worker\n"
        "worker = Worker(Limits(60))\nworker.form('\\\\sqrt{9}')\nprint(worker._process.pid, flush=True)\ninput()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = json.loads(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    for _ in range(1000):
        if not _runs(pid):
            return
        time.sleep(0.01)
    raise AssertionError("the worker outlived its owner")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
