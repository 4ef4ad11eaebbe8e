"""The shipped users of Redis: the product works with them, and each is refused what is not its affair."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.queue.client import Client
from srqueue.queue.lua_loading import load_missing, sources
from srqueue.settings import load_settings, on_server
from srqueue.store.connection import Connection
from srqueue.store.migrating.moving import Migration
from srqueue.store.server_safety import hole, named, refuse_anybody
from tests.conftest import ROOT
from tests.deploy.conftest import DEPLOY, a_port
from tests.integration.flower_process import Flower


def environment_of(secrets) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if k != "SRQUEUE_REDIS_URL"}
    return env | {"PYTHONPATH": str(ROOT), "SRQUEUE_SECRETS": str(secrets)}


def srqueue(secrets, *argv: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "srqueue.cli", *argv], env=environment_of(secrets), capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def test_a_job_is_trained_and_watched_by_the_shipped_users_and_nothing_is_refused(
    valkey_only, environment, monkeypatch, start_worker, tiny_dataset, tiny_spec, wait_until, tmp_path
):
    server = valkey_only
    environment(server, REDIS_URL=server.url_of("producer"))
    client = Client(load_settings())
    entry = tiny_dataset(client.settings)
    loaded = srqueue(server.secrets("loader"), "load-scripts")
    assert "scripts loaded into redis://loader:***@" in loaded.stdout, loaded.stderr
    flower = Flower(tmp_path, server.url_of("monitor"), "--read-only", user="a:b", FLOWER_AUTH="a:b").ready()
    monkeypatch.delenv("SRQUEUE_REDIS_URL")
    worker = start_worker(SECRETS=str(server.secrets("worker")))  # as a unit or a container tells it
    try:
        job = client.submit(tiny_spec(entry.identity, 400)).job
        wait_until(lambda: client.get(job.id).state.final, "the job ends", 120)
        shown = json.loads(srqueue(server.secrets("monitor"), "show", job.id, "--json").stdout)
        assert shown["state"] == "succeeded", worker.text()
        wait_until(
            lambda: job.id in flower.ask("/api/tasks").text,
            f"Flower has heard of the job: {server.refusals()}",
            20,
        )
        assert flower.api("jobs")["counts"]["succeeded"] == 1
    finally:
        worker.terminate()
        worker.process.wait(30)
        flower.close()
    # Celery's workers are asked about themselves when Flower starts: who only looks may not, and it goes on.
    assert {one for one in server.refusals() if not one.startswith("monitor: ")} == set()


def test_what_a_transaction_wrote_is_there_after_a_restart_and_still_nobody_comes_in_without_a_name(guarded):
    """Scripts' writes lie in the append-only file as transactions, read as `default` at the start."""
    with guarded.client("producer") as client, client.pipeline(transaction=True) as both:
        both.hset("srq:job:x", "state", "queued").hset("srq:job:x", "name", "x").execute()
    guarded.process.terminate()
    guarded.process.wait(20)
    guarded.start()
    with guarded.client("admin") as client:
        assert client.hgetall("srq:job:x") == {"state": "queued", "name": "x"}
    nobody = redis.Redis(port=guarded.port, retry=Retry(NoBackoff(), 0))
    for how in ((), ("AUTH", ""), ("AUTH", "default", ""), ("HELLO", "2", "AUTH", "default", "")):
        with nobody, pytest.raises(redis.RedisError, match=r"NOAUTH|uthenticat|invalid|equired"):
            nobody.execute_command(*(how or ("GET", "srq:job:x")))


def test_a_queue_moves_to_the_shipped_users_as_admin_and_is_used_as_another(valkey_only, valkey, environment):
    here = environment(valkey)
    with valkey.client() as old:
        old.hset("srq:job:x", "name", "x")
    producer, admin, worker = (valkey_only.url_of(user) for user in ("producer", "admin", "worker"))
    with pytest.raises(UsageError, match="may not move a queue"):
        Migration(here, on_server(here, producer)).run()
    with valkey.client() as old:
        assert not old.exists("srq:moved")  # nothing stands still
    Migration(here, on_server(here, admin), after=on_server(here, worker)).run()
    with valkey_only.client("admin") as client:
        assert not client.exists("srq:moved") and client.hget("srq:job:x", "name") == "x"


