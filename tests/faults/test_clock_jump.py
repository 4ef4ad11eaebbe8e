"""The clock of the Redis host jumps: all times that it has stored lie elsewhere from now on."""

import pytest

from srqueue.run.reasons import JobState
from tests.faults.queued import assert_one_run, assert_stream_is_whole, run_of, split, tensors

HOUR = 3600.0

_SHIFT = """
for _, name in ipairs({'leases', 'delayed', 'bells', 'workers'}) do
  local found = redis.call('ZRANGE', KEYS[1] .. name, 0, -1, 'WITHSCORES')
  for i = 1, #found, 2 do redis.call('ZADD', KEYS[1] .. name, found[i + 1] - ARGV[1], found[i]) end
end
redis.call('SET', KEYS[1] .. 'seen', redis.call('GET', KEYS[1] .. 'seen') - ARGV[1])
"""


@pytest.fixture
def jump(client):
    """The clock goes forward by so many seconds, at one moment, from the view of all that is stored."""
    return lambda seconds: client.store.connection.redis.eval(_SHIFT, 1, client.store.keys.root, seconds)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_running_job_does_not_notice(
    client, running, start_worker, jump, wait_until, seconds, undisturbed_job
):
    start_worker("w1")
    start_worker("w2")
    job = running()
    for _ in range(3):
        jump(seconds)
        seen = client.get(job.id).iteration
        wait_until(lambda s=seen: client.get(job.id).iteration > s, "the job is reported on")
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
    assert tensors(run_of(done)) == undisturbed_job


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_lost_worker_is_not_waited_for_until_the_clock_catches_up(
    client, running, start_worker, jump, seconds, undisturbed_job
):
    workers = [start_worker("w1"), start_worker("w2")]
    job = running()
    own, _ = split(workers, job)
    own.kill_main()
    jump(seconds)
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts) == (JobState.SUCCEEDED, 2, 2)
    assert tensors(run_of(done)) == undisturbed_job
