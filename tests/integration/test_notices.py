"""Notices to a real HTTP server: they arrive, once, and whoever does not take them disturbs nobody."""

import base64
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
from pydantic import SecretStr
from ulid import ULID

from srqueue.notices.notice import Notice
from srqueue.notices.sending import addresses, send
from srqueue.queue.client import Client
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import load_settings
from srqueue.store.occasions import AGAIN, Occasions
from workers.notifier import Notifier

SECRET = "s3cret-t0ken"


@pytest.fixture
def receiver():
    """A server that keeps what is posted to it; `status` is what it answers, None: nothing, ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if server.status is None:
                server.released.wait(60)
                return
            server.received.append(json.loads(body))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.received, server.status, server.released = [], 200, threading.Event()
    server.address = f"json://user:{SECRET}@127.0.0.1:{server.server_address[1]}/{SECRET}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def told(settings, receiver):
    """Settings with the receiver as the address."""
    return settings.model_copy(
        update={"notify": SecretStr(receiver.address), "notify_disk": 0.0, "notify_private": True}
    )


def end(store, reason=StopReason.COMPLETED, name="night", message="", host="h", **metrics):
    """A job that was claimed and has ended."""
    job_id = str(ULID())
    store.create(job_id, spec={"n": job_id}, origins={}, spec_id=job_id, name=name, total_iter=9)
    claim = store.claim("w:1", host, ["any"], 60, {"root": "/runs"})
    return store.finish(job_id, claim.token, Outcome(reason, message, 9, metrics=metrics))


def refusing_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_notice_arrives_with_its_picture(told, receiver, tmp_path):
    picture = tmp_path / "comparison.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n picture")
    (sent,) = send(told, Notice("title", "body", picture))
    assert sent.well and sent.address == f"json://127.0.0.1:{receiver.server_address[1]}/***"
    (got,) = receiver.received
    assert (got["title"], got["message"]) == ("title", "body")
    assert base64.b64decode(got["attachments"][0]["base64"]) == picture.read_bytes()


def test_an_address_that_hangs_or_refuses_harms_no_other(settings, receiver):
    silent = socket.create_server(("127.0.0.1", 0))  # takes the connection and says nothing
    urls = [f"json://127.0.0.1:{silent.getsockname()[1]}/x", f"json://127.0.0.1:{refusing_port()}/x"]
    both = SecretStr(" ".join([*urls, receiver.address, "nonsense://x"]))
    results = send(
        settings.model_copy(update={"notify": both, "notify_private": True}), Notice("t", "b"), seconds=3
    )
    silent.close()
    assert [r.well for r in results] == [False, False, True, False]
    assert "no answer within 3 s" in results[0].result and "refused" in results[1].result
    assert len(receiver.received) == 1
    assert not [p for p in psutil.Process().children(recursive=True) if "child.py" in " ".join(p.cmdline())]


def test_addresses_can_be_looked_at_without_sending(told, receiver):
    assert [a.well for a in addresses(told)] == [True] and receiver.received == []


def test_each_end_is_told_once_by_one_of_several_notifiers(told, store, receiver):
    notifiers = [Notifier(told, host="h") for _ in range(3)]
    notifiers[0].look()  # from here on somebody waits for news
    end(store, **{"best/psnr": 31.0, "bicubic/psnr": 29.5})
    end(store, StopReason.DIVERGED, "bad", "the loss is NaN")
    threads = [threading.Thread(target=n.look) for n in notifiers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Notifier(told, host="h").look()  # a worker that was started anew
    titles = sorted(got["title"] for got in receiver.received)
    assert titles == ["bad failed: diverged", "night finished: +1.50 dB over bicubic"]


def test_what_ended_before_anybody_waited_for_news_is_not_told(told, store, receiver):
    end(store)
    ((occasion, at),) = store.connection.redis.zrange(store.keys.occasions, 0, -1, withscores=True)
    store.connection.redis.zadd(store.keys.occasions, {occasion: at - 1})  # not in the same millisecond
    Notifier(told, host="h").look()
    assert receiver.received == []


def test_a_job_that_the_sweeper_fails_is_told(told, store, receiver):
    notifier = Notifier(told, host="h")
    notifier.look()
    job_id = str(ULID())
    store.create(job_id, spec={}, origins={}, spec_id="x", name="lost", total_iter=9)
    for failures in range(3):
        if failures:  # its wait is over
            store.connection.redis.zadd(store.keys.delayed, {job_id: 1.0})
            store.sweep()
        claim = store.claim("w:1", "h", ["any"], 60, {"root": "/runs"})
        store.connection.redis.zadd(store.keys.leases, {job_id: 1.0})  # it ran out
        assert claim is not None
        store.sweep()
    assert store.get(job_id).state is JobState.FAILED
    notifier.look()
    assert [got["title"] for got in receiver.received] == ["lost failed: no_progress"]


def test_a_held_job_is_told_once_until_it_gets_on(told, store, receiver):
    notifier = Notifier(told, host="h")
    notifier.look()
    job_id = end(store, StopReason.DATA_MISSING, message="a.png is not there").id
    notifier.look()
    store.resume(job_id)
    claim = store.claim("w:1", "h", ["any"], 60, {"root": "/runs"})
    store.finish(job_id, claim.token, Outcome(StopReason.DATA_MISSING, "a.png is not there", 0))
    notifier.look()
    assert store.get(job_id).state is JobState.HELD
    assert [got["title"] for got in receiver.received] == ["night is held: data_missing"]


def test_a_job_that_was_queued_again_before_it_was_told_is_not_told_as_failed(told, store, receiver):
    notifier = Notifier(told, host="h")
    notifier.look()
    store.retry(end(store, StopReason.DIVERGED).id)
    notifier.look()
    assert receiver.received == []


def test_only_what_was_asked_for_is_told_and_many_ends_are_one_notice(told, store, receiver):
    notifier = Notifier(told.model_copy(update={"notify_on": "failed"}), host="h")
    notifier.look()
    for _ in range(6):
        end(store)
        end(store, StopReason.DIVERGED, "bad")
    notifier.look()
    assert [got["title"] for got in receiver.received] == ["0 jobs finished, 6 failed"]


def test_the_machine_that_has_the_picture_tells_first(told, store, receiver):
    here, elsewhere = Notifier(told, host="h"), Notifier(told, host="other")
    here.look()
    end(store)
    elsewhere.look()
    assert receiver.received == []
    here.look()
    assert len(receiver.received) == 1


def test_a_notice_that_takes_long_keeps_no_other_from_its_teller(told, store, receiver, monkeypatch):
    """What is sent later is taken later: a second notifier may come first, and then it is told once."""
    monkeypatch.setattr("workers.notifier.TAKEN", 1)
    first = Notifier(told, host="h", sender=lambda *given: (time.sleep(1.2), send(*given))[1])
    second = Notifier(told, host="h")
    first.look()
    for _ in range(3):
        end(store)
    slow = threading.Thread(target=first.look)
    slow.start()
    time.sleep(0.3)
    second.look()
    slow.join()
    second.look()
    assert len(receiver.received) in (3, 4)  # the one being sent when its time was over may come twice


def test_who_refuses_is_asked_ever_more_seldom_and_then_left_alone(told, store, receiver):
    receiver.status = 500
    notifier, occasions = Notifier(told, host="h"), Occasions(store.connection)
    notifier.look()
    end(store)
    redis, waits = store.connection.redis, []
    for _ in range(len(AGAIN) + 3):
        notifier.look()
        notifier.look()  # too soon
        for key in redis.keys("srq:notice:ended:*"):
            if redis.get(key) == "waiting":
                waits.append(redis.ttl(key))
                redis.delete(key)  # the wait is over
    assert waits == sorted(waits) and len(waits) == len(AGAIN) and waits[-1] > 3600
    assert len(receiver.received) == len(AGAIN) + 1
    assert occasions.since(0) == []


def test_a_low_disk_and_the_digest_are_told_once_a_day(told, store, receiver):
    on = {"notify_on": "disk,digest", "notify_disk": 1e6, "notify_digest": time.localtime().tm_hour}
    end(store, **{"best/psnr": 31.0, "bicubic/psnr": 29.5})
    told.runs_root.mkdir()
    for _ in range(2):
        Notifier(told.model_copy(update=on), host="h").look()
    titles = sorted(got["title"] for got in receiver.received)
    assert titles[0] == "1 finished, 0 failed, 0 running, 0 queued" and titles[1].startswith(
        "the disk of h is low"
    )
    assert len(titles) == 2


def test_nothing_of_a_job_is_ever_called(told, store, receiver):
    """An address in a name, a message or a run folder is text."""
    hostile = f"json://127.0.0.1:{receiver.server_address[1]}/from-a-job"
    notifier = Notifier(told, host="h")
    notifier.look()
    job = end(store, StopReason.DIVERGED, "bad", hostile)
    store.connection.redis.hset(store.keys.job(job.id), "run_dir", hostile)
    notifier.look()
    assert len(receiver.received) == 1, "only the operator's"


def test_a_worker_tells_of_its_job_and_its_secrets_stay_its_own(
    environment, valkey, receiver, tiny_dataset, tiny_spec, start_worker, wait_until, store
):
    """Given a plateau on the way, and an address behind a password."""
    more = {"NOTIFY_ON": "started,plateau,finished", "NOTIFY_DISK": "0", "NOTIFY_PRIVATE": "true"}
    settings = environment(valkey, NOTIFY=receiver.address, **more)
    spec = tiny_spec(tiny_dataset(settings).identity, 200, val={"val_freq": 20})
    raw = spec.model_dump(mode="json")
    automations = raw["train"]["training_automations"]
    automations["enabled"] = automations["IntelligentEarlyStopping"]["enabled"] = True
    automations["IntelligentEarlyStopping"] |= {"patience": 20, "min_improvement": 100.0}
    automations["IntelligentLearningRateScheduler"]["enabled"] = False
    worker = start_worker()
    wait_until(lambda: store.connection.redis.exists("srq:notices:since"), "the worker looks for occasions")
    job = Client(settings).submit(raw).job
    seen = set()

    def arrived():
        for process in psutil.Process(worker.process.pid).children(recursive=True):
            try:
                seen.add(" ".join(process.cmdline()))
                if "workers.trainer" in " ".join(process.cmdline()):
                    assert "SRQUEUE_NOTIFY" not in process.environ()
            except psutil.Error:
                continue
        return len(receiver.received) >= 3

    wait_until(arrived, "three notices")
    titles = [got["title"] for got in receiver.received]
    assert sorted(t.partition(":")[0] for t in titles) == [
        "tiny finished",
        "tiny stands still",
        "tiny started",
    ]
    finished = next(got for got in receiver.received if "finished" in got["title"])
    assert base64.b64decode(finished["attachments"][0]["base64"]).startswith(b"\x89PNG")
    done = store.get(job.id)
    assert (done.state, done.reason) == (JobState.SUCCEEDED, StopReason.STOPPED_EARLY)
    client = store.connection.redis
    stored = [str(client.dump(key)) for key in client.keys("srq:*") if "pictures" not in key]
    files = [f.read_bytes() for f in settings.runs_root.rglob("*") if f.is_file()]
    assert not [s for s in [*stored, *seen, worker.text()] if SECRET in s]
    assert not [f for f in files if SECRET.encode() in f]
    assert "Traceback" not in worker.text()
    assert not list(settings.runs_root.rglob("report.html")), "REPORT is false"


def test_an_unknown_occasion_is_refused_by_name(monkeypatch, settings):
    from srqueue.errors import UsageError

    monkeypatch.setenv("SRQUEUE_NOTIFY_ON", "finished,parties")
    with pytest.raises(UsageError, match="no notice parties"):
        load_settings()


def test_the_command_tries_every_address_and_shows_no_secret(typed, tmp_path, receiver):
    own = {"SRQUEUE_NOTIFY_PRIVATE": "true"}
    run = typed(tmp_path)
    assert "SRQUEUE_NOTIFY is not set" in run("notify", "--test", code=2).stderr
    shown = run("notify", SRQUEUE_NOTIFY=receiver.address).stdout
    assert "not tried" in shown and receiver.received == []
    assert "taken" in run("notify", "--test", SRQUEUE_NOTIFY=receiver.address, **own).stdout
    assert [got["title"] for got in receiver.received] == ["srqueue: a trial"]
    bad = f"{receiver.address} json://u:{SECRET}@127.0.0.1:{refusing_port()}/{SECRET}"
    failed = run("notify", "--test", code=1, SRQUEUE_NOTIFY=bad, **own)
    assert "taken" in failed.stdout and "not taken" in failed.stdout
    assert SECRET not in failed.stdout + failed.stderr
