"""Run folders on real S3 servers: what is there is whole, and nobody replaces it."""

import hashlib
import json
import os
import shutil
from importlib.util import find_spec

import pytest

from srqueue.errors import UsageError
from srqueue.remote.fetching import fetch
from srqueue.remote.folder import BLOCK, Rate, RemoteFolder, RemoteUnreachable
from srqueue.remote.layout import MANIFEST, JobNames
from srqueue.remote.pulling import pull
from srqueue.remote.pushing import Pusher, Replaced
from srqueue.remote.root import read_remote_id
from srqueue.remote.there import look
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from tests.faults.s3 import BUCKET, S3Server

JOB = "01K0000000000000000000000A"


BOTH = pytest.mark.parametrize("server", ["rclone", "moto"], indirect=True, scope="module")
"""A server without conditional writes, and one with."""


@pytest.fixture(scope="module")
def server(request, wait_until):
    conditional = getattr(request, "param", "rclone") == "moto"
    server = S3Server(wait_until, conditional).start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        if conditional:
            import s3fs

            s3fs.S3FileSystem(skip_instance_cache=True).mkdir(BUCKET)
        server.conditional = conditional
        yield server
    server.close()


@pytest.fixture
def remote(server, tmp_path):
    return RemoteFolder.open(f"{server.url}-{tmp_path.name}")


def make_run(folder, token=1, job=JOB):
    run = RunDir(folder / job).create()
    run.spec_file.write_text('{"name": "x"}\n')
    run.resolved_file.write_text(f'{{"by": {token}}}\n')
    attempt = run.write_attempt(token, None, host="h", supervisor_pid=1)
    attempt.events_file.write_bytes(b'{"some": "event"}\n' * 3)
    return run


def save(run, seq, token=1, iteration=None, payload=b"tensors"):
    name = CheckpointName(seq, iteration or seq * 10, token)
    folder = run.checkpoints / str(name)
    folder.mkdir()
    (folder / "state.safetensors").write_bytes(payload)
    offset = run.attempt(token).events_file.stat().st_size
    body = {
        "name": str(name), "bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest(),
        "events_offset": offset, "saved": 1.0, "state": {},
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({"digest": digest, **body}))
    return name


def pusher(remote, run, token=1):
    return Pusher(remote, run, token, look(remote, JOB))


@BOTH
def test_an_object_is_only_made_where_there_is_none(server, remote):
    assert remote.create("one", b"first") and not remote.create("one", b"second")
    assert remote.read("one") == b"first"
    assert remote.creates_alone("one") is server.conditional
    assert remote.read("one") == b"first"
    with pytest.raises(FileNotFoundError):
        remote.read("two")
    assert read_remote_id(remote) == read_remote_id(remote)


def test_a_checkpoint_travels_whole_and_what_is_newer_here_stays(remote, tmp_path):
    mine, theirs = make_run(tmp_path / "a"), RunDir(tmp_path / "b" / JOB)
    first, second = save(mine, 1), save(mine, 2, payload=b"x" * 3000)
    push = pusher(remote, mine)
    push.checkpoint(second)  # the newest goes first
    found = fetch(remote, theirs)
    assert found.newest == second and theirs.checkpoint_names() == [second]
    assert (theirs.checkpoints / str(second) / "state.safetensors").read_bytes() == b"x" * 3000
    assert theirs.attempt(1).events_file.read_bytes() == mine.attempt(1).events_file.read_bytes()
    assert theirs.resolved_file.read_text() == mine.resolved_file.read_text()
    assert "supervisor_pid" not in theirs.attempt(1).read()  # another machine's
    push.checkpoint(first)
    assert look(remote, JOB).checkpoints == (first, second)
    assert fetch(remote, theirs).newest is None
    # And once the trainer over there has gone on, and pruned, its own is what is there.
    theirs.write_attempt(2, second)
    theirs.attempt(2).events_file.touch()
    third = save(theirs, 3, token=2)
    other = pusher(remote, theirs, 2)
    other.checkpoint(third)
    assert other.prune() == [first]
    assert look(remote, JOB).checkpoints == (second, third)
    back = fetch(remote, mine, anchor_interval=10)
    assert back.newest == third and mine.highest_token() == 2


def test_an_upload_that_broke_off_before_its_manifest_is_not_there(remote, tmp_path, monkeypatch):
    run = make_run(tmp_path)
    first, second = save(run, 1), save(run, 2)
    push = pusher(remote, run)
    push.checkpoint(first)
    create = RemoteFolder.create

    def breaks(self, name, data):
        if name.endswith(MANIFEST):
            raise RemoteUnreachable("gone")
        return create(self, name, data)

    monkeypatch.setattr(RemoteFolder, "create", breaks)
    with pytest.raises(RemoteUnreachable):
        push.checkpoint(second)
    assert any(str(second) in name for name in look(remote, JOB).sizes)  # its payload
    assert fetch(remote, RunDir(tmp_path / "b" / JOB)).newest == first
    monkeypatch.undo()
    push.checkpoint(second)
    assert look(remote, JOB).newest == second


