"""Jobs and workers that do not all fit each other, with real workers, and what the command line says."""

import time
from dataclasses import replace

import pytest

from srqueue.cli.explain import explain
from srqueue.cli.needs import needs
from srqueue.cli.quota import list_quotas, remove_quota, set_quota
from srqueue.cli.worker_table import look, rows
from srqueue.errors import SpecError, UsageError
from srqueue.forecast.kinds import memory_kind, work_text
from srqueue.queue.client import Client
from srqueue.queue.doorbell import ring_worker
from srqueue.queue.leaving import leaves
from srqueue.queue.routing import own_queue
from srqueue.queue.steering import choose
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import Settings
from srqueue.spec.needs import NeedsSpec
from srqueue.store.known_memory import KnownMemory, loosen
from srqueue.store.offers import Offer
from srqueue.store.record import WorkerRecord
from workers.devices import find_device
from workers.windows import put_off

GPU = WorkerRecord(
    name="gpu", host="box", pid=1, classes=("cuda", "any"), device="d", version="0", since=1.0,
    offer=Offer(host="box", memory=8 << 30, gpus=1),
)  # fmt: skip


@pytest.fixture
def client(environment, valkey):
    return Client(environment(valkey, USER="ann"))


@pytest.fixture
def spec(client, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(client.settings).identity, 40)


def test_a_job_goes_to_the_worker_that_has_what_it_needs(client, spec, start_worker, wait_until, capsys):
    start_worker("w1", LABELS="room=1")
    start_worker("w2", LABELS="room=2,gpu=none")
    wait_until(lambda: len(client.store.workers()) == 2, "both announce themselves")
    first, second = client.store.workers()
    assert (first.offer.labels, second.offer.labels) == (("room=1",), ("gpu=none", "room=2"))
    assert first.offer.model and first.offer.memory == 0

    far = spec.model_copy(update={"manual_seed": 2, "needs": NeedsSpec(labels=["room=3"])})
    job = client.submit(far).job
    assert (job.user, job.lot, job.spec.get("needs")) == ("ann", "l=room=3", None)
    near = client.submit(spec.model_copy(update={"needs": NeedsSpec(labels=["room=2"])})).job
    done = client.wait(near.id, 90)
    assert done.state is JobState.SUCCEEDED
    (attempt,) = client.store.attempts(near.id)
    assert attempt.worker.startswith("w2@")
    wait_until(lambda: client.store.workers()[1].speeds, "it announces how fast that was")
    (work,) = client.store.workers()[1].speeds
    assert work == work_text(spec)
    assert rows(look(client.store))[1][-1].endswith(f" it/s ({work})")

    explain(job.short_id)
    told = capsys.readouterr().out
    assert "it needs the label room=3; there is room=1 (w1@here), room=2 (w2@here)" in told
    assert f"srqueue needs {job.short_id}" in told
    needs(job.short_id, label=["room=1"])
    assert capsys.readouterr().out == f"tiny {job.short_id} needs: room=1\n"
    assert client.wait(job.id, 90).state is JobState.SUCCEEDED
    assert client.store.attempts(job.id)[-1].worker.startswith("w1@")
    redis = client.store.connection.redis
    assert all(redis.llen(f"srq:celery:{own_queue(w.name)}") == 0 for w in (first, second))


def test_a_bell_of_a_worker_that_has_died_is_not_kept(client):
    for _ in range(2):  # the second time it is there
        assert ring_worker(client.app, "dead@here", "0" * 26)
    redis, bell = client.store.connection.redis, f"srq:celery:{own_queue('dead@here')}"
    assert redis.llen(bell) == 1 and 0 < redis.ttl(bell) <= 3600


def test_the_same_spec_with_other_needs_is_the_same_job_and_says_so(client, spec):
    job = client.submit(spec).job
    again = client.submit(spec.model_copy(update={"needs": NeedsSpec(host="box1")}))
    assert (again.job.id, again.new) == (job.id, False)
    assert again.differs == ("what it needs stays as it is: nothing (srqueue needs JOB)",)
    with pytest.raises(UsageError, match="is for a CPU"):
        client.set_needs(job.id, NeedsSpec(gpus=1))


def test_what_jobs_of_its_kind_took_is_the_default_of_a_job_and_is_shown(client, spec, capsys):
    auto = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": "auto"})})
    KnownMemory(client.store.connection).note(memory_kind(auto), 5 << 30)
    job = client.submit(auto).job
    assert (job.guess, job.lot) == (5 << 30, f"p={5 << 30}")
    needs(job.short_id)
    assert "5.0 GiB of GPU memory by default, as a job of its kind took" in capsys.readouterr().out
    client.store.announce_worker(GPU, 60)
    explain(job.short_id)
    assert f"any: srqueue needs {job.short_id} --none" in " ".join(capsys.readouterr().out.split())
    loosen(client.store.connection)
    assert client.get(job.id).guessed == 5 << 30  # there is one
    on_cpu, asked = (
        auto.model_copy(update={"manual_seed": 2, "compute": spec.compute}),
        auto.model_copy(update={"manual_seed": 3, "needs": NeedsSpec(gpu_memory="1GB")}),
    )
    assert [client.submit(one).job.guess for one in (on_cpu, asked)] == [None, None]


