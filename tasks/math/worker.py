"""The worker process: formulas come in, a line of JSON each, and their forms go out. Text that is hostile ends here.

Started as ``python -m branchwise.tasks.math.worker SECONDS MEGABYTES``. It limits itself before it reads anything:

1. Memory, no files to write, no further processes.
2. A timer of processor time around each formula ends the process, even inside C code and even if whoever started it
   is gone; so who waits for the answer sees the end of the stream instead. How busy the machine is does not matter.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from typing import Final

OUT_OF_MEMORY: Final = 3
"""Exit code of a worker that needed more memory than it may have."""


def main(seconds: float, megabytes: int) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    logging.disable()
    from branchwise.tasks.math.forms import form_of

    form_of(r"\frac{1}{2}\sqrt{x}")  # parsers are made at first use: that is no formula's fault
    _limit(megabytes)
    print(json.dumps("ready"), file=answers)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            form = form_of(json.loads(line))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except Exception:  # sympy raises errors of any kind over what makes no sense: it has no form
            form = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(form), file=answers)


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
