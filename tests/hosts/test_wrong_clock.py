"""A worker whose clock is two days behind: times on records are Redis', so nothing waits or expires."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.queued import assert_exact, assert_one_run, run_of

DAYS = 86400.0


@pytest.fixture
def other_clock(tmp_path):
    """A library that shifts the wall clock of who loads it."""
    if shutil.which("cc") is None:
        if os.environ.get("HOSTS_TESTS") == "required":
            pytest.fail("there is no C compiler (Debian: gcc)")
        pytest.skip("there is no C compiler here")
    library = tmp_path / "other_clock.so"
    source = Path(__file__).with_name("other_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    return library


def test_the_times_of_a_job_are_those_of_redis(
    lab, client, submit, work_on, undisturbed_job, note, other_clock
):
    worker = work_on(lab.one, LD_PRELOAD=str(other_clock), CLOCK_OFF_BY=str(int(-2 * DAYS)))
    done = client.wait(submit(client).id, timeout=300)
    events = list(run_of(done).events())
    assert time.time() - max(event.t for event in events) > 1.9 * DAYS  # it is wrong there
    for moment in (done.created, done.claimed, done.started, done.finished, done.updated):
        assert abs(time.time() - moment) < 0.1 * DAYS
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)
    assert "Traceback" not in worker.text()
    note("a worker whose clock is two days behind", done)
