"""The supervisor asks its trainer to stop, by a line."""

import json

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import TOTAL, VAL_FREQ, assert_same


def test_the_supervisor_stops_it_by_a_line(job, undisturbed, wait_until):
    for token, reason in ((1, "drained"), (2, "preempted"), (3, "yielded")):
        process = job.start(token, job.newest(), supervised=True)
        wait_until(lambda: job.saved_by(token), "a commit of this attempt")  # noqa: B023
        process.stdin.write(json.dumps({"stop": reason}).encode() + b"\n")
        process.stdin.flush()
        assert process.wait(30) == 0
        assert job.outcome(token).reason == StopReason(reason)
        assert job.newest().iteration == job.outcome(token).iteration < TOTAL
    job.finish(4, job.newest())
    assert_same(job, undisturbed)


def test_a_lost_lease_saves_nothing_more(job, wait_until):
    process = job.start(1, supervised=True, fresh=True)
    wait_until(lambda: job.saved_by(1), "a commit")
    process.stdin.write(b'{"stop": "lease_lost"}\n')
    process.stdin.flush()
    assert process.wait(30) == 0
    outcome = job.outcome(1)
    assert outcome.reason is StopReason.LEASE_LOST
    assert outcome.iteration % VAL_FREQ == 0 or job.newest().iteration < outcome.iteration
