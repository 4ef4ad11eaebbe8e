"""Where run folders are not shared: a worker takes the model of an upgrade, an extension goes to its host."""

import pytest

from srqueue.errors import DataError
from srqueue.queue.client import Client
from srqueue.run.atomic import read_object
from srqueue.run.reasons import JobState
from srqueue.store.run_folders import run_of


@pytest.fixture
def client(settings):
    return Client(settings)


def test_an_upgrade_and_an_extension_of_what_only_workers_see(client, tiny_dataset, tiny_spec, start_worker):
    start_worker("w1", host="box1")
    job = client.submit(tiny_spec(tiny_dataset(client.settings).identity, 40)).job
    assert client.wait(job.id, 120).state is JobState.SUCCEEDED
    run = run_of(client.get(job.id))
    away = run.path.rename(run.path.with_name("away"))  # as on another machine
    small = {"train": {"total_iter": 10}, "datasets": {"train": {"lq_size": 16, "batch_size": 4}}}
    expanded = client.upgrade(job.id, "quick", overrides=[("flags", small)])
    with pytest.raises(DataError, match="box1"):
        client.extend(job.id, 20)
    client.store.connection.redis.hdel(client.store.keys.job(job.id), "host")
    with pytest.raises(DataError, match="not on this machine"):  # nobody knows where it would be
        client.upgrade(job.id, "quick")
    away.rename(run.path)

    path = expanded.spec.path
    assert path.pretrain_jobs == (job.id,) and path.pretrain_network_g is None
    assert f"which its worker takes from box1:{run.path}" in expanded.notices[0]
    done = client.wait(client.submit(expanded).job.id, 120)
    assert done.state is JobState.SUCCEEDED
    assert read_object(run_of(done).start_file)["job"] == job.id
    assert run_of(done).start_model.read_bytes() == next(run.export.glob("*.safetensors")).read_bytes()

    # As one whose checkpoints are uploaded: other machines have no such folder.
    uploaded = {"host": "box1", "remote_seq": client.get(job.id).seq}
    client.store.connection.redis.hset(client.store.keys.job(job.id), mapping=uploaded)
    longer = client.extend(job.id, 20)
    assert longer.spec.needs.host == "box1" and "on box1, where its checkpoint is" in longer.notices
    done = client.wait(client.submit(longer).job.id, 120)
    assert (done.state, done.iteration, done.host) == (JobState.SUCCEEDED, 60, "box1")
    assert min(e.it for e in run_of(done).events() if e.kind == "train") > 40
