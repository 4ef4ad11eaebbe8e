"""A spare trainer: it has imported torch and all that an attempt needs, and waits to be told which one.

It touches no CUDA while it waits. What it was started with as its standard output is a pipe, through which
it says that it is ready, and that it has taken an attempt; from then on it is a trainer like any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srqueue.run.folder import RunDir
from workers.trainer.process import ORPHANED, set_thread_count

READY = b"ready\n"
TAKEN = b"taken\n"

_GENTLE = 10
"""Nice value of the import: a training may be running beside it."""
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_FIRST_TO_GO = 900
"""Where memory is short the kernel ends an idle spare before any training."""


def wait_for_attempt(threads: int) -> tuple[Path, int]:
    """(run folder, token) of the attempt to work on; ends the process where its supervisor dies first.

    `threads`: as for every attempt that it may be given.
    """
    set_thread_count(threads)
    supervisor = os.dup(1)
    os.dup2(2, 1)  # what an import prints is for the worker's log
    with _first_to_go():
        _import_gently()
        os.write(supervisor, READY)
        line = _first_line()
    told = json.loads(line)
    run, token = Path(told["run"]), int(told["token"])
    log = os.open(RunDir(run).attempt(token).log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.write(supervisor, TAKEN)
    os.close(supervisor)
    os.close(log)
    return run, token


def import_everything() -> None:
    """Imports what an attempt would import, also what torch loads only when it is first asked for it."""
    import torch
    from PIL import Image

    import workers.trainer.attempt
    import workers.trainer.budget  # noqa: F401

    torch.use_deterministic_algorithms(True)
    Image.preinit()


def _import_gently() -> None:
    """In a thread of its own: on Linux niceness is a thread's, and nobody but root could take it back."""
    import numpy  # noqa: F401 - in the main thread: the threads of its BLAS would stay gentle

    failed: list[BaseException] = []

    def work() -> None:
        with contextlib.suppress(OSError):  # elsewhere a thread has none of its own
            gentle = max(_GENTLE, os.getpriority(os.PRIO_PROCESS, 0))
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), gentle)
        try:
            import_everything()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="imports")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@contextmanager
def _first_to_go() -> Iterator[None]:
    """Within the block this process is the first that the kernel ends for lack of memory."""
    before = None
    with contextlib.suppress(OSError):  # not Linux
        before = _OOM_SCORE.read_text()
        _OOM_SCORE.write_text(str(_FIRST_TO_GO))
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(OSError):
                _OOM_SCORE.write_text(before)


def _first_line() -> bytes:
    """From the raw descriptor and not a byte more: what follows are requests to stop."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(ORPHANED)
        line += byte
    return line
