"""What workers learn of their devices from attempts of the real trainer, as the relay tells of them."""

import json
from dataclasses import replace

import pytest
from ulid import ULID

from srqueue.queue.device_speeds import DeviceSpeeds
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.run.shown import show
from srqueue.store.new import NewJob
from workers.devices import Device
from workers.learnt import learn
from workers.relay import Relay

FAST, SLOW = (Device("cpu", "cpu", ("cpu", "any"), model=model) for model in ("fast", "slow"))


@pytest.fixture
def queued(store, new_job):
    """Its run folder; the same job is in the queue."""
    job = new_job(40)
    spec = json.loads(job.run.spec_file.read_text())
    store.create_many([NewJob(str(ULID()), spec, {}, "a" * 64, "tiny", 40)])
    return job


def test_a_speed_is_noted_by_the_worker_that_measured_it_and_by_none_after_it(store, settings, queued):
    def claimed(worker):
        return store.claim(f"{worker}:1", worker, ("cpu", "any"), 60, {"r": "/r"}, worker)

    claim = claimed("w1")
    queued.attempt()
    relay = Relay(store, claim, queued.run.attempt(1))
    while relay.forward():
        pass
    record = store.finish(claim.record.id, claim.token, Outcome(StopReason.PREEMPTED, "", 20))
    learn(store, settings, record, FAST)
    assert DeviceSpeeds(settings).newest("fast")

    claim = claimed("w2")  # which is asked to end before it has trained
    record = store.finish(claim.record.id, claim.token, Outcome(StopReason.DRAINED, "", 20))
    assert record.progress["it_s"] > 0
    learn(store, settings, record, SLOW)
    assert DeviceSpeeds(settings).newest("slow") == {}


def test_what_a_job_did_on_a_gpu_is_not_taken_for_a_processors_that_goes_on_with_it(queued):
    queued.attempt()
    events = list(queued.run.events())
    progress = {}
    for event in events:
        marks = {"device": "a card", "cuda": "12.8"} if event.kind == "fingerprint" else {}
        show(progress, replace(event, data={**event.data, **marks}))
    assert progress["cuda"] and progress["it_s"] > 0
    show(progress, next(event for event in events if event.kind == "fingerprint"))
    assert progress["device"] not in (None, "a card") and progress.keys().isdisjoint(
        {"cuda", "it_s", "eta_s"}
    )
    assert progress["best_psnr"] > 0
