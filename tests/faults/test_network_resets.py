"""Every connection of a worker to Redis is broken, five times a second for ten seconds."""

import time

from tests.faults.queued import assert_exact, assert_one_run, assert_stream_is_whole, trainer_of


def test_resets_change_nothing(client, submit, start_worker, proxy, undisturbed_job):
    start_worker("w1", REDIS_URL=proxy.url)
    job = submit(client)
    trainer, broken, until = trainer_of(job), 0, time.monotonic() + 10
    trainer.suspend()  # a fast machine would be done before
    while time.monotonic() < until:
        time.sleep(0.2)
        broken += proxy.reset()
    trainer.resume()
    assert broken > 20
    done = client.wait(job.id, timeout=120)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
    assert_exact(client, done, undisturbed_job)
