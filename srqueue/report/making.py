"""The report that is made by itself at the end of a job. It never fails anything."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import replace

from srqueue.errors import SrqueueError
from srqueue.report import tensorboard
from srqueue.report.folders import from_folder
from srqueue.report.page import installed, page
from srqueue.run.atomic import write_file
from srqueue.run.folder import RunDir
from srqueue.store.record import JobRecord
from srqueue.variables import SECRET_VARIABLES

log = logging.getLogger(__name__)

TENSORBOARD_SECONDS = 300.0
PATIENCE = 5.0
"""Seconds that the next job waits at most; what takes longer goes on beside it."""


def make_report(run: RunDir, end: JobRecord | None = None) -> bool:
    """Writes report.html; False where it could not.

    `end`: the record of the job, which knows better than the folder what became of it. Nothing is done where
    plotly or jinja2 is missing.
    """
    if not installed():
        return False
    try:
        found = from_folder(run)
        if end is not None:
            reason = str(end.reason) if end.reason else found.reason
            found = replace(found, state=str(end.state), reason=reason, message=end.message or found.message)
        write_file(run.report, page([found], found.label).encode())
    except SrqueueError as error:
        log.warning("no report of %s: %s", run.job_id, error.message)
    except Exception as error:  # whatever it is, the job has ended well
        log.warning("no report of %s: %s: %s", run.job_id, type(error).__name__, error)
        log.debug("the report that failed", exc_info=True)
    else:
        return True
    return False


def write_tensorboard(run: RunDir) -> None:
    """TensorBoard's files, where tensorboardX is installed; a failure is only logged.

    In a process of its own, which gives way to trainings: a worker lives for weeks, and need not hold numpy
    and protobuf for it. Where the worker ends meanwhile, it goes on and ends by itself.
    """
    if not tensorboard.installed():
        return
    argv = [sys.executable, "-m", "srqueue.report.tensorboard", str(run.path)]
    environment = {key: value for key, value in os.environ.items() if key not in SECRET_VARIABLES}
    try:
        child = subprocess.Popen(
            argv, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        log.warning("no TensorBoard files of %s: %s", run.job_id, error.strerror or error)
        return
    try:
        code = child.wait(TENSORBOARD_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    if code:
        log.warning("no TensorBoard files of %s (exit code %s)", run.job_id, code)


def make_beside(run: RunDir, end: JobRecord | None = None) -> None:
    """The report, waited for PATIENCE at most; then TensorBoard's files, beside whatever comes next."""
    made = threading.Thread(target=make_report, args=(run, end), name="report")
    made.start()
    made.join(PATIENCE)
    threading.Thread(target=write_tensorboard, args=(run,), name="tensorboard").start()
