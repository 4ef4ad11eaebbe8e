"""Runs one command, prints errors without tracebacks, and finds the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from typer.exceptions import Abort, TyperException

from srqueue.cli.app import app_for
from srqueue.errors import ServiceUnreachable, SrqueueError
from srqueue.store.acting import acts_by


def run(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = _take_debug(arguments)
    acts_by("cli")
    try:
        code = app_for(arguments)(arguments, prog_name="srqueue", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, Abort):
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        return _tell(error)


def _take_debug(arguments: list[str]) -> bool:
    """Removes `--debug`, which may stand anywhere before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if "--debug" not in arguments[:end]:
        return False
    arguments[:end] = [a for a in arguments[:end] if a != "--debug"]
    return True


def _tell(error: Exception) -> int:
    """Prints an error for a person; returns the exit code."""
    if isinstance(error, TyperException):
        text, code = error.format_message(), error.exit_code
        if not text:  # a group without a command: its help was shown, which says all
            return code
        problem, hint = _split_hint(text)
        error = SrqueueError(problem, hint=hint)
    elif isinstance(error, SrqueueError):
        code = error.exit_code
    elif _is_of_redis(error):
        error = ServiceUnreachable(f"Redis does not answer: {error}", hint="start it: srqueue up")
        code = error.exit_code
    elif isinstance(error, PermissionError) and error.filename:
        error = SrqueueError(
            f"this user may not do that: {error.strerror}",
            where=str(error.filename),
            hint="run it as the user whose file that is, or have yourself let in (its group)",
        )
        code = 1
    else:
        kind = type(error).__name__
        error = SrqueueError(
            f"{kind}: {error}" if str(error) else kind,
            hint="this is a bug or a broken machine; run it again with --debug to see where",
        )
        code = 1
    sys.stdout.flush()
    print(f"error: {_printable(str(error))}", file=sys.stderr)
    return code


def _split_hint(text: str) -> tuple[str, str | None]:
    """The parser's own suggestion becomes the hint."""
    for mark in (" Did you mean ", " (Possible options: "):
        before, found, after = text.partition(mark)
        if found:
            options = after.rstrip("?).").strip()
            return before, f"did you mean {options}?"
    return text, "srqueue COMMAND --help lists what a command takes"


def _is_of_redis(error: Exception) -> bool:
    """True for connection errors of redis-py and kombu, without importing either."""
    return any(
        kind.__module__.partition(".")[0] in ("redis", "kombu")
        and kind.__name__ in ("ConnectionError", "TimeoutError", "OperationalError")
        for kind in type(error).__mro__
    )


def _printable(text: str) -> str:
    """`text` with control characters shown, so that a name cannot steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
