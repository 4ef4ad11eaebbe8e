"""Redis freezes for longer than a lease."""

import signal

from srqueue.run.outcome import Outcome
from tests.faults.queued import assert_one_run, assert_stream_is_whole, run_of


def test_redis_frozen_for_longer_than_a_lease_changes_nothing(
    own_client, own_valkey, submit, start_worker, wait_until
):
    client = own_client
    start_worker("w1")
    start_worker("w2", WARM="true")
    job = submit(client)
    own_valkey.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(
            lambda: Outcome.read(run_of(job).attempt(1).outcome_file), "the training ends without Redis"
        )
    finally:
        own_valkey.process.send_signal(signal.SIGCONT)
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
