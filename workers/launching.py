"""Starting a trainer's process: its command line and its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

from srqueue.variables import LOGGER_SECRETS, REMOTE_SECRETS, SECRET_VARIABLES


def launch(
    arguments: Sequence[str], threads: int, stdout: IO[bytes] | int, stderr: int | None
) -> subprocess.Popen[bytes]:
    """Starts `python -m workers.trainer` as leader of its own process group, with a pipe to its stdin."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # so that cuda:1 is nvidia-smi's GPU 1
    }
    for name in (*SECRET_VARIABLES, *REMOTE_SECRETS, *LOGGER_SECRETS):  # the trainer needs none of them
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "workers.trainer", *arguments],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )
