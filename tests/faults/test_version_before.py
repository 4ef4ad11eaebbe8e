"""A job that the version before this one paused: record and run folder as it left them (commit e389a90)."""

import json
import tarfile
from pathlib import Path

from srqueue.queue.recovering import recover
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.store.store import Store
from tests.faults.queued import TOTAL, tensors

LEFT = Path(__file__).parent / "data" / "paused_by_the_version_before.tar.xz"
PAUSED_AT = 600


def bring_back(settings):
    """Puts the run folder under the runs root and the keys into Redis; the job's id."""
    settings.runs_root.mkdir(parents=True)
    with tarfile.open(LEFT) as tar:
        tar.extractall(settings.runs_root, filter="data")
    file = settings.runs_root / "redis.json"
    redis = Store.connect(settings).connection.redis
    for key, (kind, value) in json.loads(file.read_text()).items():
        if kind == "hash":
            redis.hset(key, mapping=value)
        elif kind == "zset":
            redis.zadd(key, dict(value))
        else:
            for line in value:
                redis.xadd(key, {"line": line})
    file.unlink()
    (run,) = (path for path in settings.runs_root.iterdir() if path.is_dir())
    return run.name


def test_it_goes_on_from_where_it_stood_and_ends(settings, client, tiny_dataset, start_worker):
    job_id = bring_back(settings)
    tiny_dataset(settings)
    paused = client.get(job_id)
    assert (paused.state, paused.iteration) == (JobState.PAUSED, PAUSED_AT)
    assert client.store.attempts(job_id) == ()  # it kept none
    start_worker()
    client.resume(job_id)
    done = client.wait(job_id, timeout=90)
    assert (done.state, done.iteration, done.token, done.failures) == (JobState.SUCCEEDED, TOTAL, 2, 0)
    run = RunDir(Path(done.run_dir))
    assert f"-it{PAUSED_AT}-" in run.attempt(2).read()["resume"]
    assert tensors(run)
    validated = [event.it for event in run.events() if event.kind == "val"]
    assert validated == list(range(150, TOTAL + 1, 150))  # its history and ours are one
    (attempt,) = client.store.attempts(job_id)
    assert (attempt.token, attempt.from_iteration, attempt.state) == (2, PAUSED_AT, JobState.SUCCEEDED)
    assert not list(run.checkpoints.glob("bad-*"))


def test_it_is_recovered_from_its_folder_alone(settings, client):
    job_id = bring_back(settings)
    client.store.connection.redis.flushall()
    (found,) = recover(settings, settings.runs_root)
    assert (found.how, found.job.id) == ("recovered", job_id)
    job = client.get(job_id)
    assert (job.state, job.iteration, job.name) == (JobState.PAUSED, PAUSED_AT, "tiny")
