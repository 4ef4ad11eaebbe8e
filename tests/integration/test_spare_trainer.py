"""A trainer stands ready beside a worker, and nothing depends on it."""

import os
import signal

import psutil
import pytest

from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from tests.faults.queued import gone, run_of, spares

TOTAL = 120


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, TOTAL)


@pytest.fixture
def ready(wait_until):
    """The spare of a worker, once it has said so for the `count`th time."""

    def ready(worker, count=1):
        wait_until(lambda: worker.text().count("a trainer stands ready") >= count, "a spare is ready", 120)
        (spare,) = spares(worker)
        return spare

    return ready


def trainer_pid(client, job, token=1):
    return RunDir(client.settings.runs_root / job.id).attempt(token).read()["trainer"]["pid"]


def test_a_job_is_trained_by_the_process_that_waited_and_has_the_same_bits(
    client, settings, spec, start_worker, ready, twin, left_by
):
    worker = start_worker(WARM="true")
    spare = ready(worker)
    job = client.submit(spec).job
    done = client.wait(job.id, timeout=60)
    assert done.state is JobState.SUCCEEDED and done.attempts == 1
    assert trainer_pid(client, job) == spare.pid
    assert left_by(run_of(done), TOTAL) == twin(settings, spec)
    # The next one is made beside the job, or after it.
    assert ready(worker, 2).pid != spare.pid
    assert gone(spare)


def test_a_spare_that_dies_or_is_stopped_costs_nothing_but_a_cold_start(
    client, spec, start_worker, ready, wait_until
):
    worker = start_worker(WARM="true")
    spare = ready(worker)
    spare.send_signal(signal.SIGSTOP)
    first = client.submit(spec).job
    assert client.wait(first.id, timeout=60).state is JobState.SUCCEEDED
    assert trainer_pid(client, first) != spare.pid
    wait_until(lambda: gone(spare), "the stopped one is ended")

    ready(worker, 2).kill()
    second = client.submit(spec, again=True).job
    assert client.wait(second.id, timeout=60).state is JobState.SUCCEEDED
    ready(worker, 3)  # it is replaced, though no job was given to it


def test_a_job_of_other_threads_begins_anew_and_the_next_spare_has_as_many(
    client, settings, spec, start_worker, ready, twin, left_by
):
    worker = start_worker(WARM="true")
    spare = ready(worker)
    two = spec.model_copy(update={"compute": spec.compute.model_copy(update={"threads": 2})})
    job = client.submit(two).job
    done = client.wait(job.id, timeout=90)
    assert done.state is JobState.SUCCEEDED and trainer_pid(client, job) != spare.pid
    new = ready(worker, 2)
    assert (new.environ()["OMP_NUM_THREADS"], "SRQUEUE_REDIS_URL" in new.environ()) == ("2", False)
    again = client.submit(two, again=True).job
    assert client.wait(again.id, timeout=90).state is JobState.SUCCEEDED
    assert trainer_pid(client, again) == new.pid
    assert left_by(run_of(client.get(again.id)), TOTAL) == left_by(run_of(done), TOTAL)


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM"])
def test_no_spare_is_left_of_a_worker_that_ended(settings, start_worker, ready, wait_until, end):
    worker = start_worker(WARM="true")
    spare = ready(worker)
    os.kill(worker.process.pid, getattr(signal, end))
    worker.process.wait(30)
    wait_until(lambda: gone(spare), "its spare ends", 10)


def test_a_spare_ends_with_the_process_that_keeps_it(settings, start_worker, ready, wait_until):
    worker = start_worker(WARM="true")
    spare = ready(worker)
    psutil.Process(spare.ppid()).kill()
    wait_until(lambda: gone(spare), "its spare ends", 10)
    ready(worker, 2)  # of the child that has taken its place


def test_without_it_no_process_waits(client, spec, start_worker):
    worker = start_worker(WARM="false")
    job = client.submit(spec).job
    assert client.wait(job.id, timeout=60).state is JobState.SUCCEEDED
    assert spares(worker) == [] and "stands ready" not in worker.text()
