"""Before an attempt begins its worker brings what is newer elsewhere, and keeps the lease meanwhile."""

import dataclasses
import json
import time

import pytest

from srqueue.errors import CheckpointError
from srqueue.remote.fetching import fetch
from srqueue.remote.folder import RemoteFolder
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from tests.integration.test_remote_folder import JOB, make_run, pusher, save
from workers.devices import Device
from workers.fetching import NotBrought, bring, is_here
from workers.preparing import prepare

LEASE = 2


@pytest.fixture
def claimed(store, environment, valkey, tmp_path, tiny_spec):
    """A claim with token 2 of a job whose remote folder is on a disk, and its settings."""
    spec: JobSpec = tiny_spec(None, 100)
    store.create(JOB, spec=spec.model_dump(mode="json"), origins={}, spec_id="s", name="x", total_iter=100)
    store.connection.redis.hset(store.keys.job(JOB), "token", 1)
    settings = environment(valkey, REMOTE=f"file://{tmp_path}/lab", LEASE=str(LEASE), RENEW="0.2")
    claim = store.claim("w:1", "h", ["any"], LEASE, {"far": str(tmp_path / "runs")})
    assert claim.token == 2
    return claim, settings, spec


def test_what_is_newer_elsewhere_comes_and_the_lease_stays(claimed, store, tmp_path):
    claim, settings, spec = claimed
    run = RunDir(tmp_path / "runs" / JOB)
    theirs = make_run(tmp_path / "theirs")
    name = save(theirs, 3)
    pusher(RemoteFolder.open(settings.remote), theirs).checkpoint(name)
    ends = store.connection.redis.zscore(store.keys.leases, JOB)
    assert not is_here(run, claim)
    assert bring(store, settings, claim, run, spec, lambda: False) == 1
    assert run.checkpoint_names() == [name] and is_here(run, claim)
    assert store.connection.redis.zscore(store.keys.leases, JOB) > ends


def test_what_a_remote_folder_says_is_to_be_trained_is_not_believed(claimed, store, tmp_path, monkeypatch):
    claim, known, spec = claimed
    theirs, remote = make_run(tmp_path / "theirs"), RemoteFolder.open(known.remote)
    theirs.spec_file.write_text(json.dumps({**spec.model_dump(mode="json"), "manual_seed": 666}))
    pusher(remote, theirs).checkpoint(save(theirs, 3))
    monkeypatch.setattr("workers.preparing._listings", lambda *_: {})  # no picture is looked at
    record = dataclasses.replace(claim.record, run_dir=str(tmp_path / "runs" / JOB))
    device = Device("cpu", "CPU", ("cpu", "any"))
    run, _ = prepare(store, known, dataclasses.replace(claim, record=record), "h", device)
    assert run.checkpoint_names() and JobSpec.model_validate_json(run.spec_file.read_text()) == spec


def test_what_is_too_large_to_be_ours_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("srqueue.remote.fetching._SMALL", 100)
    theirs, remote = make_run(tmp_path / "theirs"), RemoteFolder.open(f"file://{tmp_path}/lab")
    theirs.attempt(1).events_file.write_bytes(b"e" * 101)
    pusher(remote, theirs).events()
    with pytest.raises(CheckpointError, match="more than any of ours"):
        fetch(remote, RunDir(tmp_path / "runs" / JOB))


def test_a_store_that_is_down_or_a_worker_that_ends_leaves_the_job_alone(
    claimed, store, tmp_path, environment, valkey, monkeypatch
):
    claim, _, spec = claimed
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    settings = environment(valkey, REMOTE="s3://lab/x", RENEW="0.2")
    run = RunDir(tmp_path / "runs" / JOB)
    with pytest.raises(NotBrought, match="cannot be used"):
        bring(store, settings, claim, run, spec, lambda: False)
    begun = time.monotonic()
    with pytest.raises(NotBrought, match="ends"):
        bring(store, settings, claim, run, spec, lambda: time.monotonic() > begun + 0.3)
    assert run.checkpoint_names() == [] and store.get(JOB).token == 2
