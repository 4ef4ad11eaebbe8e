"""A worker whose clock is two days behind: times on records are Redis', so nothing waits or expires."""

import os
import time
from pathlib import Path

import pytest

from tests.faults.queued import assert_exact, assert_one_run, run_of

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DAYS = 86400.0


def test_the_times_of_a_job_are_those_of_redis(lab, client, submit, work_on, undisturbed_job, note):
    if not LIBRARIES:
        if os.environ.get("HOSTS_TESTS") == "required":
            pytest.fail("libfaketime is not installed")
        pytest.skip("libfaketime (Debian: libfaketime) is not installed")
    worker = work_on(lab.one, LD_PRELOAD=str(LIBRARIES[0]), FAKETIME="-2d", FAKETIME_DONT_FAKE_MONOTONIC="1")
    done = client.wait(submit(client).id, timeout=300)
    events = list(run_of(done).events())
    assert time.time() - max(event.t for event in events) > 1.9 * DAYS  # it is wrong there
    for moment in (done.created, done.claimed, done.started, done.finished, done.updated):
        assert abs(time.time() - moment) < 0.1 * DAYS
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)
    assert "Traceback" not in worker.text()
    note("a worker whose clock is two days behind", done)
