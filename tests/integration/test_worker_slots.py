"""One worker, several jobs at a time."""

import pytest

from srqueue.queue.client import Client
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, trainer_of, trainers
from workers.devices import cores

pytestmark = pytest.mark.skipif(cores() < 2, reason="two slots need two cores")


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def specs(settings, tiny_dataset, tiny_spec):
    identity = tiny_dataset(settings).identity
    return [tiny_spec(identity, 100_000, manual_seed=seed) for seed in range(3)]


def test_two_slots_train_two_jobs_a_third_waits_and_sigterm_hands_both_back(
    client, specs, start_worker, wait_until
):
    worker = start_worker(SLOTS="2", WARM="true")
    (announced,) = wait_until(client.store.workers, "the worker announces itself")
    assert announced.device == "cpu, 2 slots"
    jobs = [client.submit(spec).job for spec in specs]

    def running():
        return client.list(states=[JobState.RUNNING])

    wait_until(
        lambda: len(running()) == 2 and all(j.seq is not None for j in running()), "two are trained", 90
    )
    both = running()
    owners, processes = {job.owner for job in both}, {trainer_of(job).pid for job in both}
    assert len(owners) == len(processes) == 2
    assert {owner.rpartition(":")[0] for owner in owners} == {announced.name}
    (third,) = [job.id for job in jobs if job.id not in {one.id for one in both}]
    assert (client.get(third).state, client.get(third).attempts) == (JobState.QUEUED, 0)

    worker.terminate()
    assert worker.process.wait(60) == 0
    for job in both:
        left = client.get(job.id)
        assert (left.state, left.reason, left.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
        assert Outcome.read(run_of(left).attempt(1).outcome_file).seq == left.seq
        assert trainers(run_of(left)) == []
    assert client.get(third).attempts == 0


def test_a_slot_that_is_free_takes_the_job_that_waits(client, specs, start_worker, wait_until):
    start_worker(SLOTS="2")
    jobs = [client.submit(spec).job for spec in specs]
    wait_until(lambda: len(client.list(states=[JobState.RUNNING])) == 2, "two run", 90)
    client.cancel(client.list(states=[JobState.RUNNING])[0].id)
    wait_until(
        lambda: sum(client.get(job.id).state is JobState.RUNNING for job in jobs) == 2, "the third runs", 90
    )


def test_more_slots_than_cores_are_refused(environment, valkey, start_worker):
    environment(valkey, SLOTS="16", THREADS="1024")
    with pytest.raises(AssertionError, match="16 slots of 1024 threads are more than the"):
        start_worker()
