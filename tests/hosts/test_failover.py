"""Redis fails over to its replica while a job trains: Sentinels decide, workers and producer follow."""

import time

import pytest
import redis

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from tests.faults.queued import assert_exact, assert_stream_is_whole, iteration_on_disk
from tests.hosts.conftest import answers
from tests.hosts.lab import PASSWORD

SENTINEL = """
port 26379
sentinel monitor lab {master} 6379 2
sentinel auth-pass lab {password}
sentinel down-after-milliseconds lab 1500
sentinel failover-timeout lab 5000
"""


@pytest.fixture
def pair(lab, tmp_path, wait_until, environment):
    """A client by way of the Sentinels; the master's process."""
    master = lab.server(lab.center, tmp_path / "master")
    lab.server(lab.two, tmp_path / "replica", "--replicaof", f"{lab.center.address} 6379")
    wait_until(lambda: answers(lab.center) and answers(lab.two), "both servers answer", 60)
    for host in lab.hosts:
        lab.server(
            host,
            tmp_path / f"sentinel-{host.name}",
            sentinel=SENTINEL.format(master=lab.center.address, password=PASSWORD),
        )
    wait_until(lambda: all(sentinel_knows(host) for host in lab.hosts), "the Sentinels know all", 120)

    class Reached:
        url = f"sentinel://:{PASSWORD}@{','.join(f'{host.address}:26379' for host in lab.hosts)}/lab"

    return Client(environment(Reached)), master


def sentinel_knows(host):
    try:
        with redis.Redis(host.address, 26379, socket_timeout=1) as client:
            known = client.sentinel_master("lab")
    except redis.RedisError:
        return False
    return known["num-other-sentinels"] == 2 and known["num-slaves"] == 1


def test_a_training_goes_on_through_a_failover_and_is_told_again_what_was_lost(
    pair, lab, submit, spec_for, tiny_spec, work_on, wait_until, undisturbed_job, note
):
    client, master = pair
    worker = work_on(lab.one)
    job = submit(client)
    waits = client.submit(tiny_spec(spec_for(client).datasets.train.identity, 30)).job
    seen, begun = iteration_on_disk(job), time.monotonic()
    master.kill()  # and what it had not sent to its replica is lost
    wait_until(lambda: all(master_is(lab.two, host) for host in lab.hosts), "all know the new master", 120)
    gap = time.monotonic() - begun
    wait_until(lambda: iteration_on_disk(job) > seen, "the training goes on")
    done = client.wait(job.id, timeout=300)
    assert client.wait(waits.id, timeout=300).state is JobState.SUCCEEDED  # its bell was heard there
    assert (done.attempts, done.token, done.failures) == (1, 1, 0)
    assert_exact(client, done, undisturbed_job)
    assert_stream_is_whole(client, done)
    assert "Traceback" not in worker.text()
    note("Redis' master SIGKILLed; Sentinels promote the replica", done, promoted_after_s=round(gap, 1))


def master_is(host, seen_from):
    with redis.Redis(seen_from.address, 26379, socket_timeout=1, decode_responses=True) as sentinel:
        told = sentinel.sentinel_get_master_addr_by_name("lab")
    with redis.Redis(host.address, 6379, password=PASSWORD, socket_timeout=1) as server:
        return told == (host.address, 6379) and server.role()[0] == b"master"
