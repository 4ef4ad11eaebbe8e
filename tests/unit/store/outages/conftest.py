"""A store with a lease of half a minute, and time that passes when it is told to."""

import time

import pytest
from ulid import ULID

LEASE = 30


@pytest.fixture
def store(environment, valkey):
    from srqueue.store.store import Store

    store = Store.connect(environment(valkey, LEASE=str(LEASE), BACKOFF="5"))
    yield store
    store.connection.close()


@pytest.fixture
def submit(store):
    def submit(name="job"):
        return store.create(str(ULID()), spec={"a": 1}, origins={}, spec_id=name, name=name, total_iter=100)[
            0
        ].id

    return submit


@pytest.fixture
def claim(store):
    return lambda worker="w1": store.claim(worker, "host", ["any"], LEASE, {"root": "/runs"})


@pytest.fixture
def redis(store):
    return store.connection.redis


@pytest.fixture
def pass_time(store, redis):
    """As if so many seconds had passed since anything was done; below 0, as if the clock had gone back."""

    def pass_time(seconds):
        for name in ("leases", "delayed", "bells"):
            for member, score in redis.zrange(store.keys.root + name, 0, -1, withscores=True):
                redis.zadd(store.keys.root + name, {member: score - seconds})
        seen = redis.get(store.keys.root + "seen")
        if seen is not None:
            redis.set(store.keys.root + "seen", float(seen) - seconds)

    return pass_time


@pytest.fixture
def left(store, redis):
    """Seconds until the lease of a job ends."""
    return lambda job: redis.zscore(store.keys.leases, job) - time.time()