EVERYBODY = [
    ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("CONFIG", "SET", "dir", "/tmp"), ("KEYS", "*"),
    ("SCAN", "0"), ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"), ("FUNCTION", "LIST"), ("ACL", "LIST"),
    ("ACL", "SETUSER", "me"), ("SHUTDOWN",), ("REPLICAOF", "10.0.0.1", "6379"),
    ("MONITOR",), ("CLIENT", "LIST"), ("CLIENT", "KILL", "ID", "1"), ("MODULE", "LIST"), ("SAVE",),
    ("BGREWRITEAOF",), ("SWAPDB", "0", "1"), ("RENAME", "srq:a", "srq:b"), ("GET", "another"),
    ("SUBSCRIBE", "another"), ("PSUBSCRIBE", "*"), ("PUBLISH", "another", "x"),
]  # fmt: skip
ALONE = {
    "producer": [
        ("SCRIPT", "LOAD", "return 1"), ("BRPOP", "srq:celery:srqueue.any", "1"),
        ("PUBLISH", "srq:celery:/0.celery.pidbox", "x"), ("SUBSCRIBE", "srq:celery:/0.celeryev/x"),
    ],
    "worker": [("SCRIPT", "LOAD", "return 1")],
    "flower": [("SCRIPT", "LOAD", "return 1")],
    "monitor": [
        ("SCRIPT", "LOAD", "return 1"), ("SET", "srq:x", "1"), ("ZADD", "srq:jobs", "1", "x"),
        ("LPUSH", "srq:celery:srqueue.any", "x"), ("DEL", "srq:jobs"),
        ("PUBLISH", "srq:celery:/0.celery.pidbox", "x"),
    ],
    "loader": [("EVALSHA", "0" * 40, "0"), ("GET", "srq:x"), ("ZCARD", "srq:jobs"), ("INFO",)],
}  # fmt: skip


def test_producer_and_worker_may_whatever_code_and_scripts_call():
    """A command that a test of the whole does not come by is not forgotten."""
    files = [p for part in ("srqueue", "workers") for p in (ROOT / part).rglob("*.py")]
    code = "".join(
        p.read_text() for p in files if p.parent.name != "migrating"
    )  # an administrator moves a queue
    called = set(re.findall(r"\b(?:client|pipeline)\.([a-z]+)\(", code)) & set(dir(redis.Redis))
    called = called - {"pipeline", "execute", "close", "transaction"} | {"watch", "multi", "exec"}
    called = {"del" if name == "delete" else name for name in called}
    lua = "".join(p.read_text() for p in (ROOT / "srqueue" / "store" / "lua").glob("*.lua"))
    called |= {name.lower() for name in re.findall(r"redis\.p?call\([\"'](\w+)", lua)}
    assert {"zadd", "hgetall", "xadd", "evalsha"} <= called | {"evalsha"} and len(called) > 40
    for line in (DEPLOY / "redis" / "users.acl.in").read_text().splitlines():
        if line.startswith(("user producer", "user worker", "user flower")):
            may = {word[1:] for word in line.split() if word.startswith("+")} | {"ping"}  # of @connection
            assert called - may == set(), line[:20]


def test_each_user_is_refused_what_is_not_its_affair(guarded):
    with redis.Redis(port=guarded.port, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as nobody:
        for asked in ("PING", "INFO", "KEYS *", "GET srq:x"):
            with pytest.raises(redis.AuthenticationError):
                nobody.execute_command(*asked.split())
    for user, own in ALONE.items():
        with guarded.client(user) as client:
            for command in [*EVERYBODY, *own]:
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*command)
    with guarded.client("admin") as operator, guarded.client("monitor") as monitor:
        writing = operator.script_load("return redis.call('SET', 'srq:x', '1')")
        with pytest.raises(redis.ResponseError, match=r"(?i)permission|can't access"):
            monitor.evalsha(writing, 1, "srq:x")  # what a script does is looked at as well
        assert operator.get("srq:x") is None
        assert operator.execute_command("CONFIG", "GET", "appendonly") is not None
        with pytest.raises(redis.ResponseError, match="protected"):
            operator.config_set("dir", "/tmp")


