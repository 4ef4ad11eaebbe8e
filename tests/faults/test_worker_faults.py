"""Workers, trainers and Redis end or freeze under a running job: one run, the same result, bit for bit."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from srqueue.datasets import Registry, locate
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason

TOTAL = 1500  # iterations: some seconds
# Every validation saves: the first checkpoint comes early in the run, however fast the machine is.
OFTEN = {"val": {"val_freq": TOTAL // 10}}


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, TOTAL, **OFTEN)


_reference = {}


@pytest.fixture
def undisturbed(settings, spec, tmp_path):
    """The tensors of the same spec, trained once by hand, without a queue."""
    if not _reference:
        run = RunDir(tmp_path / "by-hand").create()
        run.spec_file.write_text(spec.model_dump_json())
        listings = locate(Registry(settings), spec)
        run.write_attempt(1, None, listings=listings, device="cpu", threads=1, host="here", supervisor_pid=0)
        subprocess.run([sys.executable, "-m", "workers.trainer", run.path, "--token", "1"], check=True)
        _reference.update(tensors(run))
    return _reference


def tensors(run):
    """What a run left: the exported model, and the whole state of its last checkpoint."""
    outcome = Outcome.read(run.attempts()[-1].outcome_file)
    assert outcome is not None and outcome.reason is StopReason.COMPLETED and outcome.iteration == TOTAL
    newest = run.checkpoints / str(run.checkpoint_names()[-1])
    files = {"model": run.path / str(outcome.export), "state": newest / "state.safetensors"}
    return {f"{part}/{k}": v.tobytes() for part, file in files.items() for k, v in load_file(file).items()}


def run_of(job):
    return RunDir(Path(job.run_dir))


def trainer_of(job):
    """The process of the job's newest attempt, once it is noted."""
    for attempt in reversed(run_of(job).attempts()):
        noted = attempt.read().get("trainer")
        if noted:
            with contextlib.suppress(psutil.NoSuchProcess):
                return psutil.Process(noted["pid"])
        return None
    return None


def iteration_on_disk(job):
    """Of the newest event, from the file: Redis may be away."""
    return max((event.it for event in run_of(job).events()), default=0)


@pytest.fixture
def running(client, spec, wait_until):
    """Submits the job and waits until it runs, with a checkpoint published."""

    def running():
        job = client.submit(spec).job
        wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
        job = client.get(job.id)
        assert job.state is JobState.RUNNING and 0 < job.iteration < TOTAL
        return job

    return running


def split(workers, job):
    """(the worker that runs the job, the other ones)."""
    (own,) = [w for w in workers if job.owner.startswith(f"{w.name}@")]
    return own, [w for w in workers if w is not own]


def assert_one_run(done):
    """Nothing happened to the job: its first attempt trained it from begin to end."""
    assert (done.state, done.reason, done.iteration) == (JobState.SUCCEEDED, StopReason.COMPLETED, TOTAL)
    assert (done.attempts, done.token, done.failures) == (1, 1, 0)
    assert [a.token for a in run_of(done).attempts()] == [1]


def assert_stream_is_whole(client, done):
    """Every line of the event files reached Redis, at least once."""
    told = {(e.token, e.n) for e in client.events(done.id)}
    written = {(e.token, e.n) for e in run_of(done).events()}
    assert written <= told


def test_a_killed_worker_is_taken_over_from_its_checkpoint(
    client, running, start_worker, undisturbed, wait_until
):
    workers = [start_worker("w1"), start_worker("w2")]
    job = running()
    own, _ = split(workers, job)
    trainer = trainer_of(job)
    own.kill_main()
    wait_until(
        lambda: not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE, "its trainer ends", 10
    )
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts) == (JobState.SUCCEEDED, 2, 2)
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert tensors(run_of(done)) == undisturbed


def test_a_worker_that_is_shut_down_hands_its_job_to_another(client, running, start_worker, undisturbed):
    workers = [start_worker("w1"), start_worker("w2")]
    job = running()
    own, _ = split(workers, job)
    own.terminate()
    assert own.process.wait(30) == 0
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 2, 0)
    first = Outcome.read(run_of(done).attempt(1).outcome_file)
    assert first.reason is StopReason.DRAINED and first.iteration > 0
    # It went on exactly where the other stopped.
    assert f"-it{first.iteration}-" in run_of(done).attempt(2).read()["resume"]
    assert tensors(run_of(done)) == undisturbed


def test_a_shut_down_worker_claims_nothing_more(client, running, start_worker):
    worker = start_worker()
    job = running()
    worker.terminate()
    assert worker.process.wait(30) == 0
    left = client.get(job.id)
    assert (left.state, left.reason, left.attempts) == (JobState.QUEUED, StopReason.DRAINED, 1)


def test_sigterm_to_every_process_at_once_is_a_hand_back_too(client, running, start_worker):
    """As a service manager does it that signals the whole control group."""
    worker = start_worker()
    job = running()
    trainer = trainer_of(job)
    for pid in (trainer.pid, trainer.ppid(), worker.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert worker.process.wait(30) == 0
    left = client.get(job.id)
    assert (left.state, left.reason, left.failures) == (JobState.QUEUED, StopReason.DRAINED, 0)
    assert Outcome.read(run_of(left).attempt(1).outcome_file).seq == left.seq


def test_a_paused_and_resumed_job_gives_the_same_result(client, running, start_worker, undisturbed):
    start_worker()
    job = running()
    client.pause(job.id)
    paused = client.wait(job.id, timeout=30)
    assert (paused.state, paused.owner) == (JobState.PAUSED, None)
    client.resume(job.id)
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.failures) == (JobState.SUCCEEDED, 0)
    assert tensors(run_of(done)) == undisturbed


