"""`srqueue recover` on machines that have a remote folder: in whatever order, no job loses what is there."""

import shutil
from pathlib import Path

import pytest
from pydantic import SecretStr

from srqueue.errors import ServiceUnreachable
from srqueue.queue.recovering import recover, recover_remote
from srqueue.remote.folder import RemoteFolder
from srqueue.remote.pushing import Pusher
from srqueue.remote.root import remote_root_id
from srqueue.remote.there import look
from srqueue.run.card import JobCard
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.store import Store
from tests.integration.test_remote_folder import JOB, make_run, save


@pytest.fixture
def lab(settings, store, tmp_path, tiny_spec):
    """Settings of a machine where the job was in attempt 1, and went on elsewhere in attempt 2."""
    known = settings.model_copy(
        update={"remote": f"file://{tmp_path}/lab", "signing_key": SecretStr("k" * 32)}
    )
    spec = tiny_spec(None, 100)

    def attempt(run, token):
        run.spec_file.write_text(spec.model_dump_json())
        JobCard(
            id=JOB, name="tiny", priority=5, device_class="cpu", origins={}, created=1.0, spec_id="s"
        ).write(run.card_file)
        name = save(run, token, token=token)
        Outcome(StopReason.DRAINED, "", name.iteration, seq=name.seq).write(run.attempt(token).outcome_file)
        push = Pusher(RemoteFolder.open(known.remote), run, token, look(RemoteFolder.open(known.remote), JOB))
        push.checkpoint(name)
        push.outcomes()

    here = make_run(settings.runs_root)
    attempt(here, 1)
    there = RunDir(Path(shutil.copytree(here.path, tmp_path / "other" / JOB)))
    there.write_attempt(2, there.checkpoint_names()[-1])
    there.attempt(2).events_file.touch()
    attempt(there, 2)
    return known


def test_a_run_folder_that_was_left_behind_does_not_take_its_job_back(lab, store):
    (found,) = recover(lab, lab.runs_root)
    assert (found.how, found.job.state, found.job.token) == ("recovered", JobState.QUEUED, 2)
    assert (found.job.seq, found.job.remote_seq, found.job.iteration) == (2, 2, 20)
    assert found.job.root_id == remote_root_id(lab.remote, lab.runs_root), "any machine may go on"
    assert found.job.signature, "its spec is what a worker here had written"
    assert [one.how for one in recover_remote(lab)] == ["known"]


def test_what_was_brought_starts_no_job_anew_and_is_not_signed(lab, store):
    shutil.rmtree(lab.runs_root / JOB)  # this machine never had the job
    (first,) = recover_remote(lab)
    store.connection.redis.flushall()  # and Redis is lost once more
    (again,) = recover(lab, lab.runs_root)
    for found in (first, again):
        assert (found.job.seq, found.job.token) == (2, 2)
        assert Store.connect(lab).keyring.wrong_with_job(found.job, found.job.signature)


def test_a_remote_folder_that_does_not_answer_is_not_passed_over_in_silence(lab, store, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    away = lab.model_copy(update={"remote": "s3://lab/x"})
    with pytest.raises(ServiceUnreachable, match="cannot be used") as caught:
        list(recover(away, away.runs_root))
    assert f"srqueue recover --runs {away.runs_root}" in str(caught.value.hint)
    (found,) = recover(away, away.runs_root, alone=True)
    assert (found.how, found.job.seq) == ("recovered", 1)
