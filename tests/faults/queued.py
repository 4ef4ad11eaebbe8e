"""Jobs that went through the queue to real workers."""

import contextlib
import fcntl
import os
from pathlib import Path

import psutil
from safetensors.numpy import load_file

from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason

TOTAL = int(os.environ.get("FAULTS_ITERATIONS", "1500"))  # some seconds; fewer on a slow machine
# Every validation saves: the first checkpoint comes early in the run, however fast the machine is.
OFTEN = {"val": {"val_freq": TOTAL // 10}}


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
    for attempt in reversed(run_of(job).attempts() if job.run_dir else []):
        noted = attempt.read().get("trainer")
        if noted:
            with contextlib.suppress(psutil.NoSuchProcess):
                return psutil.Process(noted["pid"])
        return None
    return None


def iteration_on_disk(job):
    """Of the newest event, from the file: Redis may be away."""
    return max((event.it for event in run_of(job).events()), default=0)


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


def assert_exact(client, done, undisturbed_job):
    """The job has ended with the bits of an undisturbed one, and nothing of it is left over."""
    assert (done.state, done.reason, done.iteration) == (JobState.SUCCEEDED, StopReason.COMPLETED, TOTAL)
    assert tensors(run_of(done)) == undisturbed_job
    assert_nothing_left(client, done)


def assert_nothing_left(client, job):
    """No process, no lease, no lock, no half-written file."""
    run = run_of(job)
    assert trainers(run) == []
    assert client.store.connection.redis.zcard(f"{client.settings.prefix}:leases") == 0
    with run.lock_file.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(run.path.rglob("*tmp*")) == []
    assert not run.reserve_file.exists()


def trainers(run):
    """Process ids of all trainers that work in a run folder; one that was a spare has its lock open."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            argv, files = process.cmdline(), []
            if "workers.trainer" in argv:
                files = [file.path for file in process.open_files()]
            mine = str(run.path) in argv or str(run.lock_file.resolve()) in files
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def spares(worker):
    """The trainers below a worker that wait for an attempt, whether they are ready yet or not."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(worker.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                held = [file.path for file in process.open_files() if file.path.endswith("/beat")]
                if "--spare" in process.cmdline() and not held and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def gone(process):
    """Whether a process has ended, waited for or not."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Published:
    """The checkpoints a job's record has shown: what is published only grows."""

    def __init__(self, client, job):
        self._redis, self._key, self.seen = (
            client.store.connection.redis,
            client.store.connection.keys.job(job.id),
            [],
        )

    def look(self):
        """The newest (token, seq); True, so that it may stand in a condition."""
        fields = self._redis.hmget(self._key, "seq_token", "seq")
        if None not in fields:
            self.seen.append(tuple(int(f) for f in fields))
        return True

    def assert_grown(self):
        """It never fell, and the newest is of the last attempt."""
        self.look()
        assert self.seen == sorted(self.seen)
