"""TensorBoard's event files of a run, by tensorboardX; or `python -m srqueue.report.tensorboard RUN_DIR`."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.report.flat import config, figures
from srqueue.report.subject import Subject
from srqueue.run.folder import RunDir


def installed() -> bool:
    """Whether the files can be written here."""
    return find_spec("tensorboardX") is not None


def write_tensorboard(subject: Subject, folder: Path) -> Path:
    """Writes curves, marks, figures and spec into `folder`, in place of what an earlier call wrote there.

    Raises UsageError without the extra `tensorboard`, OSError where it cannot be written.
    """
    if not installed():
        raise UsageError("TensorBoard's files need tensorboardX", hint="pip install 'srqueue[tensorboard]'")
    from tensorboardX import SummaryWriter

    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    begun = next((t.begun for t in subject.tries if t.begun), 0.0) or 0.0
    with SummaryWriter(logdir=str(new), write_to_disk=True) as writer:
        for key, curve in sorted(subject.history.curves.items()):
            for it, hours, value in zip(curve.it, curve.hours, curve.values, strict=True):
                writer.add_scalar(key, value, it, walltime=begun + hours * 3600)
        lines = [f"    {key}: {value}" for key, value in config(subject).items()]  # four blanks: as it is
        writer.add_text("spec", "\n".join(lines), 0)
        for mark in subject.history.marks:
            if mark.kind != "checkpoint":
                writer.add_text(f"events/{mark.kind}", f"    {' '.join(mark.text.split())}", mark.it)
        for key, value in figures(subject).items():
            if key not in subject.history.curves:
                writer.add_scalar(f"final/{key}", value, subject.history.iteration)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return folder


if __name__ == "__main__":
    from srqueue.report.folders import from_folder

    os.nice(10)  # trainings come first
    _run = RunDir(Path(sys.argv[1]))
    write_tensorboard(from_folder(_run), _run.tensorboard)
