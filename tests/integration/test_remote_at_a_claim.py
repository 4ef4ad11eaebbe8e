"""Before an attempt begins its worker brings what is newer elsewhere, and keeps the lease meanwhile."""

import dataclasses
import json
import time

import pytest
from ulid import ULID

from srqueue.errors import CheckpointError
from srqueue.remote.fetching import fetch
from srqueue.remote.folder import RemoteFolder
from srqueue.remote.layout import JobNames
from srqueue.remote.pushing import Pusher
from srqueue.remote.root import remote_root_id
from srqueue.remote.there import look
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec
from tests.integration.test_remote_folder import JOB, make_run, pusher, save
from workers.devices import Device
from workers.fetching import NotBrought, bring, bring_start, is_here
from workers.preparing import prepare
from workers.starting import NoModel, take_model

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


def test_a_model_of_another_machine_is_brought_verified_and_only_once(
    claimed, store, tmp_path, tiny_spec, settings
):
    claim, known, _ = claimed
    remote = RemoteFolder.open(known.remote)
    theirs = make_run(tmp_path / "theirs")
    (theirs.export / "other.safetensors").write_bytes(b"another")
    (theirs.export / "x.safetensors").write_bytes(b"model")
    (theirs.export / "metrics.json").write_text('{"model": "export/x.safetensors"}')
    winner, _ = store.create(str(ULID()), spec={}, origins={}, spec_id="w", name="w", total_iter=9)
    theirs = RunDir(theirs.path.rename(theirs.path.with_name(winner.id)))
    won = store.claim("w:2", "far", ["any"], 60, {"lab": "/far/runs"})
    store.finish(winner.id, won.token, Outcome(StopReason.COMPLETED, "", 9))
    root_id = remote_root_id(known.remote, known.runs_root)
    there = {"root_id": root_id, "run_dir": f"/far/runs/{winner.id}"}
    store.connection.redis.hset(store.keys.job(winner.id), mapping=there)
    spec = JobSpec.model_validate(
        {**tiny_spec(None, 9).model_dump(mode="json"), "path": {"pretrain_jobs": [winner.id]}}
    )
    run = RunDir(tmp_path / "runs" / JOB).create()

    def take():
        begun = lambda other: bring_start(store, known, claim, run, other, lambda: False)  # noqa: E731
        take_model(store, spec, run, root_id, begun)

    with pytest.raises(NotBrought, match="no results in the remote folder"):
        take()
    push = Pusher(remote, theirs, 1, look(remote, winner.id))
    push.results()
    # Who writes there, but not the list, changes nothing.
    model = JobNames(winner.id).result(1, "export/x.safetensors")
    for evil, why in ((b"xodel", "SHA-256"), (b"m" * 1000, "should have 5")):
        remote.write(model, evil)
        with pytest.raises(NotBrought, match=why):
            take()
        assert not run.start_model.exists()
    push.results()
    take()
    assert run.start_model.read_bytes() == b"model"
    assert json.loads(run.start_file.read_text())["job"] == winner.id
    remote.remove([model])
    take()  # it is decided
    with pytest.raises(NoModel, match="not to be seen from here"):
        take_model(store, spec, RunDir(tmp_path / "c" / JOB).create(), "another", pytest.fail)
