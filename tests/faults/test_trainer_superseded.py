"""A later attempt has begun, and nobody can tell the trainer of the earlier one: its supervisor is frozen."""

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import make_job


def test_it_ends_by_itself_long_before_its_next_checkpoint(tmp_path, pictures, tiny_spec, wait_until):
    often = {"print_freq": 20, "save_checkpoint_seconds": 600}
    job = make_job(tmp_path, pictures, tiny_spec, 10**6, val={"val_freq": 10**6}, logger=often)
    process = job.start(1, supervised=True)
    try:
        wait_until(lambda: any(e.kind == "train" for e in job.run.events()), "it trains")
        assert job.newest() is None
        job.run.write_attempt(2, None)
        assert process.wait(60) == 0
        assert job.outcome(1).reason is StopReason.LEASE_LOST
        assert job.newest() is None  # and it has saved nothing
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