def test_a_job_is_left_to_a_faster_worker_only_where_that_pays_and_never_for_long(client, spec, capsys):
    store, now = client.store, time.time()
    auto = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": "auto"})})
    total, work = auto.train.total_iter, work_text(auto)
    fast = replace(GPU, name="fast", root_id="elsewhere", speeds={work: total / 100})
    slow = replace(
        GPU, name="slow", root_id="r", speeds={work: total / 1000}, offer=replace(GPU.offer, model="old")
    )
    for one in (fast, slow):
        store.announce_worker(one, 60)

    def taken(worker, seed):
        client.submit(auto.model_copy(update={"manual_seed": seed}))
        return store.claim(f"{worker}:1", "box", ("cuda", "any"), 60, {"r": "/r"}, offer=GPU.offer)

    runs = taken("fast", 1)
    told = {"made": time.time(), "iteration": 1, "end": [now + 290, now + 300, now + 310]}
    store.set_progress(runs.record.id, 1, 1, {"eta_s": 400.0, "forecast": told})
    claim = taken("slow", 2)
    left = leaves(store, claim.record, "slow", now)  # 300 s and 100 s there, 1000 s here
    assert (left.to, left.at, left.until) == ("fast", now + 30, now + 1.25 * 300 + 60)
    assert leaves(store, claim.record, "fast", now) is None
    put_off(store, claim, left.at, left.text, left.until)
    record = store.get(claim.record.id)
    assert (record.state, record.attempts, record.started) == (JobState.QUEUED, 0, None)
    explain(record.short_id)
    told = " ".join(capsys.readouterr().out.split())
    assert "left to fast, which is free in about 5 min and ends it about 10 min sooner than slow" in told

    store.resume(record.id)  # at once, wherever
    claim = store.claim("slow:1", "box", ("any",), 60, {"r": "/r"}, offer=GPU.offer)
    assert leaves(store, claim.record, "slow", time.time()) is None
    fresh = replace(claim.record, left_until=None)
    assert leaves(store, fresh, "slow", now) is not None
    store.set_progress(runs.record.id, 1, 1, {"eta_s": 900.0, "forecast": None})
    assert leaves(store, fresh, "slow", now) is None  # too late
    store.set_progress(runs.record.id, 1, 1, {"eta_s": 300.0})
    assert leaves(store, replace(fresh, priority=6), "slow", now) is None  # the other is to give way
    client.submit(auto.model_copy(update={"manual_seed": 3}))
    assert leaves(store, fresh, "slow", now) is None  # one more waits: all are to work


def test_a_job_for_a_cpu_gains_nothing_by_a_gpu_and_is_neither_left_nor_sent_to_it(
    client, spec, monkeypatch, tmp_path
):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H200, 143771, 9.0, GPU-a'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    auto = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": "auto"})})
    total, work, store = auto.train.total_iter, work_text(auto), client.store

    def announced(name, seconds, asked):
        device = find_device(Settings(device=asked))
        store.announce_worker(
            WorkerRecord(
                name=name, host="box", pid=1, classes=device.classes, device=device.label, version="0",
                since=1.0, root_id="r", offer=device.offer(Settings()), speeds={work: total / seconds},
            ),
            60,
        )  # fmt: skip
        return device

    announced("gpu", 100, "auto")
    cpu = announced("cpu", 1000, "cpu")
    for one, left in ((auto, True), (spec, False)):
        job = client.submit(one.model_copy(update={"manual_seed": 7})).job
        assert choose(store, job, store.workers()).name == ("gpu" if left else "cpu")
        claim = store.claim("cpu:1", "box", cpu.classes, 60, {"r": "/r"}, offer=cpu.offer(Settings()))
        assert (claim.record.id, bool(leaves(store, claim.record, "cpu", time.time()))) == (job.id, left)
        store.finish(job.id, claim.token, Outcome(StopReason.CANCELLED, "", 0))


def test_quotas_are_set_and_shown_and_refuse_a_submit(client, spec, capsys):
    set_quota("ann", running=1, queued=1)
    client.submit(spec)
    with pytest.raises(UsageError, match="user ann may have 1 job queued, has 1, and 1 more"):
        client.submit(spec.model_copy(update={"manual_seed": 2}))
    client.submit(spec)  # the same one: nothing is made
    list_quotas()
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "ann: at most 1 running and 1 queued"
    assert out[2].split() == ["ann", "0", "of", "1", "1", "of", "1", "0", "s"]
    remove_quota("ann")
    assert client.submit(spec.model_copy(update={"manual_seed": 2})).new
    with pytest.raises(UsageError, match="no bound is given"):
        set_quota("ann")
    with pytest.raises(UsageError, match="cannot be the name of a user"):
        set_quota("a/b", running=1)


@pytest.mark.parametrize(
    ("options", "where", "hint"),
    [
        ({"require": ["bf17"]}, "--require", "bf16"),
        ({"gpu_memory": "much"}, "--gpu-memory", "12GB"),
        ({"label": ["room"]}, "--label", "gpu=a100"),
        ({"host": "a b"}, "--host", "srqueue top"),
    ],
)
def test_a_wrong_option_is_named(client, spec, options, where, hint):
    job = client.submit(spec).job
    with pytest.raises(SpecError) as error:
        needs(job.short_id, **options)
    assert error.value.where == where and hint in error.value.hint
