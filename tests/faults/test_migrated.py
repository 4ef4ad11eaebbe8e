"""The queue moves from the embedded server to another one while a job trains and another waits."""

import subprocess
import sys

import pytest

from srqueue.errors import UsageError
from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from srqueue.settings import load_settings, on_server
from srqueue.stack.stack import Stack
from srqueue.store.migrating.moving import Migration, undo
from srqueue.store.moved import QueueMoved
from srqueue.store.store import Store
from tests.faults.queued import assert_exact, assert_one_run, assert_stream_is_whole, iteration_on_disk


@pytest.fixture
def embedded(environment, own_valkey, monkeypatch):
    """Settings of a machine that uses the server of `srqueue up`."""
    environment(own_valkey)
    monkeypatch.delenv("SRQUEUE_REDIS_URL")
    stack = Stack(load_settings())
    stack.up(["server"])
    yield stack.settings
    stack.down()


def srqueue(*arguments):
    command = [sys.executable, "-m", "srqueue.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_runs_goes_on_and_what_waits_follows_on_the_new_server(
    embedded, own_valkey, submit, spec_for, tiny_spec, start_worker, wait_until, undisturbed_job
):
    worker = start_worker("w1")
    old = Client(embedded)
    job = submit(old)
    waits = old.submit(tiny_spec(spec_for(old).datasets.train.identity, 30)).job
    before = old.get(job.id)
    moved = srqueue("migrate", own_valkey.url)
    assert moved.returncode == 0, moved.stderr
    assert "sha256" in moved.stdout
    seen = iteration_on_disk(job)
    new = Client(load_settings())
    assert new.settings.store_url == own_valkey.url and new.settings.from_file
    assert embedded.url_file.stat().st_mode & 0o077 == 0
    wait_until(lambda: new.get(job.id).iteration > seen, "its progress comes to the new server")
    done = new.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(new, done)
    assert (done.created, done.claimed, done.spec_id) == (before.created, before.claimed, before.spec_id)
    assert new.wait(waits.id, timeout=60).state is JobState.SUCCEEDED  # heard of by its bell, there
    assert_exact(new, done, undisturbed_job)
    assert len(new.store.workers()) == 1 and "Traceback" not in worker.text()

    # What forgot that it has moved: told where it is; nothing more is written to the old one.
    forgotten = on_server(embedded, f"unix://{embedded.socket}")
    with pytest.raises(QueueMoved, match="has moved to unix://"):
        Store.connect(forgotten)
    again = srqueue("migrate", own_valkey.url)
    assert again.returncode == 0 and "had moved already" in again.stdout


def test_a_move_that_was_interrupted_is_run_again_or_taken_back(embedded, own_valkey, monkeypatch):
    old = Client(embedded)
    ids = [
        old.store.create(f"{i:026d}", spec={"a": i}, origins={}, spec_id=str(i), name="n", total_iter=1)[0].id
        for i in range(3)
    ]
    target = on_server(embedded, own_valkey.url)

    def dies(self, _):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Migration, "_compare", dies)
        with pytest.raises(KeyboardInterrupt):
            Migration(embedded, target).run()
    for half in (embedded, target):
        with pytest.raises(QueueMoved, match="is being moved"):
            Store.connect(half)
    assert srqueue("migrate", "--undo", own_valkey.url).returncode == 0
    assert old.store.get(ids[0]).spec == {"a": 0}
    old.store.set_priority(ids[0], 9)  # it works there
    with own_valkey.client() as client:
        assert client.dbsize() == 0

    with monkeypatch.context() as patch:
        patch.setattr(Migration, "_open", dies)  # after the way back was closed
        with pytest.raises(KeyboardInterrupt):
            Migration(embedded, target).run()
    with pytest.raises(UsageError, match="works there"):
        undo(embedded)
    done = Migration(embedded, target).run()
    assert done.before
    there = Client(load_settings())
    assert there.settings.store_url == own_valkey.url
    assert [there.get(i).name for i in ids] == ["n"] * 3 and there.get(ids[0]).priority == 9


def test_a_server_that_has_a_queue_is_refused(embedded, own_valkey):
    target = on_server(embedded, own_valkey.url)
    for settings in (embedded, target):
        Store.connect(settings).create("0" * 26, spec={}, origins={}, spec_id="x", name="n", total_iter=1)
    with pytest.raises(UsageError, match="there is a queue"):
        Migration(embedded, target).run()
    with pytest.raises(UsageError, match="on that server already"):
        Migration(embedded, on_server(embedded, f"unix://{embedded.socket}")).run()
    Store.connect(embedded).set_priority("0" * 26, 9)  # nothing was touched
