"""The command `branchwise`: reads arguments and environment, runs a command, turns errors into exit codes.

==== =====================================================================================================
code meaning
==== =====================================================================================================
0    done
1    a defect of Branchwise: a traceback was printed
2    the input is wrong (ConfigError, unknown argument): nothing was spent
3    the journal could not be written or read: the run can be resumed
130  interrupted, or a server stayed away: the run can be resumed
==== =====================================================================================================

Standard output holds the result and nothing else; messages and progress go to standard error. The environment
is read here and handed on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from branchwise.orchestrator.commands.parser import parser
from branchwise.orchestrator.core.errors import ConfigError, JournalError, Suspended

DONE, WRONG_INPUT, JOURNAL_BROKEN, INTERRUPTED = 0, 2, 3, 130
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(argv)
    module, _, name = arguments.command.partition(":")
    try:
        command = getattr(import_module(f"branchwise.orchestrator.commands.{module}"), name)
        code: int = command(arguments, os.environ if environment is None else environment)
        sys.stdout.flush()
    except Suspended as stopped:
        return _say(str(stopped), INTERRUPTED)
    except ConfigError as error:
        return _say(str(error), WRONG_INPUT)
    except JournalError as error:
        return _say(str(error), JOURNAL_BROKEN)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read standard output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _say(message: str, code: int) -> int:
    for line in message.splitlines() or [""]:
        shown = "".join(char if char.isprintable() else "\ufffd" for char in line.expandtabs())
        print(f"branchwise: {shown}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
