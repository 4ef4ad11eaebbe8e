"""Entry point of `srqueue`: nothing is imported before Ctrl-C is taken care of.

Exit codes: 0 done, 1 failed, 2 wrong usage or spec, 3 Redis or a worker cannot be reached, 130 interrupted.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

_OBJECTS = 50_000
"""Between two looks for garbage: imports leave none, and looking takes a twentieth of a short command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    gc.set_threshold(_OBJECTS)
    try:
        from srqueue.cli.running import run

        return run(argv)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
