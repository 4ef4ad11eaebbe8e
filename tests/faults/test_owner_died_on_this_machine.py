"""A worker dies, and another one on its machine sees that its process is gone: no lease is waited for."""

import subprocess
import sys

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import assert_exact, split
from workers.this_machine import is_dead, machine_id

FAR_AWAY = {"LEASE": "300", "SWEEP": "1"}  # a test that waited for this lease would fail


def test_the_other_worker_goes_on_at_once(client, submit, start_worker, undisturbed_job, wait_until):
    workers = [start_worker(name, **FAR_AWAY) for name in ("w1", "w2")]
    job = submit(client)
    own, _ = split(workers, job)
    own.kill_main()
    wait_until(lambda: client.get(job.id).token == 2, "another worker goes on", 60)
    done = client.wait(job.id, timeout=60)
    assert client.store.attempts(job.id)[0].reason is StopReason.WORKER_LOST
    assert_exact(client, done, undisturbed_job)


def test_an_owner_on_another_machine_is_left_its_lease(client, submit, start_worker, wait_until):
    workers = [start_worker(name, **FAR_AWAY) for name in ("w1", "w2")]
    job = submit(client)
    own, _ = split(workers, job)
    client.store.connection.redis.hset(client.store.keys.job(job.id), "machine", "another:1")
    own.kill_main()
    key = client.store.keys.leases
    wait_until(lambda: 300 - client.store.moments(job.id).lease_left > 4, "three renewals are missing", 60)
    for _ in range(3):  # sweeps of the other worker
        before = client.store.connection.redis.get(f"{client.store.keys.root}seen")
        wait_until(
            lambda b=before: client.store.connection.redis.get(f"{client.store.keys.root}seen") != b,
            "a sweep",
        )
    assert client.get(job.id).state is JobState.RUNNING
    assert client.store.connection.redis.zscore(key, job.id) is not None


def test_only_what_is_surely_dead_is_called_so():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = f"w@here:{process.pid}"
    assert not is_dead(machine_id(), owner)
    process.communicate()
    assert is_dead(machine_id(), owner) == bool(machine_id())
    assert not is_dead("", owner) and not is_dead("another:1", owner)
    assert not is_dead(machine_id(), "w@here") and not is_dead(machine_id(), "")
