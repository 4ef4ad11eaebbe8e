"""Redis loses everything under a training."""

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from tests.faults.queued import TOTAL, run_of


def test_an_emptied_redis_does_not_stop_a_healthy_training(client, running, start_worker, wait_until):
    worker = start_worker()
    job = running()
    client.store.connection.redis.flushall()
    outcome = wait_until(lambda: Outcome.read(run_of(job).attempt(1).outcome_file), "the training ends")
    assert (outcome.reason, outcome.iteration) == (StopReason.COMPLETED, TOTAL)
    wait_until(lambda: "has lost its data" in worker.text(), "the worker says so")
    assert worker.process.poll() is None
