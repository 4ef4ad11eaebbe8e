"""The shipped TLS settings of Redis: clients come in with CA, certificate and password, and not without."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import subprocess
from importlib.util import find_spec
from urllib.parse import urlsplit

import pytest
import redis

from srqueue.errors import ServiceUnreachable
from srqueue.queue.app import make_app
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.drawing import draw
from srqueue.queue.lua_loading import load_missing
from srqueue.store.connection import Connection
from srqueue.store.server_safety import refuse_anybody
from srqueue.store.servers import address_now
from srqueue.store.store import Store
from tests.deploy.conftest import DEPLOY, a_port, make_secrets, shipped
from tests.integration.test_drawn_searches import night


@pytest.fixture
def encrypted(tmp_path, certificates):
    """Debian's Redis (the Python package's Valkey is built without TLS) with redis.conf and tls.conf."""
    server = shipped(tmp_path / "server", "redis-server")
    conf = tmp_path / "tls.conf"
    conf.write_text("".join(f"include {DEPLOY}/redis/{name}\n" for name in ("redis.conf", "tls.conf")))
    files = {"cert": "redis.crt", "key": "redis.key", "ca-cert": "ca.crt"}
    more = [word for kind, name in files.items() for word in (f"--tls-{kind}-file", f"{certificates}/{name}")]
    make_secrets(tmp_path / "tls", f"rediss://localhost:{server.port}/0")
    server = dataclasses.replace(server, conf=conf, more=("--bind", "127.0.0.1", "127.0.0.2", *more))
    (server.folder / "etc").rename(tmp_path / "unused")
    (tmp_path / "tls").rename(server.folder / "etc")
    yield server.start()
    server.close()


def test_tls_with_client_certificates(encrypted, environment, certificates, tmp_path):
    def settings_of(user: str, **files: str):
        return environment(encrypted, REDIS_URL=encrypted.url_of(user), **files)

    ca = {"REDIS_CA": f"{certificates}/ca.crt"}
    own = {**ca, "REDIS_CERT": f"{certificates}/client.crt", "REDIS_KEY": f"{certificates}/client.key"}
    load_missing(Connection(settings_of("loader", **own)))
    settings = settings_of("worker", **own)
    assert not any(Store.connect(settings).count_by_state().values())
    with make_app(settings).connection_for_write() as broker:
        broker.ensure_connection(max_retries=1)
        assert broker.default_channel.client.ping()

    nowhere = {**own, "REDIS_CA": "/nowhere/ca.crt"}
    wrongs = [
        (nowhere, "cannot be read", "SRQUEUE_REDIS_CA names /nowhere/ca.crt"),
        ({}, "a CA that is not trusted", "SRQUEUE_REDIS_CA"),
        (ca, "certificate, or wants one|closed|reset", "SRQUEUE_REDIS_CERT"),
    ]
    for files, why, hint in wrongs:
        refused = settings_of("worker", **files)
        with pytest.raises(ServiceUnreachable, match=why) as caught:
            Connection(refused).ping()
        assert "***" in str(caught.value) and "ssl_" not in caught.value.where
        assert hint in caught.value.hint or re.search("closed|reset", caught.value.message)
        with pytest.raises(Exception), make_app(refused).connection_for_write() as broker:  # noqa: B017
            broker.ensure_connection(max_retries=1, interval_start=0)
            broker.default_channel.client.ping()
    other = encrypted.url_of("worker").replace("@localhost", "@127.0.0.2")
    with pytest.raises(ServiceUnreachable, match="not for the name or address"):
        Connection(environment(encrypted, REDIS_URL=other, **own)).ping()
    plain = encrypted.url_of("worker").replace("rediss://", "redis://")
    with pytest.raises(ServiceUnreachable):
        Connection(environment(encrypted, REDIS_URL=plain)).ping()


@pytest.fixture
def watched(encrypted, certificates, tmp_path, wait_until):
    """A Sentinel of the shipped configuration that watches that server; the port, and what it asks for."""
    made, port = tmp_path / "watched", a_port()
    make_secrets(made, "sentinels://127.0.0.1,localhost/lab")
    text = (made / "redis" / "sentinel.conf").read_text().replace("/etc/srqueue/tls", str(certificates))
    text = text.replace("tls-port 26379", f"tls-port {port}").replace(" +client|setinfo", "")
    text = text.replace("monitor lab 127.0.0.1 6379", f"monitor lab 127.0.0.1 {encrypted.port}")
    known = urlsplit(encrypted.url_of("admin"))  # that server knows no user `sentinel`
    text = re.sub(r"auth-user lab .*", f"auth-user lab {known.username}", text)
    text = re.sub(r"auth-pass lab .*", f"auth-pass lab {known.password}", text)
    (made / "conf").write_text(text)
    argv = [encrypted.binary.path, str(made / "conf"), "--sentinel", "--dir", str(made)]
    with (made / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=encrypted.binary.env, stdout=log, stderr=log)

    def answers():
        assert process.poll() is None, (made / "log").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2):
            return True
        return False

    wait_until(answers, "the Sentinel answers", 20)
    asked = (made / "secrets" / "worker" / "srqueue_redis_url").read_text().partition("?")[2]
    yield port, asked
    process.kill()
    process.wait()


@pytest.fixture
def settings_of(encrypted, watched, environment, certificates):
    """The settings of a user who comes by way of the Sentinel."""
    port, asked = watched
    own = {f"REDIS_{kind}": f"{certificates}/{file}" for kind, file in
           (("CA", "ca.crt"), ("CERT", "client.crt"), ("KEY", "client.key"))}  # fmt: skip

    def settings_of(user, at="127.0.0.1", asked=asked, files=own):
        sign = encrypted.url_of(user).removeprefix("rediss://").partition("@")[0]
        return environment(encrypted, REDIS_URL=f"sentinels://{sign}@{at}:{port}/lab?{asked}", **files)

    return settings_of


@pytest.mark.skipif(find_spec("optuna") is None, reason="the extra `search` is not installed")
def test_optuna_draws_by_tls_as_the_workers_user(settings_of, tiny_dataset):
    load_missing(Connection(settings_of("loader")))
    producer = settings_of("producer")
    tiny_dataset(producer)
    campaigns = CampaignClient(Client(producer))
    campaigns.submit(night(trials=3))
    worker = Store.connect(settings_of("worker"))
    assert draw(worker) == 1
    campaigns.client.cancel(campaigns.records.cells("night")[0].job_id)
    assert draw(worker) == 1  # the study knows the first
    assert sorted(cell.trial for cell in campaigns.records.cells("night")) == [0, 1]


def test_tls_to_sentinels_and_to_the_server_that_they_name(watched, settings_of):
    port, _ = watched
    load_missing(Connection(settings_of("loader")))
    settings = settings_of("worker")
    assert not any(Store.connect(settings).count_by_state().values())
    refuse_anybody(Connection(settings))
    with redis.Redis.from_url(address_now(settings)) as client:
        assert client.ping()
    with make_app(settings).connection_for_write() as broker:
        broker.ensure_connection(max_retries=1)
        assert broker.default_channel.client.ping()
    wrongs = [
        ({"files": {}}, "a CA that is not trusted"), ({"at": "127.0.0.2"}, "not for the name or address"),
        ({"asked": "sentinel_user=client&sentinel_password=wrong-canary"}, "a Sentinel refuses who asks"),
    ]  # fmt: skip
    for wrong, why in wrongs:
        with pytest.raises(ServiceUnreachable, match=why) as caught:
            Connection(settings_of("worker", **wrong)).ping()
        assert "canary" not in str(caught.value) and f":{port}" in str(caught.value)
