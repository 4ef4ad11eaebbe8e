"""A worker dies, and another one on its machine sees that its process is gone: no lease is waited for."""

import subprocess
import sys

from ulid import ULID

from srqueue.run.outcome import Outcome
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
    store = client.store
    store.connection.redis.hset(store.keys.job(job.id), "machine", "another:1")
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
    assert not is_dead(owner)
    process.communicate()
    assert is_dead(owner)
    assert not is_dead("w@here") and not is_dead("")


def test_only_running_jobs_of_this_machine_are_looked_at(store):
    for name in ("mine", "other", "over"):
        job_id = str(ULID())
        store.create(job_id, spec={}, origins={}, spec_id=name, name=name, total_iter=9)
        claim = store.claim("w@here:77", "here", ["any"], 60, {"r": "/r"})
        store.bind(job_id, claim.token, "r", f"/r/{job_id}", "boot:1" if name != "other" else "boot:2")
        if name == "mine":
            mine = job_id
        if name == "over":
            store.finish(job_id, claim.token, Outcome(StopReason.COMPLETED, "", 9))
    (found,) = store.running_on("boot:1")
    assert (found.job_id, found.token, found.owner) == (mine, 1, "w@here:77")
    assert store.connection.redis.smembers(store.keys.machine("boot:1")) == {mine}
    assert machine_id() == "" or ":" in machine_id()
