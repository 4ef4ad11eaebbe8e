"""The shipped TLS settings of Redis: clients come in with CA, certificate and password, and not without."""

from __future__ import annotations

import dataclasses

import pytest

from srqueue.errors import ServiceUnreachable
from srqueue.queue.app import make_app
from srqueue.queue.lua_loading import load_missing
from srqueue.store.connection import Connection
from srqueue.store.store import Store
from tests.deploy.conftest import DEPLOY, make_secrets, shipped


@pytest.fixture
def encrypted(tmp_path, certificates):
    """Debian's Redis (the Python package's Valkey is built without TLS) with redis.conf and tls.conf."""
    server = shipped(tmp_path / "server", "redis-server")
    conf = tmp_path / "tls.conf"
    conf.write_text("".join(f"include {DEPLOY}/redis/{name}\n" for name in ("redis.conf", "tls.conf")))
    files = {"cert": "redis.crt", "key": "redis.key", "ca-cert": "ca.crt"}
    more = [word for kind, name in files.items() for word in (f"--tls-{kind}-file", f"{certificates}/{name}")]
    make_secrets(tmp_path / "tls", f"rediss://localhost:{server.port}/0")
    server = dataclasses.replace(server, conf=conf, more=("--bind", "127.0.0.1", *more))
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

    for files, why in (({}, "certificate verify failed"), (ca, "certificate required|closed|reset|EOF")):
        refused = settings_of("worker", **files)
        with pytest.raises(ServiceUnreachable, match=f"(?i){why}") as caught:
            Connection(refused).ping()
        assert "***" in str(caught.value) and "ssl_" not in caught.value.where
        with pytest.raises(Exception), make_app(refused).connection_for_write() as broker:  # noqa: B017
            broker.ensure_connection(max_retries=1, interval_start=0)
            broker.default_channel.client.ping()
    plain = encrypted.url_of("worker").replace("rediss://", "redis://")
    with pytest.raises(ServiceUnreachable):
        Connection(environment(encrypted, REDIS_URL=plain)).ping()
