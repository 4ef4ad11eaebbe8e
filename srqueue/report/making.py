"""The report that is made by itself at the end of a job. It never fails anything."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

from srqueue.errors import SrqueueError
from srqueue.report import tensorboard
from srqueue.report.folders import from_folder
from srqueue.report.page import installed, page
from srqueue.report.subject import Subject
from srqueue.run.atomic import write_file
from srqueue.run.folder import RunDir
from srqueue.settings import SECRET_VARIABLES

log = logging.getLogger(__name__)

TENSORBOARD_SECONDS = 300.0
PATIENCE = 5.0
"""Seconds that the next job waits at most; what takes longer goes on beside it."""


def make_report(run: RunDir, subject: Subject | None = None) -> bool:
    """Writes report.html, and TensorBoard's files where tensorboardX is installed; False where it could not.

    `subject`: what is known beside the run folder. Nothing is done where plotly or jinja2 is missing.
    """
    if not installed():
        return False
    try:
        found = subject or from_folder(run)
        write_file(run.report, page([found], found.label).encode())
        if tensorboard.installed():
            _write_tensorboard(run)
    except SrqueueError as error:
        log.warning("no report of %s: %s", run.job_id, error.message)
    except Exception as error:  # whatever it is, the job has ended well
        log.warning("no report of %s: %s: %s", run.job_id, type(error).__name__, error)
        log.debug("the report that failed", exc_info=True)
    else:
        return True
    return False


def _write_tensorboard(run: RunDir) -> None:
    """In a process of its own: a worker lives for weeks, and need not hold numpy and protobuf for it.

    Where the worker ends meanwhile, it goes on and ends by itself.
    """
    argv = [sys.executable, "-m", "srqueue.report.tensorboard", str(run.path)]
    environment = {key: value for key, value in os.environ.items() if key not in SECRET_VARIABLES}
    child = subprocess.Popen(
        argv, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        code = child.wait(TENSORBOARD_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    if code:
        log.warning("no TensorBoard files of %s (exit code %s)", run.job_id, code)


def make_beside(run: RunDir) -> threading.Thread:
    """The same in a thread; returns once it is made, or after PATIENCE."""
    thread = threading.Thread(target=make_report, args=(run,), name="report")
    thread.start()
    thread.join(PATIENCE)
    return thread