def test_scripts_that_nobody_loaded_are_named_and_loaded_again_after_a_restart(
    valkey_only, environment, tiny_spec, wait_until
):
    server = valkey_only
    client = Client(environment(server, REDIS_URL=server.url_of("producer")))
    spec = tiny_spec(None, 10)
    with pytest.raises(ServiceUnreachable) as caught:
        client.submit(spec)
    assert "our Lua scripts are not in Redis" in str(caught.value) and "load-scripts" in str(caught.value)
    argv = [sys.executable, "-m", "srqueue.cli", "load-scripts", "--watch"]
    loader = subprocess.Popen(argv, env=environment_of(server.secrets("loader")), stdout=subprocess.DEVNULL)
    try:

        def all_there() -> bool:
            with contextlib.suppress(redis.RedisError), server.client("loader") as one:
                return all(one.script_exists(*sources()))
            return False

        wait_until(all_there, "the scripts are loaded", 20)
        job = client.submit(spec).job
        server.close()
        server.start()
        wait_until(all_there, "the scripts are loaded again", 20)
        assert client.submit(tiny_spec(None, 11)).new
        assert client.get(job.id).name == "tiny"  # the append-only file was read
    finally:
        loader.terminate()
        loader.wait(10)


def test_a_search_that_learns_asks_for_no_lua_of_its_own(valkey_only, environment):
    server = valkey_only
    load_missing(Connection(environment(server, REDIS_URL=server.url_of("loader"))))
    asked = {
        "url": server.url_of("worker"), "prefix": "srq:campaign:c:study:s", "sampler": "tpe", "seed": 1,
        "space": {"train.optim_g.lr": {"log": [1e-3, 1e-1]}}, "known": [], "wanted": 2,
    }  # fmt: skip
    argv = [sys.executable, str(ROOT / "srqueue" / "queue" / "optuna_child.py")]
    first = subprocess.run(argv, input=json.dumps(asked), capture_output=True, text=True, timeout=120)
    assert first.returncode == 0, first.stderr
    drawn = json.loads(first.stdout)
    assert [one["number"] for one in drawn] == [0, 1]
    known = [{"number": 0, "params": drawn[0]["params"], "state": "complete", "at": {}, "value": 31.0}]
    again = subprocess.run(
        argv, input=json.dumps({**asked, "known": known}), capture_output=True, text=True, timeout=120
    )
    handed_out = json.loads(again.stdout)
    assert (
        handed_out[0] == drawn[1] and handed_out[1]["number"] == 2
    )  # the journal was read as it was written
    assert server.refusals() == []


def test_a_server_that_lets_anybody_in_is_refused_beyond_loopback(valkey_only, environment, own_valkey):
    # 0.0.0.0 leads here and is no loopback address.
    guarded = valkey_only.url_of("worker").replace("127.0.0.1", "0.0.0.0")
    connection = Connection(environment(valkey_only, REDIS_URL=guarded))
    refuse_anybody(connection)
    assert named(connection)[0] == "valkey" and hole(*named(connection)) is None
    port = a_port()
    with own_valkey.client() as operator:
        operator.config_set("port", port)
    for more, refused in (({}, True), ({"REDIS_OPEN": "true"}, False)):
        anybody = environment(own_valkey, REDIS_URL=f"redis://:x@0.0.0.0:{port}/0", **more)
        with pytest.raises(UsageError, match="answers anybody") if refused else contextlib.nullcontext():
            refuse_anybody(Connection(anybody))
