"""`srqueue drain`: jobs are handed over or finished, the workers end, and nobody counts on them meanwhile."""

import json
import signal
import socket
from pathlib import Path

import pytest

from srqueue.cli.running import run as srqueue
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason

TOTAL = 2000
OFTEN = {"val": {"val_freq": TOTAL // 10}}
HOST = socket.gethostname()


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def long(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, TOTAL, **OFTEN)


@pytest.fixture
def short(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, 40, name="short")


@pytest.fixture
def running(client, long, wait_until):
    def running():
        job = client.submit(long).job
        wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
        return client.get(job.id)

    return running


def announced(client, name="w1@here"):
    return next((w for w in client.store.workers() if w.name == name), None)


def test_a_drained_worker_hands_its_job_over_and_ends(
    client, long, running, start_worker, twin, left_by, capsys, wait_until
):
    workers = {f"{name}@here": start_worker(name) for name in ("w1", "w2")}
    wait_until(lambda: len(client.store.workers()) == 2, "both are announced")
    job = running()
    own = job.owner.rpartition(":")[0]
    assert srqueue(["drain", own, "--wait", "60"]) == 0
    assert capsys.readouterr().out == f"{own} hands tiny {job.short_id} over and stops\n"
    assert announced(client, own) is None
    assert workers[own].process.wait(30) == 0
    done = client.wait(job.id, timeout=120)
    assert (done.state, done.token, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 2, 0)
    run = RunDir(Path(done.run_dir))
    first = Outcome.read(run.attempt(1).outcome_file)
    assert first.reason is StopReason.DRAINED
    assert f"-it{first.iteration}-" in run.attempt(2).read()["resume"]
    assert left_by(run, TOTAL) == twin(client.settings, long)


def test_a_finishing_worker_takes_nothing_more_and_ends_with_its_job(
    client, running, short, start_worker, capsys, wait_until
):
    worker = start_worker()
    job = running()
    assert srqueue(["drain", HOST, "--finish", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {
        "worker": "w1@here", "host": HOST, "how": "finish", "jobs": [{"id": job.id, "name": "tiny"}],
    }  # fmt: skip
    wait_until(lambda: announced(client).draining == "finish", "it says so")
    better = client.submit(short, priority=9).job
    assert "w1@here" in client.why_waiting(better) and "takes no more jobs" in client.why_waiting(better)
    # It lives on for its job: announced, and the lease renewed.
    seen = client.get(job.id).iteration
    wait_until(lambda: client.get(job.id).iteration > seen, "the job goes on")
    assert srqueue(["drain", HOST, "--finish", "--wait", "0.1"]) == 1
    assert "still up after 0.1 s: w1@here" in capsys.readouterr().err
    assert worker.process.wait(120) == 0
    done = client.get(job.id)
    assert (done.state, done.attempts, done.iteration) == (JobState.SUCCEEDED, 1, TOTAL)
    assert client.get(better.id).attempts == 0
    assert client.store.workers() == () and "Traceback" not in worker.text()


@pytest.mark.parametrize("by", ["drain", "SIGTERM"])
def test_a_finishing_worker_can_still_be_made_to_hand_over(client, running, start_worker, by, wait_until):
    worker = start_worker()
    job = running()
    assert srqueue(["drain", "w1@here", "--finish"]) == 0
    wait_until(lambda: announced(client).draining == "finish", "it says so")
    wait_until(lambda: "Warm shutdown" in worker.text(), "it has begun to end")
    assert worker.process.poll() is None
    if by == "drain":
        assert srqueue(["drain", HOST]) == 0
    else:
        worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    left = client.get(job.id)
    assert (left.state, left.reason, left.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
    assert 0 < left.iteration < TOTAL


def test_a_worker_that_was_started_again_is_not_drained_again(
    client, short, start_worker, capsys, wait_until
):
    first = start_worker()
    wait_until(lambda: announced(client), "it is announced")
    assert srqueue(["drain", "w1@here", "--wait", "60"]) == 0
    assert capsys.readouterr().out == "w1@here has no job and stops\n"
    assert first.process.wait(30) == 0
    assert client.store.connection.redis.exists("srq:drain:w1@here")  # the request is still there
    again = start_worker()
    assert client.wait(client.submit(short).job.id, timeout=120).state is JobState.SUCCEEDED
    wait_until(lambda: announced(client), "it is announced")
    assert again.process.poll() is None and announced(client).draining is None


def test_an_unknown_host_is_told_with_those_that_are_near(client, start_worker, capsys, wait_until):
    assert srqueue(["drain", "nowhere"]) == 2
    assert "no worker is up" in capsys.readouterr().err
    start_worker()
    wait_until(lambda: announced(client), "it is announced")
    assert srqueue(["drain", "w1@her"]) == 2
    error = capsys.readouterr().err
    assert "no host 'w1@her'" in error and "did you mean 'w1@here'?" in error
    assert srqueue(["drain", f"{HOST}x"]) == 2
    assert f"'{HOST}'" in capsys.readouterr().err
