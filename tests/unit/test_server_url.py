"""What the address of a server may be, and what of it is shown."""

from __future__ import annotations

import pytest

from srqueue.errors import UsageError
from srqueue.queue.app import make_app
from srqueue.server_url import is_loopback, without_secrets
from srqueue.settings import load_settings
from srqueue.store.server_safety import hole


@pytest.fixture(autouse=True)
def _only_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path))
    for name in ("URL", "CA", "CERT", "KEY", "OPEN"):
        monkeypatch.delenv(f"SRQUEUE_REDIS_{name}", raising=False)


@pytest.mark.parametrize(
    "url",
    ["redis://10.1.2.3:6379/0", "redis://queue/0", "rediss://queue.example.org", "redis://user@queue/0",
     "redis://0.0.0.0/0", "redis://[2001:db8::1]:6379/0"],
)  # fmt: skip
def test_a_server_beyond_loopback_needs_a_password_unless_told_otherwise(monkeypatch, url):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", url)
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert "without a password" in str(caught.value) and caught.value.where == "SRQUEUE_REDIS_URL"
    monkeypatch.setenv("SRQUEUE_REDIS_OPEN", "true")
    assert load_settings().redis_open


@pytest.mark.parametrize(
    "url",
    ["redis://127.0.0.1:6379/0", "redis://localhost/1", "redis://[::1]:6379/0", "unix:///run/redis.sock?db=0",
     "redis://worker:secret@queue/0", "rediss://:secret@10.0.0.1/0"],
)  # fmt: skip
def test_loopback_sockets_and_passwords_are_let_through(monkeypatch, url):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", url)
    assert "secret" not in load_settings().shown_url


def test_tls_files_reach_the_store_and_celery_and_are_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", "rediss://worker:canary@queue:6380/0")
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"SRQUEUE_REDIS_{name}", str(tmp_path / f"a {name}&b"))
    settings = load_settings()
    assert settings.shown_url == "rediss://worker:***@queue:6380/0"
    connection = make_app(settings).connection_for_write()
    assert connection.ssl["ssl_ca_certs"] == str(tmp_path / "a CA&b")
    assert connection.ssl["ssl_certfile"] == str(tmp_path / "a CERT&b")
    assert connection.ssl["ssl_keyfile"] == str(tmp_path / "a KEY&b")
    assert connection.ssl["ssl_cert_reqs"].name == "CERT_REQUIRED"  # also where no file is named
    assert "canary" not in connection.as_uri()


def test_secrets_may_stand_in_files(monkeypatch, tmp_path):
    (tmp_path / "srqueue_redis_url").write_text("redis://worker:canary@queue/0\n")
    (tmp_path / "srqueue_flower_auth").write_text("me:secret")
    monkeypatch.setenv("SRQUEUE_SECRETS", str(tmp_path))
    settings = load_settings()
    assert settings.store_url == "redis://worker:canary@queue/0"
    assert settings.flower_auth.get_secret_value() == "me:secret"
    monkeypatch.setenv("SRQUEUE_REDIS_URL", "redis://localhost/0")
    assert load_settings().store_url == "redis://localhost/0"  # the environment goes before
    monkeypatch.setenv("SRQUEUE_SECRETS", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert caught.value.where == "SRQUEUE_SECRETS"


@pytest.mark.parametrize(
    ("name", "version", "hint"),
    [("redis", "7.0.15", "8.2.2"), ("redis", "7.2.10", "7.2.11"), ("redis", "6.0.16", "8.2.2"),
     ("redis", "8.2.1", "8.2.2"), ("valkey", "8.1.3", "8.1.4"), ("valkey", "8.0.0", "8.0.6")],
)  # fmt: skip
def test_a_server_with_a_known_hole_is_told(name, version, hint):
    assert f"take {hint} or" in hole(name, version) and "Debian" in hole(name, version)


@pytest.mark.parametrize(
    ("name", "version"),
    [("redis", "7.2.11"), ("redis", "8.2.2"), ("redis", "8.4.0"), ("valkey", "9.1.2"), ("valkey", "8.1.4"),
     ("redis", "unstable"), ("another", "1.0.0"), ("redis", "")],
)  # fmt: skip
def test_a_mended_or_unknown_server_is_not(name, version):
    assert hole(name, version) is None


def test_what_is_loopback():
    assert all(is_loopback(a) for a in ("localhost", "127.0.0.1", "127.3.2.1", "::1"))
    assert not any(is_loopback(a) for a in ("", "0.0.0.0", "::", "10.0.0.1", "localhost.example.org"))


def test_a_url_without_secrets_is_shown_as_it_is():
    for url in ("unix:///run/redis.sock?db=1", "redis://host:6379/0", "redis://ann@host/0"):
        assert without_secrets(url) == url
    assert without_secrets("unix://ann:secret@/run/redis.sock") == "unix://ann:***@/run/redis.sock"
