"""A job whose trainer dies each time."""

from ulid import ULID

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import trainer_of


def test_a_trainer_that_always_dies_before_a_checkpoint_ends_as_failed(
    client, spec_for, start_worker, wait_until
):
    worker = start_worker()
    job = client.submit(spec_for(client)).job
    for token in (1, 2, 3):
        wait_until(lambda t=token: client.get(job.id).token == t, f"attempt {token} begins")
        trainer = wait_until(lambda: trainer_of(client.get(job.id)), "the trainer is noted")
        trainer.kill()
    done = client.wait(job.id, timeout=30)
    assert (done.state, done.reason, done.failures) == (JobState.FAILED, StopReason.NO_PROGRESS, 3)
    assert "SIGKILL" in done.message
    assert worker.process.poll() is None and "Traceback" not in worker.text()


def test_a_record_that_does_not_parse_is_set_aside_and_hurts_nobody(client, spec_for, start_worker):
    worker = start_worker()
    poison = str(ULID())
    client.store.create(
        poison, spec={"name": "poison", "network_g": 7}, origins={}, spec_id="x", name="poison", priority=9,
        total_iter=1,
    )  # fmt: skip
    good = client.submit(spec_for(client)).job
    done = client.wait(good.id, timeout=90)
    assert done.state is JobState.SUCCEEDED
    failed = client.get(poison)
    assert (failed.state, failed.reason, failed.attempts) == (JobState.FAILED, StopReason.SPEC_INVALID, 1)
    assert worker.process.poll() is None and "Traceback" not in worker.text()
