"""Checkpoints are damaged, mixed up or another job's when the run goes on."""

import json
import os
import shutil

import pytest

from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState, StopReason
from tests.faults.by_hand import Job, assert_same, make_job
from tests.faults.queued import assert_exact, run_of
from workers.trainer.checkpoint import digest_of

PAYLOAD, MANIFEST = "state.safetensors", "manifest.json"


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def swap(newest, before):
    payloads = [folder / PAYLOAD for folder in (newest, before)]
    data = [file.read_bytes() for file in payloads]
    assert data[0] != data[1]
    for file, other in zip(payloads, reversed(data), strict=True):
        file.write_bytes(other)


def replace(newest, _):
    """As if the folder of another job had been copied there: whole, and of another spec."""
    body = json.loads((newest / MANIFEST).read_text())
    body.pop("digest")
    body["spec_id"] = "0" * 64
    (newest / MANIFEST).write_text(json.dumps({"digest": digest_of(body), **body}))


DAMAGE = {
    "a cut payload": (lambda newest, _: os.truncate(newest / PAYLOAD, 1000), "is damaged", 1),
    "an empty payload": (lambda newest, _: os.truncate(newest / PAYLOAD, 0), "is damaged", 1),
    "a flipped bit in the payload": (lambda newest, _: flip(newest / PAYLOAD), "is damaged", 1),
    "a flipped bit in the manifest": (lambda newest, _: flip(newest / MANIFEST), "is damaged", 1),
    "an empty manifest": (lambda newest, _: os.truncate(newest / MANIFEST, 0), "is damaged", 1),
    "a missing manifest": (lambda newest, _: (newest / MANIFEST).unlink(), "is damaged", 1),
    "swapped payloads": (swap, "is damaged", 2),
    "another job's folder": (replace, "is of another job's spec", 1),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory, pictures, tiny_spec, wait_until):
    """A run that was killed after its third commit."""
    job = make_job(tmp_path_factory.mktemp("killed"), pictures, tiny_spec)
    process = job.start(1)
    wait_until(lambda: len(job.run.checkpoint_names()) >= 3, "three commits")
    process.kill()
    process.wait()
    return job


@pytest.fixture
def copy(killed, tmp_path):
    return Job(RunDir(shutil.copytree(killed.run.path, tmp_path / "job")), killed.listing, killed.processes)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_costs_only_time(copy, undisturbed, damage):
    spoil, told, aside = DAMAGE[damage]
    *_, before, newest = copy.run.checkpoint_names()
    spoil(*[copy.run.checkpoints / str(name) for name in (newest, before)])
    assert copy.finish(2, newest).reason is StopReason.COMPLETED
    assert len(list(copy.run.checkpoints.glob("bad-*"))) == aside
    assert (copy.run.checkpoints / f"bad-{newest}").is_dir()
    texts = [e.data["text"] for e in copy.run.events() if e.kind == "message"]
    assert any(f"checkpoint {newest} {told}" in text for text in texts)
    assert_same(copy, undisturbed)


def test_where_all_are_damaged_nothing_is_trained(copy):
    for name in copy.run.checkpoint_names():
        flip(copy.run.checkpoints / str(name) / PAYLOAD)
    outcome = copy.finish(2, copy.newest())
    assert outcome.reason is StopReason.ROOT_MISSING
    assert "no whole checkpoint is left" in outcome.message
    assert copy.newest() is None
    assert [e.kind for e in copy.run.events() if e.token == 2 and e.kind == "train"] == []


def test_a_checkpoint_of_a_newer_version_is_left_alone(copy):
    """Its state may hold what this version would lose; the worker is the one to update."""
    newest = copy.newest()
    file = copy.run.checkpoints / str(newest) / MANIFEST
    body = json.loads(file.read_text())
    body.pop("digest")
    body["state"]["warp"] = 9
    file.write_text(json.dumps({"digest": digest_of(body), **body}))
    outcome = copy.finish(2, newest)
    assert outcome.reason is StopReason.ROOT_MISSING
    assert "a newer srqueue wrote this checkpoint (it has warp)" in outcome.message
    body.update(v=99)
    file.write_text(json.dumps({"digest": digest_of(body), **body}))
    assert "its version is 99" in copy.finish(3, newest).message
    assert copy.newest() == newest  # not set aside


def test_a_job_without_a_whole_checkpoint_waits_and_never_starts_from_0(
    client, running, start_worker, undisturbed_job, wait_until
):
    start_worker()
    job = running()
    client.pause(job.id)
    paused = client.wait(job.id, timeout=60)
    run = run_of(paused)
    kept = shutil.copytree(run.checkpoints, run.path.parent / "kept")
    for name in run.checkpoint_names():
        flip(run.checkpoints / str(name) / PAYLOAD)
    for expected in ("no whole checkpoint is left", "no checkpoint in"):
        client.resume(job.id)
        wait_until(
            lambda e=expected: (now := client.get(job.id)).state is JobState.HELD and e in now.message,
            "it is held",
        )
        held = client.get(job.id)
        assert (held.reason, held.failures) == (StopReason.ROOT_MISSING, 0)
        assert held.not_before is not None  # looked at again by itself
    assert run.checkpoint_names() == []
    shutil.copytree(kept, run.checkpoints, dirs_exist_ok=True)
    shutil.rmtree(kept)
    client.resume(job.id)
    done = client.wait(job.id, timeout=120)
    assert_exact(client, done, undisturbed_job)
