"""The shipped batch script with a real worker: before its limit it hands over and asks for more time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from srqueue.queue.client import Client
from tests.conftest import ROOT
from tests.deploy.conftest import DEPLOY

# Not Slurm's: it only notes that it was called.
SCONTROL = '#!/bin/sh\necho "$@" >> "$SCONTROL_CALLED"\n'


def test_before_its_limit_a_worker_hands_over_and_the_allocation_is_queued_again(
    settings, tiny_dataset, tiny_spec, wait_until, tmp_path
):
    client = Client(settings)
    entry = tiny_dataset(settings)
    job = client.submit(tiny_spec(entry.identity, 200_000)).job
    commands, called = tmp_path / "bin", tmp_path / "called"
    commands.mkdir()
    (commands / "scontrol").write_text(SCONTROL)
    (commands / "srqueue").write_text(f'#!/bin/sh\nexec {sys.executable} -m srqueue.cli "$@"\n')
    for file in commands.iterdir():
        file.chmod(0o755)
    env = os.environ | {
        "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "SLURM_JOB_ID": "77",
        "SCONTROL_CALLED": str(called), "HOME": str(tmp_path), "SRQUEUE_DEVICE": "cpu",
    }  # fmt: skip
    log = Path(tmp_path / "slurm.log")
    with log.open("wb") as file:
        batch = subprocess.Popen(
            ["bash", str(DEPLOY / "slurm" / "srqueue-worker.sbatch")], env=env, cwd=tmp_path, stdout=file,
            stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: client.get(job.id).iteration > 0 or batch.poll() is not None, "the job runs", 120)
        assert batch.poll() is None, log.read_text()
        assert client.get(job.id).worker.startswith("slurm-77@")
        batch.send_signal(signal.SIGUSR1)  # to the batch script alone, as --signal=B:USR1@180 does
        assert batch.wait(60) == 0, log.read_text()
    finally:
        if batch.poll() is None:
            os.killpg(batch.pid, signal.SIGKILL)
    left = client.get(job.id)
    assert left.state == "queued" and left.iteration > 0, log.read_text()
    assert called.read_text() == "requeue 77\n"
    assert "the worker saves and gives its jobs back" in log.read_text()
