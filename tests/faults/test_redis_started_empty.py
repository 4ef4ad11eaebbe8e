"""Redis is started anew without its data: under a training, and after everything died."""

import shutil

import pytest

from srqueue.queue.recovering import recover
from srqueue.run.reasons import JobState
from tests.faults.queued import assert_one_run, assert_stream_is_whole, run_of, tensors


@pytest.fixture
def start_empty(own_valkey):
    """Starts the killed server without what it had kept."""

    def start_empty():
        shutil.rmtree(own_valkey.folder / "appendonlydir")
        own_valkey.start()

    return start_empty


def known(client, job):
    return job.id in {found.id for found in client.list()}


def test_the_owner_of_a_running_job_tells_an_empty_redis_of_it(
    own_client,
    own_valkey,
    start_empty,
    submit,
    spec_for,
    tiny_spec,
    start_worker,
    wait_until,
    undisturbed_job,
):
    client = own_client
    workers = [start_worker("w1"), start_worker("w2")]
    job = submit(client)
    own_valkey.kill()
    start_empty()
    wait_until(lambda: known(client, job), "the record is back")
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
    assert tensors(run_of(done)) == undisturbed_job
    for field in (
        "name",
        "spec",
        "origins",
        "spec_id",
        "priority",
        "created",
        "started",
        "root_id",
        "run_dir",
    ):
        assert getattr(done, field) == getattr(job, field), field
    assert any("told again" in worker.text() for worker in workers)
    # Everything works on: it is known by its spec, and another job is heard of and run.
    assert not client.submit(spec_for(client)).new
    small = client.submit(tiny_spec(spec_for(client).datasets.train.identity, 20)).job
    assert client.wait(small.id, timeout=60).state is JobState.SUCCEEDED


def test_a_job_whose_worker_died_as_well_is_recovered_and_goes_on(
    own_client, own_valkey, start_empty, submit, start_worker, undisturbed_job
):
    client = own_client
    worker = start_worker("w1")
    job = submit(client)
    own_valkey.kill()
    worker.kill_main()
    start_empty()
    (found,) = recover(client.settings, client.settings.runs_root)
    assert (found.how, found.job.id, found.job.state) == ("recovered", job.id, JobState.RUNNING)
    assert found.job.iteration >= job.iteration and found.job.seq is not None
    start_worker("w2")
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts) == (JobState.SUCCEEDED, 2, 2)
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert_stream_is_whole(client, done)
    assert tensors(run_of(done)) == undisturbed_job
