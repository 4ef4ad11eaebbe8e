"""Before an attempt begins its worker brings what is newer elsewhere, and keeps the lease meanwhile."""

import time

import pytest

from srqueue.remote.folder import RemoteFolder
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from tests.integration.test_remote_folder import JOB, make_run, pusher, save
from workers.fetching import NotBrought, bring, is_here

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
