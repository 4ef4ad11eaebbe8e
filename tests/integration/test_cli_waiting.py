"""What is told about a job that waits."""

import pytest

from srqueue.cli import verbs
from srqueue.cli.live import _standstill
from srqueue.cli.output import first_line
from srqueue.queue.client import Client
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.store.record import WorkerRecord

CRASH = "the trainer ended with exit status 1; its last lines:\nTraceback\nZeroDivisionError"


@pytest.fixture
def client(environment, valkey):
    client = Client(environment(valkey, BACKOFF="600"))
    yield client
    client.store.connection.close()


@pytest.fixture
def queued(client):
    def make(worker=True):
        if worker:
            known = {"classes": ("any", "cpu"), "device": "cpu", "version": "0", "since": 0.0, "root_id": "r"}
            client.store.announce_worker(WorkerRecord(name="w", host="h", pid=1, **known), 60)
        job, _ = client.store.create("01" * 13, spec={}, origins={}, spec_id="x", name="one", total_iter=9)
        return job

    return make


def test_a_job_without_a_worker_says_what_to_start(client, queued):
    assert _standstill(client.store, queued(worker=False)) == "queued: no worker is up; start one: srqueue up"


def test_a_job_after_a_crash_says_why_when_and_where_its_log_is(client, queued):
    queued()
    claim = client.store.claim("w", "h", ("any", "cpu"), 30, {"r": "/runs"})
    client.store.bind(claim.record.id, claim.token, "r", claim.record.run_dir)
    record = client.store.finish(claim.record.id, claim.token, Outcome(StopReason.CRASHED, CRASH, 0))
    first, second = (_standstill(client.store, record) or "").splitlines()
    assert first.startswith("queued: the trainer ended with exit status 1; tried again by itself at ")
    assert second == f"  its log: /runs/{record.id}/attempts/{record.token}/log"


def test_a_held_job_says_what_is_missing_where_and_what_to_do(client, queued):
    queued()
    claim = client.store.claim("w", "h", ("any", "cpu"), 30, {"r": "/runs"})
    client.store.bind(claim.record.id, claim.token, "r", claim.record.run_dir)
    told = "cannot read a picture: No such file or directory\n  where: /hr/a.png\n  hint: restore the file"
    record = client.store.finish(claim.record.id, claim.token, Outcome(StopReason.DATA_MISSING, told, 0))
    first, *rest = (_standstill(client.store, record) or "").splitlines()
    assert first.startswith("held: cannot read a picture: No such file or directory; tried again by itself")
    assert rest == ["  where: /hr/a.png", "  hint: restore the file"]


def test_a_job_that_runs_waits_for_nothing(client, queued):
    queued()
    assert (
        _standstill(client.store, client.store.claim("w", "h", ("any",), 30, {"r": "/runs"}).record) is None
    )


@pytest.mark.parametrize(
    ("message", "line"), [("", ""), ("paused", "paused"), (CRASH, "the trainer ended with exit status 1")]
)
def test_the_first_line_of_a_message_stands_alone(message, line):
    assert first_line(message) == line


def test_a_verb_that_takes_effect_later_says_what_happens_until_then(client, queued, capsys):
    queued()
    claim = client.store.claim("w", "h", ("any", "cpu"), 30, {"r": "/runs"})
    client.store.bind(claim.record.id, claim.token, "r", claim.record.run_dir)
    verbs.pause("one")
    client.store.publish(claim.record.id, claim.token, 1, 5)
    client.store.finish(claim.record.id, claim.token, Outcome(StopReason.PAUSED, "paused", 5, 1))
    verbs.cancel("one")
    verbs.cancel("one")
    told = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert told[0] == "it saves a checkpoint and pauses"
    assert "exports its best weights" in told[1]
    assert told[2] == "cancelled"
