"""Answers as mathematics: what is equal has one form, what is not has another, and nothing hangs, raises or stays."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from random import Random
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.errors import SandboxError
from branchwise.tasks.math.lanes import SLICE_SECONDS, Lanes
from branchwise.tasks.math.latex import Formula
from branchwise.tasks.math.process import Limits, Worker
from branchwise.tasks.math.spelling import read
from branchwise.tasks.math.units import without_units
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
    """The form of an answer; the text of what has none."""
    known = read(text)
    if not isinstance(known, Formula):
        return known
    found = None if known.misread else worker.form(known).form
    return known.text if found is None else found


def root(of: object) -> Formula:
    return Formula((rf"\sqrt{{{of}}}",))


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
        *("5", "-3.5", "1/2", r"\frac{3}{4}", "1,234", "50%", "12 dollars", r"90^\circ", "½"),
        *("Paris", "(C)", "C", "R", "7:05", "2516_8", "no solution"),
    ):
        assert isinstance(read(text), str), text
    for text in ("x^2", r"\sqrt{2}", "(1,2)", r"\frac{\pi}{2}", "1,2", "e", "i"):
        assert isinstance(read(text), Formula), text


def test_numbers_have_the_form_that_every_task_gives_them(worker: Worker) -> None:
    for text in (r"\sqrt{16}", r"\frac{14}{4}+0", "2^{10}", r"-\sqrt{\frac14}", r"0.\overline{3}"):
        assert isinstance(read(text), Formula)
        found = form(worker, text)
        assert found is not None
        assert found == canonical(found)


@given(st.integers(-999, 999), st.integers(1, 99), st.sampled_from(["", " cm", r"\text{ apples}", r"\%", " dollars"]))
def test_units_never_change_a_number(over: int, under: int, unit: str) -> None:
    assert read(f"{over}/{under}{unit}") == canonical(f"{over}/{under}")


RATIONALS = st.fractions(-999, 999, max_denominator=999)
REWRITINGS: dict[str, Callable[[Fraction], str]] = {
    "fraction": lambda q: rf"\frac{{{q.numerator}}}{{{q.denominator}}}",
    "not in lowest terms": lambda q: f"{7 * q.numerator}/{7 * q.denominator}",
    "mixed": lambda q: f"{'-' * (q < 0)}{abs(q) // 1} {abs(q) % 1}" if q % 1 and abs(q) > 1 else f"{q}",
    "sum": lambda q: rf"{q - 1}+1",
    "product": lambda q: rf"\frac{{{q.numerator}}}{{2}} \cdot \frac{{2}}{{{q.denominator}}}",
    "root of the square": lambda q: rf"{'-' * (q < 0)}√({q * q})",
    "root without brackets": lambda q: rf"{'-' * (q < 0)}\frac{{√{q.numerator**2}}}{{sqrt {q.denominator**2}}}",
    "logarithm": lambda q: rf"\log_{{10}} 10^{{{q}}}",
    "power": lambda q: f"2**({q})/2**({q - 1}) * ({q / 2})",
    "boxed, with a unit": lambda q: rf"\boxed{{{q}\text{{ cm}}^2}}",
    "compound unit": lambda q: f"{q} km/h",
    "named": lambda q: f"$x = {q}$.",
    "named on the right": lambda q: f"{q} = x",
    "solved": lambda q: f"x = {q - 1} + 1 = {q}",
    "sine": lambda q: rf"({2 * q})\sin 30^\circ",
}


@given(RATIONALS, RATIONALS, st.sampled_from(sorted(REWRITINGS)), st.sampled_from(sorted(REWRITINGS)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rationals_are_equal_in_all_their_forms_and_in_no_others(
    worker: Worker, one: Fraction, other: Fraction, first: str, second: str
) -> None:
    assert form(worker, REWRITINGS[first](one)) == str(one)
    assert (form(worker, REWRITINGS[second](other)) == str(one)) == (one == other)


@given(st.lists(RATIONALS, min_size=2, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_have_their_members_in_any_order_and_sets_have_them_once(
    worker: Worker, members: list[Fraction], random: Random
) -> None:
    shuffled = random.sample(members, len(members))
    listed = form(worker, " and ".join([", ".join(map(str, members[:-1])), str(members[-1])]))
    assert listed == form(worker, ", ".join(rf"{each}\text{{ cm}}" for each in shuffled))
    assert (listed == form(worker, ", ".join(map(str, {*members})))) == (len(members) == len({*members}))
    braced = [rf"\{{{', '.join(map(str, each))}\}}" for each in (shuffled + members, {*members})]
    assert form(worker, braced[0]) == form(worker, braced[1])


@given(st.lists(st.integers(-9, 9), min_size=4, max_size=4), st.integers(2, 9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_formulas_are_equal_if_they_are_the_same_polynomial(worker: Worker, numbers: list[int], factor: int) -> None:
    a, b, c, d = numbers
    product, expanded = f"({a}x+{b})({c}X+{d})", f"{a * c}xX + {a * d}x + {b * c}X + {b * d}"
    assert form(worker, product) == form(worker, expanded)
    assert form(worker, product) != form(worker, f"{expanded}+{factor}")
    assert form(worker, f"{product} + y = 0") == form(worker, f"0 = {factor}y + {factor}({expanded})")
    assert form(worker, product) == form(worker, f"f(x) = {expanded}")
    if a * c and product.lower() != product:
        assert form(worker, product) != form(worker, product.lower())


@given(st.integers(-99, 98), st.integers(1, 99), st.booleans())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_intervals_are_their_inequalities(worker: Worker, least: int, length: int, closed: bool) -> None:
    most, sign, bracket = least + length, r"\le" if closed else "<", "[" if closed else "("
    interval = form(worker, f"{bracket}{least}, {most})")
    for text in (
        f"{least} {sign} x < {most}",
        rf"{least} {sign} x \text{{ and }} x < {most}",
        rf"\{{x \in \mathbb{{R}} \mid {least} {sign} x < {most}\}}",
        rf"x \in {bracket}{least}, {most})",
        f"({least - 1}, {most}) \\cap {bracket}{least}, \\infty)",
    ):
        assert form(worker, text) == interval
    assert form(worker, rf"{least} {sign} x \text{{ or }} x < {most}") == form(worker, r"(-\infty, \infty)")
    assert form(worker, f"{least} {sign} x, y < {most}") != interval


@given(st.text() | TOKENS)
def test_spelling_reads_anything(text: str) -> None:
    assert isinstance(without_units(text), str)
    found = read(text)
    assert found is None or found
    if isinstance(found, Formula):
        assert found.items


@given(TOKENS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_worker_reads_anything(worker: Worker, text: str) -> None:
    found = read(text)
    if isinstance(found, Formula):
        known = worker.form(found)
        assert known.form is None or (known.form and not known.lost)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12].encode("unicode_escape").decode())
def test_hostile_formulas_cost_their_limit_at_most(impatient: Worker, text: str) -> None:
    form(impatient, text)
    assert impatient.form(root(9)).form == "3"


HANGING = Formula(("9^{9^{9^{9}}}",))


def test_a_formula_that_hangs_costs_one_answer() -> None:
    worker = Worker(Limits(seconds=0.5))
    lost = worker.form(HANGING)
    assert lost.too_slow
    assert lost.lost == "a formula took longer than 0.5 s: '9^{9^{9^9}}'"
    assert worker.form(root(9)).form == "3"
    assert worker.known(HANGING) is lost  # remembered: paid for once
    assert worker.form(HANGING) is lost


async def test_formulas_that_hang_cost_the_others_a_slice_and_no_more() -> None:
    lanes = Lanes(Limits(seconds=60))
    limits = [worker._limits.seconds for worker, _ in lanes._lanes]
    assert limits == [SLICE_SECONDS, 60]
    hanging = [asyncio.create_task(lanes.form(Formula((f"9^{{9^{{9^{{{k}}}}}}}",)))) for k in (8, 9)]
    assert await lanes.form(root(9)) == "3"  # behind both, and long before either's limit
    assert not any(each.done() for each in hanging)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    for worker, _ in lanes._lanes:
        worker._given_up()


async def test_what_is_too_slow_for_a_slice_has_its_whole_limit() -> None:
    lanes = Lanes(Limits(seconds=1))
    with pytest.raises(SandboxError, match="took longer than 1 s"):
        await lanes.form(HANGING)
    assert await lanes.form(root(9)) == "3"


def test_lost_workers_leave_no_files_open() -> None:
    worker = Worker(Limits(seconds=30))

    def killed() -> int:
        assert worker.form(root(next(squares))).form
        assert worker._process is not None
        worker._process.kill()
        worker._process.wait()
        while not (found := worker.form(root(next(squares)))).lost:  # its child may live on for an answer
            pass
        assert "exit code -9" in found.lost
        return len(os.listdir("/proc/self/fd"))

    squares = (number * number for number in itertools.count(2))
    assert killed() == killed() == killed()


def test_memory_is_limited() -> None:
    worker = Worker(Limits(seconds=60, megabytes=512))
    assert "took more than 512 MB" in worker.form(Formula(("2^{2^{33}}+1",))).lost
    assert worker.form(root(9)).form == "3"


def test_a_child_that_is_killed_costs_the_next_answer_at_most() -> None:
    worker = Worker(Limits(seconds=30))
    assert worker.form(root(9)).form == "3"
    assert worker._process is not None
    os.kill(_child(worker._process.pid), signal.SIGKILL)
    assert "broke the worker process (exit code -9)" in worker.form(root(16)).lost
    assert worker.form(root(25)).form == "5"


def test_threads_share_one_worker(worker: Worker) -> None:
    found: dict[int, str | None] = {}

    def ask(number: int) -> None:
        found[number] = worker.form(root(number * number)).form

    threads = [Thread(target=ask, args=(number,)) for number in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) for number in range(2, 10)}


def test_a_worker_ends_with_who_started_it() -> None:
    code = (
        "from branchwise.tasks.math.latex import Formula\n"
        "from branchwise.tasks.math.process import Limits, Worker\n"
        "worker = Worker(Limits(60))\nworker.form(Formula(('\\\\sqrt{9}',)))\n"
        "print(worker._process.pid, flush=True)\ninput()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid = json.loads(owner.stdout.readline())
        child = _child(pid)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    for _ in range(1000):
        if not (_runs(pid) or _runs(child)):
            return
        time.sleep(0.01)
    raise AssertionError("the worker outlived its owner")


def _child(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return int(children.read())


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
