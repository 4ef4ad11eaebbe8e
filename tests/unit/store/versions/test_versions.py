"""The version before this one and this one work together: its records, its producer, its worker.

What it writes was recorded by record.py at commit ef83e7e, its scripts and their arguments among it.
"""

import json
import lzma
from pathlib import Path

import pytest

from srqueue.errors import ConflictError
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import on_server
from srqueue.store import schema
from srqueue.store.migrating.moving import Migration
from srqueue.store.new import NewJob
from srqueue.store.schema import SCHEMA, SchemaTooFar
from srqueue.store.store import Store

BEFORE = json.loads(lzma.decompress((Path(__file__).parent / "before.json.xz").read_bytes()))
SUCCEEDED, PAUSED, RUNNING, WAITS = (f"{i:026d}" for i in range(1, 5))
HERE = ("new@two:9", "two", ["any"], 3600.0, {"root": "/runs"})


@pytest.fixture
def records(store):
    """Redis as that version left it."""
    client = store.connection.redis
    for key, (kind, value) in BEFORE["keys"].items():
        if kind == "hash":
            client.hset(key, mapping=value)
        elif kind == "zset":
            client.zadd(key, dict(value))
        elif kind == "stream":
            for position, fields in value:
                client.xadd(key, fields, id=position)
        elif kind == "string":
            client.set(key, value)
        else:
            {"list": client.rpush, "set": client.sadd}[kind](key, *value)
    return store


@pytest.fixture
def call_before(store):
    """Calls a script as that version does: its source, its arguments."""

    def call_before(name, *arguments):
        source = BEFORE["scripts"]["prelude"] + BEFORE["scripts"][name]
        return store.connection.redis.eval(source, 1, store.keys.root, *map(str, arguments))

    return call_before


def of(name, job=None):
    """Arguments of the calls of a script, those about one job."""
    return [
        arguments for called, arguments in BEFORE["calls"] if called == name and job in (None, arguments[0])
    ]


def test_its_records_are_read_listed_and_gone_on_with(records):
    states = {job.id: job.state for job in records.list()}
    assert states == {
        SUCCEEDED: JobState.SUCCEEDED,
        PAUSED: JobState.PAUSED,
        RUNNING: JobState.RUNNING,
        WAITS: JobState.QUEUED,
    }
    job = records.get(PAUSED)
    assert (job.schema, job.seq, job.iteration, job.spec["manual_seed"]) == (1, 1, 50, 2)
    assert [worker.schema for worker in records.workers()] in ([1], [])  # its announcement may have ended
    records.resume(PAUSED)
    claim = records.claim(*HERE)
    assert (claim.record.id, claim.token) == (PAUSED, 2)
    done = records.finish(PAUSED, 2, Outcome(StopReason.COMPLETED, "", 100))
    assert done.state is JobState.SUCCEEDED and len(records.attempts(PAUSED)) == 2


def test_its_worker_goes_on_with_a_job_that_a_newer_sweeper_and_user_handle(records, call_before):
    (renewal,) = of("renew", RUNNING)
    records.sweep()
    assert call_before("renew", *renewal) == ["ok", ""]
    records.ask(RUNNING, "pause")
    assert call_before("renew", *renewal) == ["ok", "pause"]
    assert call_before("finish", RUNNING, *of("finish", PAUSED)[0][1:])[0] == "ok"
    assert records.get(RUNNING).state is JobState.PAUSED


def test_its_worker_runs_a_job_of_a_newer_producer(store, call_before):
    job = NewJob("9" * 26, {"a": 1}, {}, "f" * 64, "new", 100)
    store.create_many([job])
    assert store.get(job.id).schema == SCHEMA
    flat = call_before("claim", *of("claim")[0])
    assert dict(zip(flat[::2], flat[1::2], strict=True))["id"] == job.id
    for name in ("bind", "events", "progress", "publish"):
        assert call_before(name, job.id, *of(name, SUCCEEDED)[0][1:])[0] == "ok", name
    call_before("sweep", *of("sweep")[0])
    assert call_before("finish", job.id, *of("finish", SUCCEEDED)[0][1:])[0] == "ok"
    done = store.get(job.id)
    assert (done.state, done.schema, done.metrics) == (JobState.SUCCEEDED, SCHEMA, {"best/psnr": 31.0})


def test_a_newer_worker_runs_a_job_of_its_producer(store, call_before):
    call_before("create", *of("create")[0])
    claim = store.claim(*HERE)
    assert claim.record.schema == 1 and claim.record.spec["manual_seed"] == 1
    store.bind(claim.record.id, claim.token, "root", "/runs/x", "m")
    assert store.renew(claim.record.id, claim.token, 30.0, claim.record.claimed) is None
    assert (
        store.finish(claim.record.id, 1, Outcome(StopReason.COMPLETED, "", 100)).state is JobState.SUCCEEDED
    )


@pytest.mark.parametrize(("written", "works"), [(SCHEMA - 1, True), (SCHEMA, True), (SCHEMA + 1, True)])
def test_one_version_apart_is_let_in(settings, store, written, works):
    store.connection.redis.set(store.keys.schema, written)
    Store.connect(settings)


def test_two_versions_apart_is_refused_with_what_to_do(settings, store, monkeypatch):
    store.connection.redis.set(store.keys.schema, SCHEMA + 2)
    with pytest.raises(SchemaTooFar, match=f"schema {SCHEMA + 2}; this one is of {SCHEMA}") as caught:
        Store.connect(settings)
    assert caught.value.hint == "upgrade srqueue on this machine"
    monkeypatch.setattr(schema, "SCHEMA", 9)
    store.connection.redis.set(store.keys.schema, 7)
    with pytest.raises(SchemaTooFar) as caught:
        Store.connect(settings)
    assert "schema 8" in caught.value.hint


def test_the_scripts_write_the_version_that_python_names(store):
    store.create_many([NewJob("9" * 26, {}, {}, "f" * 64, "new", 1)])
    assert store.connection.redis.get(store.keys.schema) == str(SCHEMA)


def test_a_move_waits_for_workers_that_would_not_notice_it(settings, own_valkey, call_before):
    call_before("announce", *of("announce")[0])
    with pytest.raises(ConflictError, match="older srqueue are at work: old@one"):
        Migration(settings, on_server(settings, own_valkey.url)).run()
