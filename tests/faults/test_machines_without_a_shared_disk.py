"""Two machines share a Redis and an S3 store, and no disk: a job goes on, bit for bit, where it never was."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from srqueue.cli.app import app_for
from srqueue.queue.recovering import recover_remote
from srqueue.remote.folder import RemoteFolder
from srqueue.remote.pending import Pending
from srqueue.remote.there import look
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState
from tests.faults.queued import assert_exact, assert_one_run, gone, tensors, trainer_of
from tests.faults.s3 import SECRET, S3Server


@pytest.fixture
def s3(wait_until, monkeypatch):
    server = S3Server(wait_until).start()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()


@pytest.fixture
def machine(start_worker, tmp_path, s3):
    """Starts the worker of a machine with folders of its own; only the registry of data sets is shared."""

    def start(name):
        folders = {"HOME": str(tmp_path / name), "RUNS": str(tmp_path / name / "runs")}
        return start_worker(name, host=name, REMOTE=s3.url, **folders)

    return start


def uploaded(client, job):
    return client.get(job.id).remote_seq


def strike(worker, job, number):
    """A signal for every process of a machine at once, its uploader among them."""
    main = psutil.Process(worker.process.pid)
    family = {main, *main.children(recursive=True), trainer_of(job)}
    for process in family:
        os.kill(process.pid, number)
    return family


def test_a_job_goes_on_elsewhere_from_its_newest_upload(
    client, spec_for, machine, undisturbed_job, wait_until, tmp_path, s3, monkeypatch
):
    first = machine("first")
    job = client.submit(spec_for(client)).job
    wait_until(lambda: uploaded(client, job) is not None, "a checkpoint is uploaded")
    family = strike(first, client.get(job.id), signal.SIGKILL)
    wait_until(lambda: all(map(gone, family)), "all of them have ended")
    assert client.get(job.id).state is JobState.RUNNING
    second = machine("second")
    done = client.wait(job.id, timeout=120)
    assert (done.token, done.run_dir) == (2, str(tmp_path / "second" / "runs" / job.id))
    assert RunDir(Path(done.run_dir)).attempt(2).read()["resume"] is not None
    assert_exact(client, done, undisturbed_job)
    its = [e.it for e in RunDir(Path(done.run_dir)).events() if e.kind == "val"]
    assert its == sorted(set(its)) and its[0] < done.total_iter  # also what the first machine did
    # Another machine that has none of it, nor Redis its record: both are made anew.
    remote = RemoteFolder.open(s3.url)
    wait_until(lambda: look(remote, job.id).results == (2,), "model and outcome are uploaded")
    pulled = CliRunner().invoke(
        app_for([]), ["pull", job.id, "--to", str(tmp_path / "pulled"), "--remote", s3.url]
    )
    assert pulled.exit_code == 0, pulled.output
    model = RunDir(Path(done.run_dir)).attempt(2).outcome_file
    model = Outcome.read(model).export
    assert (tmp_path / "pulled" / model).read_bytes() == (Path(done.run_dir) / model).read_bytes()
    second.terminate()
    second.process.wait(60)
    client.remove(job.id)
    (found,) = recover_remote(client.settings.model_copy(update={"remote": s3.url}))
    assert (found.how, found.job.state, found.job.iteration) == (
        "recovered",
        JobState.SUCCEEDED,
        done.total_iter,
    )


def test_without_its_store_a_training_goes_on_and_uploads_catch_up(
    client, spec_for, machine, undisturbed_job, wait_until, s3
):
    machine("first")
    job = client.submit(spec_for(client)).job
    wait_until(lambda: uploaded(client, job) is not None, "a checkpoint is uploaded")
    s3.kill()
    done = client.wait(job.id, timeout=120)
    assert_one_run(done)
    assert tensors(RunDir(Path(done.run_dir))) == undisturbed_job
    newest = RunDir(Path(done.run_dir)).checkpoint_names()[-1]
    assert uploaded(client, job) < newest.seq
    s3.start()
    remote = RemoteFolder.open(s3.url)
    wait_until(lambda: uploaded(client, job) == newest.seq, "the last one is uploaded")
    wait_until(lambda: look(remote, job.id).results == (1,), "so is the model")
    assert look(remote, job.id).newest == newest


def test_a_job_that_is_handed_back_is_uploaded_first(
    client, spec_for, machine, undisturbed_job, wait_until, tmp_path
):
    first = machine("first")
    job = client.submit(spec_for(client)).job
    wait_until(lambda: client.get(job.id).seq is not None, "it trains")
    environment = trainer_of(client.get(job.id)).environ().values()
    first.terminate()
    first.process.wait(60)
    handed = client.get(job.id)
    assert SECRET not in environment
    assert handed.state is JobState.QUEUED and handed.remote_seq == handed.seq
    machine("second")
    done = client.wait(job.id, timeout=120)
    begun = RunDir(Path(done.run_dir)).attempt(2).read()["resume"]
    assert begun.endswith(f"-it{handed.iteration}-t1")
    assert_exact(client, done, undisturbed_job)


def test_a_machine_that_was_frozen_replaces_nothing_when_it_wakes_up(
    client, spec_for, machine, undisturbed_job, wait_until, tmp_path, s3
):
    first = machine("first")
    job = client.submit(spec_for(client)).job
    wait_until(lambda: uploaded(client, job) is not None, "a checkpoint is uploaded")
    frozen = strike(first, client.get(job.id), signal.SIGSTOP)
    machine("second")
    done = client.wait(job.id, timeout=120)
    assert_exact(client, done, undisturbed_job)
    remote = RemoteFolder.open(s3.url)
    wait_until(lambda: look(remote, job.id).results == (2,), "all of it is uploaded")
    before = look(remote, job.id)
    for process in frozen:
        process.send_signal(signal.SIGCONT)
    pending = Pending.below(tmp_path / "first" / "runs")
    wait_until(lambda: not pending.waits(job.id, 1), "it has seen that the job is another's")
    after = look(remote, job.id)
    assert after.newest == before.newest and after.newest.token == 2
    others = [name for name in before.sizes if "-t1/" not in name and "/attempts/1/" not in name]
    assert others == [name for name in after.sizes if name in others]
    assert client.get(job.id).remote_seq == done.seq
