"""The supervisor dies: its trainer ends with it."""

import subprocess
import sys

import psutil
import pytest

from tests.faults.by_hand import ENVIRONMENT


def test_the_end_of_its_stdin_ends_it_at_once(job, wait_until):
    process = job.start(1, supervised=True, fresh=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.stdin.close()
    assert process.wait(30) == 70
    assert job.outcome(1) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PDEATHSIG is Linux's")
def test_it_dies_with_its_parent_even_where_stdin_stays_open(job, wait_until):
    job.run.write_attempt(
        1, None, listings={"train": job.listing, "val": job.listing}, device="cpu", threads=1
    )
    argv = [sys.executable, "-m", "workers.trainer", str(job.run.path), "--token", "1", "--supervised"]
    code = f"import subprocess; p = subprocess.Popen({argv!r}); print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    job.processes.append(parent)
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: job.saved_by(1), "a commit")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the trainer ends", 10
    )
    assert job.outcome(1) is None