@BOTH
def test_who_holds_the_same_name_with_other_content_replaces_nothing(remote, tmp_path):
    one, twin = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    name = save(one, 1, payload=b"mine")
    assert save(twin, 1, payload=b"theirs") == name
    late = pusher(remote, twin)  # it has looked before
    pusher(remote, one).checkpoint(name)
    with pytest.raises(Replaced):
        late.checkpoint(name)
    brought = RunDir(tmp_path / "c" / JOB)
    assert fetch(remote, brought).newest == name
    assert (brought.checkpoints / str(name) / "state.safetensors").read_bytes() == b"mine"


def test_a_damaged_checkpoint_is_marked_and_its_ancestor_taken(remote, tmp_path):
    run = make_run(tmp_path / "a")
    first, second = save(run, 1), save(run, 2, payload=b"good")
    push = pusher(remote, run)
    push.checkpoint(first)
    push.checkpoint(second)
    names = JobNames(JOB)
    payload = names.payload(second, hashlib.sha256(b"good").hexdigest())
    remote.write(payload, b"evil")
    found = fetch(remote, RunDir(tmp_path / "b" / JOB))
    assert found.newest == first and str(second) in found.aside[0]
    assert look(remote, JOB).checkpoints == (first,)
    assert list((tmp_path / "b" / JOB / "checkpoints").iterdir()) == [
        tmp_path / "b" / JOB / "checkpoints" / str(first)
    ]


def test_large_files_go_in_blocks_and_a_broken_transfer_goes_on(remote, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1 << 20) * 20)  # three blocks
    blocks = []
    remote.upload(source, "large", blocks.append)
    assert sum(blocks) == 20 << 20 and len(blocks) == 3
    target.write_bytes(source.read_bytes()[: 9 << 20])
    blocks.clear()
    remote.download("large", target, blocks.append)
    assert sum(blocks) == 11 << 20 and target.read_bytes() == source.read_bytes()

    def breaks(count):
        raise RuntimeError

    with pytest.raises(RemoteUnreachable):
        remote.upload(source, "broken", breaks)
    assert remote.size("broken") is None
    Rate(1 << 40)(100)


def test_events_are_sent_once_and_results_with_their_list(remote, tmp_path):
    run = make_run(tmp_path)
    attempt = run.attempt(1)
    attempt.events_file.write_bytes(b"e" * ((2 << 20) + 5))
    push = pusher(remote, run)
    push.events()
    with attempt.events_file.open("ab") as file:
        file.write(b"more")
    push.events()
    (run.export / "model.safetensors").write_bytes(b"model")
    Outcome(StopReason.COMPLETED, "", 10, export="export/model.safetensors").write(attempt.outcome_file)
    (run.path / "pictures" / "a").mkdir(parents=True)
    (run.path / "pictures" / "a" / "it5.png").write_bytes(b"png")
    push.outcomes()
    push.results()
    there = look(remote, JOB)
    assert there.results == (1,) and "outcome.json" in there.attempts[1]
    brought = RunDir(tmp_path / "b" / JOB)
    fetch(remote, brought, checkpoints=False)
    assert brought.attempt(1).events_file.read_bytes() == attempt.events_file.read_bytes()
    # What is pulled can be looked at like a run folder.
    pulled = tmp_path / "pulled"
    pull(remote, JOB, pulled)
    for file in ("spec.json", "attempts/1/events.jsonl", "attempts/1/outcome.json", "pictures/a/it5.png"):
        assert (pulled / file).read_bytes() == (run.path / file).read_bytes()
    assert not (pulled / "checkpoints").exists()
    # Who begins anew knows what is there.
    again = pusher(remote, run)
    writes = []
    again._remote = type("Counting", (), {"write": lambda self, *a: writes.append(a)})()
    again.events()
    assert writes == []


def test_a_store_that_does_not_answer_says_so(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    with pytest.raises(RemoteUnreachable) as caught:
        RemoteFolder.open("s3://lab/x").read("y")
    assert "canary" not in str(caught.value) and caught.value.exit_code == 3


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_a_missing_package_is_named():
    with pytest.raises(UsageError, match=r"srqueue\[remote-gs\]"):
        RemoteFolder.open("gs://lab/x")


def test_a_folder_on_a_disk_is_as_good(tmp_path):
    remote = RemoteFolder.open(f"file://{tmp_path}/lab")
    run = make_run(tmp_path / "a")
    name = save(run, 1)
    pusher(remote, run).checkpoint(name)
    assert not remote.create(JobNames(JOB).checkpoint(name, MANIFEST), b"other")
    assert fetch(remote, RunDir(tmp_path / "b" / JOB)).newest == name
    assert not list((tmp_path / "lab").rglob(".part-*"))
    shutil.rmtree(tmp_path / "lab")
    assert look(remote, JOB).newest is None


def test_a_bucket_that_is_not_there_is_told(server, tmp_path):
    nowhere = RemoteFolder.open("s3://no-such-bucket/runs")
    (tmp_path / "large").write_bytes(bytes(BLOCK + 1))
    for attempt in (
        lambda: nowhere.write("x", b"1"),
        lambda: nowhere.create("x", b"1"),
        lambda: nowhere.upload(tmp_path / "large", "large"),
    ):
        with pytest.raises(RemoteUnreachable, match="cannot be used"):
            attempt()