def test_a_cancelled_job_keeps_its_best_weights(client, running, start_worker):
    start_worker()
    job = running()
    client.cancel(job.id)
    done = client.wait(job.id, timeout=30)
    assert (done.state, done.reason) == (JobState.CANCELLED, StopReason.CANCELLED)
    assert list(run_of(done).export.glob("*.safetensors"))


def test_a_paused_job_that_is_cancelled_keeps_its_best_weights(client, running, start_worker):
    start_worker()
    job = running()
    client.pause(job.id)
    paused = client.wait(job.id, timeout=30)
    assert paused.state is JobState.PAUSED and not list(run_of(paused).export.glob("*.safetensors"))
    asked = client.cancel(job.id)
    assert (asked.state, asked.wish) == (JobState.QUEUED, "cancel")
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.reason) == (JobState.CANCELLED, StopReason.CANCELLED)
    assert (done.iteration, done.seq) == (paused.iteration, paused.seq)  # nothing was trained
    assert list(run_of(done).export.glob("*.safetensors"))


def test_a_trainer_that_is_killed_is_started_again_where_it_was(client, running, start_worker, undisturbed):
    worker = start_worker()
    job = running()
    trainer_of(job).kill()
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert worker.process.poll() is None
    assert tensors(run_of(done)) == undisturbed


def test_a_trainer_that_always_dies_before_a_checkpoint_ends_as_failed(
    client, spec, start_worker, wait_until
):
    worker = start_worker()
    job = client.submit(spec).job
    for token in (1, 2, 3):
        wait_until(lambda t=token: client.get(job.id).token == t, f"attempt {token} begins")
        trainer = wait_until(lambda: trainer_of(client.get(job.id)), "the trainer is noted")
        trainer.kill()
    done = client.wait(job.id, timeout=30)
    assert (done.state, done.reason, done.failures) == (JobState.FAILED, StopReason.NO_PROGRESS, 3)
    assert "SIGKILL" in done.message
    assert worker.process.poll() is None and "Traceback" not in worker.text()


def test_a_killed_child_of_the_worker_costs_one_lease(client, running, start_worker, undisturbed):
    worker = start_worker()
    job = running()
    child = psutil.Process(trainer_of(job).ppid())
    assert child.ppid() == worker.process.pid
    child.kill()
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed


def test_a_frozen_worker_that_wakes_up_changes_nothing(
    client, running, start_worker, undisturbed, wait_until
):
    workers = [start_worker("w1"), start_worker("w2")]
    job = running()
    own, _ = split(workers, job)
    old = trainer_of(job)
    frozen = [own.process.pid, old.ppid(), old.pid]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: client.get(job.id).token == 2, "another worker takes over")
    wait_until(
        lambda: not old.is_running() or old.status() == psutil.STATUS_ZOMBIE, "the old trainer is ended"
    )
    for pid in frozen[:2]:
        os.kill(pid, signal.SIGCONT)
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed


def test_lost_connections_change_nothing(client, running, start_worker, wait_until):
    start_worker("w1")
    start_worker("w2")
    job = running()
    redis = client.store.connection.redis
    for _ in range(5):
        redis.client_kill_filter(_type="normal", skipme=True)
        redis.client_kill_filter(_type="pubsub", skipme=True)
        seen = client.get(job.id).iteration
        wait_until(lambda s=seen: client.get(job.id).iteration > s, "the job is reported on")
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)


@pytest.fixture
def own_client(environment, own_valkey, tiny_dataset):
    settings = environment(own_valkey)
    tiny_dataset(settings)
    return Client(settings)


def test_redis_killed_and_restarted_under_a_running_job_changes_nothing(
    own_client, own_valkey, tiny_dataset, tiny_spec, start_worker, wait_until
):
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = client.submit(tiny_spec(tiny_dataset(client.settings).identity, TOTAL, **OFTEN)).job
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    job = client.get(job.id)
    own_valkey.kill()
    seen = iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > seen + 400, "the training goes on without Redis")
    own_valkey.start()
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)


def test_redis_frozen_for_longer_than_a_lease_changes_nothing(
    own_client, own_valkey, tiny_dataset, tiny_spec, start_worker, wait_until
):
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = client.submit(tiny_spec(tiny_dataset(client.settings).identity, TOTAL, **OFTEN)).job
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    job = client.get(job.id)
    own_valkey.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(
            lambda: Outcome.read(run_of(job).attempt(1).outcome_file), "the training ends without Redis"
        )
    finally:
        own_valkey.process.send_signal(signal.SIGCONT)
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)


def test_an_emptied_redis_does_not_stop_a_healthy_training(client, running, start_worker, wait_until):
    worker = start_worker()
    job = running()
    client.store.connection.redis.flushall()
    outcome = wait_until(lambda: Outcome.read(run_of(job).attempt(1).outcome_file), "the training ends")
    assert (outcome.reason, outcome.iteration) == (StopReason.COMPLETED, TOTAL)
    wait_until(lambda: "has lost its data" in worker.text(), "the worker says so")
    assert worker.process.poll() is None
