"""Calls `python -m workers.data_tools`, where the pixels are.

Protocol: the request is JSON on stdin; stderr carries lines for a person; the last line of stdout
is `{"result": {...}}` or `{"error": {"type", "message", "where", "hint", "trace"}}`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from srqueue.errors import ConflictError, DataError, SpecError, SrqueueError, UsageError

_TYPES = {t.__name__: t for t in (SrqueueError, UsageError, SpecError, DataError, ConflictError)}
_NEEDED = ("workers", "PIL", "numpy")


def say_on_stderr(line: str) -> None:
    """Shows a line of the tool to a person."""
    print(line, file=sys.stderr)


def run_tool(
    verb: str, request: Mapping[str, Any], tell: Callable[[str], None] = say_on_stderr
) -> dict[str, Any]:
    """Runs one verb of the data tools and returns its result.

    `tell` is given each line of progress. Raises the SrqueueError that the tool raised, with its class; one
    with an install hint where the tool's packages are missing.
    """
    lines: deque[str] = deque(maxlen=20)
    command = [sys.executable, "-P", "-m", "workers.data_tools", verb, "--json", "-"]
    ascii_file = partial(tempfile.TemporaryFile, "w+", encoding="ascii")
    with ascii_file() as asked, ascii_file() as out:
        json.dump(request, asked)
        asked.seek(0)
        child = subprocess.Popen(command, stdin=asked, stdout=out, stderr=subprocess.PIPE, env=_environment())
        assert child.stderr is not None
        try:
            for raw in child.stderr:
                line = raw.decode(errors="replace").rstrip("\n")
                lines.append(line)
                tell(line)
            code = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
            child.stderr.close()
        out.seek(0)
        answer = _last_answer(out.read())
    if answer is None:
        last = lines[-1] if lines else "it said nothing"
        raise SrqueueError(f"the data tools ended with exit code {code}: {last}")
    if "error" in answer:
        raise _as_error(answer["error"])
    result: dict[str, Any] = answer["result"]
    return result


def _environment() -> dict[str, str]:
    """The child's environment: it must find the same `workers`, from any folder, also out of a checkout."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SrqueueError(
            f"looking at pictures needs packages that are not installed: {', '.join(missing)}",
            hint="pip install 'srqueue[worker]'",
        )
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    spec = importlib.util.find_spec("workers")
    places = spec.submodule_search_locations if spec else None
    root = Path(next(iter(places or ["."]))).absolute().parent
    if root.name not in ("site-packages", "dist-packages"):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return environment


def _last_answer(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text.rstrip().rpartition("\n")[2])
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.keys() & {"result", "error"} else None


def _as_error(raw: Mapping[str, Any]) -> SrqueueError:
    error = _TYPES.get(raw["type"], SrqueueError)(raw["message"], where=raw["where"], hint=raw["hint"])
    if raw.get("trace"):
        error.__cause__ = RuntimeError(raw["trace"])
    return error
