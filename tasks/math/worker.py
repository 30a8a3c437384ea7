"""The worker process: formulas come in, a line of JSON each, and their forms go out. Text that is hostile ends here.

Started as ``python -m branchwise.tasks.math.worker SECONDS MEGABYTES``. The process that is started imports what it
takes and reads no formula. A child of it does, and one that is lost over a formula is replaced in milliseconds.
Before it reads anything the child limits itself:

1. Memory, no files to write, no further processes.
2. A timer of processor time around each formula ends it, even inside C code and even if whoever started it is gone.
   How busy the machine is does not matter.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final, NoReturn

TOO_SLOW: Final = -signal.SIGPROF
"""Exit code of a child that took too long."""
OUT_OF_MEMORY: Final = 3
"""Exit code of a child that needed more memory than it may have."""

FormOf = Callable[[list[str], str], str]


@dataclass(frozen=True, slots=True)
class Child:
    """The process that reads formulas, and the pipes to it and from it."""

    pid: int
    formulas: IO[str]
    forms: IO[str]

    def answer(self, line: str) -> str:
        """Its answer to a line, or "" where it is lost."""
        try:
            self.formulas.write(line)
            self.formulas.flush()
        except BrokenPipeError:
            return ""
        return self.forms.readline()

    def exit_code(self) -> int:
        """How it ended, once it has."""
        self.forms.close()
        try:
            self.formulas.close()
        except BrokenPipeError:  # what it did not read any more
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main(seconds: float, megabytes: int) -> None:
    """Answer until the input ends: a form or null, or the exit code of the child that a formula has cost."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    logging.disable()
    from branchwise.tasks.math.forms import form_of

    form_of([r"\frac{1}{2}\sqrt{x}"], ",")  # parsers are made at first use: that is no formula's fault
    answers.write('"ready"\n')
    child: Child | None = None
    for line in sys.stdin:
        child = child or _forked(form_of, seconds, megabytes)
        answer = child.answer(line)
        if not answer.endswith("\n"):
            answer, child = json.dumps({"lost": child.exit_code()}) + "\n", None
        answers.write(answer)


def _forked(form_of: FormOf, seconds: float, megabytes: int) -> Child:
    (formulas, formulas_in), (forms_out, forms) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(formulas_in)
        os.close(forms_out)
        _limit(megabytes)
        _serve(form_of, seconds, os.fdopen(formulas), os.fdopen(forms, "w", buffering=1))
    os.close(formulas)
    os.close(forms)
    return Child(pid, os.fdopen(formulas_in, "w"), os.fdopen(forms_out))


def _serve(form_of: FormOf, seconds: float, formulas: IO[str], forms: IO[str]) -> NoReturn:
    for line in formulas:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            form = form_of(*json.loads(line))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception:  # parser and sympy raise errors of any kind over what makes no sense: it has no form
            form = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        forms.write(json.dumps(form) + "\n")
    os._exit(0)


def _limit(megabytes: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
