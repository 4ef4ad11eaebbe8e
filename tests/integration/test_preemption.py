"""A running job gives way to a better one and goes on afterwards, with the bits of its undisturbed twin."""

import contextlib
from pathlib import Path

import psutil
import pytest

from srqueue.cli.running import run as srqueue
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason

TOTAL = 2000  # iterations: a job that runs for long enough to be stopped several times
OFTEN = {"val": {"val_freq": TOTAL // 10}}


@pytest.fixture
def client(environment, valkey):
    return Client(environment(valkey, PREEMPT_WAIT="0.3", PREEMPT_RUN="0.5"))


@pytest.fixture
def specs(client, tiny_dataset, tiny_spec):
    """The long job, and a short one."""
    identity = tiny_dataset(client.settings).identity
    short = tiny_spec(identity, 60, name="urgent")
    return tiny_spec(identity, TOTAL, **OFTEN), short


@pytest.fixture
def running(client, specs, wait_until):
    """The long job, once it runs and has a checkpoint of its newest attempt."""

    def running(priority=3):
        job = client.submit(specs[0], priority=priority).job
        wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
        return client.get(job.id)

    return running


def run_of(job):
    return RunDir(Path(job.run_dir))


def trainer_of(job, token):
    noted = run_of(job).attempt(token).read()["trainer"]
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(noted["pid"])
        if abs(process.create_time() - noted["create_time"]) < 1 and process.status() != "zombie":
            return process
    return None


def iteration_of(name):
    return int(name.split("-it")[1].split("-")[0])


def test_a_running_job_gives_way_to_a_better_one_and_goes_on_exactly(
    client, specs, running, start_worker, twin, left_by, wait_until, capsys
):
    worker = start_worker(WARM="true")
    low = running()
    high = client.submit(specs[1], priority=8).job
    better = f"urgent {high.short_id} (priority 8)"
    wait_until(lambda: client.get(low.id).reason is StopReason.PREEMPTED, "the long job gives way")
    waiting = client.get(low.id)
    assert waiting.message == f"gave way to {better}" and waiting.preempted_by == high.id
    assert (waiting.state, waiting.owner, waiting.failures) == (JobState.QUEUED, None, 0)
    assert trainer_of(waiting, 1) is None  # the device is free
    done = client.wait(high.id, timeout=120)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 1)
    assert srqueue(["show", low.id]) == 0
    assert "gave way    1 time\n" in capsys.readouterr().out

    ended = client.wait(low.id, timeout=120)
    assert (ended.state, ended.attempts, ended.preemptions, ended.failures) == (JobState.SUCCEEDED, 2, 1, 0)
    assert done.finished < ended.finished
    first = Outcome.read(run_of(ended).attempt(1).outcome_file)
    assert first.reason is StopReason.PREEMPTED and 0 < first.iteration < TOTAL
    # Nothing was lost: it goes on where it stopped.
    assert iteration_of(run_of(ended).attempt(2).read()["resume"]) == first.iteration
    assert left_by(run_of(ended), TOTAL) == twin(client.settings, specs[0])
    assert worker.process.poll() is None and "Traceback" not in worker.text()


def test_equals_do_not_disturb_each_other(client, specs, running, start_worker):
    start_worker()
    first = running(priority=8)
    second = client.submit(specs[1], priority=8).job
    client.wait(first.id, timeout=120)
    done = client.wait(second.id, timeout=120)
    first = client.get(first.id)
    assert (first.state, first.attempts, first.preemptions) == (JobState.SUCCEEDED, 1, 0)
    assert done.state is JobState.SUCCEEDED and first.finished < done.finished


def test_pause_preemption_and_drain_of_one_run_leave_no_trace(
    client, specs, running, start_worker, twin, left_by, wait_until
):
    worker = start_worker("w1")
    low = running()
    client.pause(low.id)
    paused = client.wait(low.id, timeout=60)
    assert paused.state is JobState.PAUSED and trainer_of(paused, 1) is None  # its memory is free
    client.resume(low.id)

    def goes_on(token):
        job = client.get(low.id)
        return job.token == token and job.iteration > paused.iteration and job.progress.get("it_s")

    wait_until(lambda: goes_on(2), "it goes on after the pause")
    high = client.submit(specs[1], priority=8).job
    assert client.wait(high.id, timeout=120).state is JobState.SUCCEEDED
    wait_until(lambda: goes_on(3) or client.get(low.id).state.final, "it goes on after the other")
    assert srqueue(["drain", "w1@here", "--wait", "60"]) == 0
    assert worker.process.wait(60) == 0
    start_worker("w2")
    done = client.wait(low.id, timeout=120)
    attempts = [Outcome.read(a.outcome_file) for a in run_of(done).attempts()]
    assert [a.reason for a in attempts] == ["paused", "preempted", "drained", "completed"]
    for before, after in zip(attempts, run_of(done).attempts()[1:], strict=False):
        assert iteration_of(after.read()["resume"]) == before.iteration
    assert (done.failures, done.preemptions) == (0, 1)
    assert left_by(run_of(done), TOTAL) == twin(client.settings, specs[0])
