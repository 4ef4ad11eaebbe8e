"""`python -m workers.data_tools add|check|pack|sample --json REQUEST`: one line of JSON on stdout.

REQUEST is JSON, or `-` to read it from stdin.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from importlib import import_module
from typing import Any

from PIL import Image

from srqueue.errors import SrqueueError, UsageError, did_you_mean

# Each holds `answer(request)`. Loaded when asked for.
VERBS = {
    "add": "workers.data_tools.adding",
    "check": "workers.data_tools.checking",
    "pack": "workers.data_tools.packing",
    "sample": "workers.data_tools.sample",
}
_USAGE = "python -m workers.data_tools add|check|pack|sample --json REQUEST"


def main(argv: list[str]) -> int:
    """Runs one verb; prints `{"result": ...}` or `{"error": ...}` and returns the exit code."""
    # A broken EXIF is nothing to tell about; a picture that claims to be huge is.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    try:
        answer, code = {"result": _run(argv)}, 0
    except SrqueueError as error:
        answer, code = _error(error, ""), error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        wrapped = SrqueueError(
            f"the data tools failed: {type(error).__name__}: {error}", hint="this is a bug"
        )
        answer, code = _error(wrapped, traceback.format_exc()), 1
    print(json.dumps(answer), flush=True)
    return code


def _run(argv: list[str]) -> dict[str, Any]:
    if len(argv) != 3 or argv[1] != "--json":
        raise UsageError("the data tools take a verb and a request", hint=_USAGE)
    if argv[0] not in VERBS:
        raise UsageError(f"the data tools have no verb {argv[0]!r}", hint=did_you_mean(argv[0], VERBS))
    try:
        request = json.loads(sys.stdin.read() if argv[2] == "-" else argv[2])
    except json.JSONDecodeError as error:
        raise UsageError(f"the request is not JSON: {error}", hint=_USAGE) from None
    result: dict[str, Any] = import_module(VERBS[argv[0]]).answer(request)
    return result


def _error(error: SrqueueError, trace: str) -> dict[str, Any]:
    return {
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            "where": error.where,
            "hint": error.hint,
            "trace": trace,
        }
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
