"""SIGSTOP to the supervisor alone: its trainer goes on, until another worker takes the job over."""

import os
import signal

import psutil
import pytest

from tests.faults.queued import Published, assert_exact, gone, run_of, trainer_of


def written_by(run, token):
    """Files of an attempt and its checkpoints, with what would show a write to them."""
    saved = [run.checkpoints / str(n) for n in run.checkpoint_names() if n.token == token]
    files = [f for folder in (run.attempt(token).path, *saved) for f in folder.rglob("*")]
    return {f: (f.stat().st_size, f.stat().st_mtime_ns) for f in files}


@pytest.mark.parametrize("host", ["first", "second"])
def test_a_frozen_supervisor_is_taken_over_and_then_changes_nothing(
    client, submit, start_worker, undisturbed_job, wait_until, host
):
    """On the same host the successor ends the old trainer; on another one that shares the folder it must
    end by itself, long before its next checkpoint is due."""
    start_worker("w1", host="first")
    job = submit(client)
    start_worker("w2", host=host, WARM="true")
    old, published = trainer_of(job), Published(client, job)
    supervisor = psutil.Process(old.ppid())
    os.kill(supervisor.pid, signal.SIGSTOP)
    run = run_of(job)
    wait_until(lambda: published.look() and client.get(job.id).token == 2, "another worker takes over")
    wait_until(lambda: gone(old), "the old trainer ends, though nobody answers for it")
    wait_until(lambda: published.look() and published.seen[-1][0] == 2, "the successor publishes")
    before = written_by(run, 1)
    os.kill(supervisor.pid, signal.SIGCONT)
    done = client.wait(job.id, timeout=120)
    published.assert_grown()
    assert (done.token, done.attempts, done.failures) == (2, 2, 0)
    assert_exact(client, done, undisturbed_job)
    assert written_by(run, 1).items() <= before.items()  # some were pruned by the successor
