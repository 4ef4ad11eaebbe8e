"""Addresses of Sentinels: what they say, what Celery is told, and that no password is shown."""

import pytest
import redis

from srqueue.errors import UsageError
from srqueue.queue.app import make_app
from srqueue.sentinel import parse
from srqueue.settings import Settings, load_settings


def test_it_names_hosts_master_database_and_whatever_is_asked_for():
    url = "sentinel://me:p%40ss@a,b:26380,[::1]:7/lab?db=2&sentinel_user=s&sentinel_password=canary"
    settings = Settings(redis_url=url)
    known = parse(url)
    assert known.hosts == (("a", 26379), ("b", 26380), ("::1", 7)) and known.master == "lab"
    assert known.server == {"db": 2, "username": "me", "password": "p@ss"}
    assert settings.broker_url.startswith("sentinel://me:p%40ss@a:26379/2;sentinel://me:p%40ss@b:26380/2;")
    assert settings.broker_url.endswith("@[::1]:7/2")
    told = settings.broker_options
    assert told["master_name"] == "lab" and told["sentinel_kwargs"].items() >= {
        "username": "s", "password": "canary", "retry": None
    }.items()  # fmt: skip
    assert settings.broker_tls is None and "ssl" not in known.own
    assert settings.shown_url == "sentinel://me:***@a:26379,b:26380,[::1]:7/lab"


def test_by_tls_its_files_reach_sentinels_server_celery_and_optuna_and_are_not_shown(tmp_path):
    url = "sentinels://me:canary@a,b/lab?db=2&sentinel_password=bird"
    files = {"redis_ca": tmp_path / "a CA&b", "redis_cert": tmp_path / "c", "redis_key": tmp_path / "k"}
    settings = Settings(redis_url=url, **files)
    known = parse(settings.store_url)
    tls = {
        "ssl_cert_reqs": "required", "ssl_ca_certs": f"{tmp_path}/a CA&b", "ssl_certfile": f"{tmp_path}/c",
        "ssl_keyfile": f"{tmp_path}/k",
    }  # fmt: skip
    for client in (known.own, known.server):
        assert client.items() >= {"ssl": True, **tls}.items()
    celery = make_app(settings).connection_for_write()
    assert celery.transport_cls == "sentinel" and celery.ssl == tls
    assert celery.transport_options["sentinel_kwargs"].items() >= tls.items()
    server = redis.Redis.from_url(known.url_of("::1", 6379)).connection_pool
    assert server.connection_class is redis.SSLConnection
    assert server.connection_kwargs.items() >= {"host": "::1", "db": 2, "password": "canary", **tls}.items()
    assert settings.shown_url == "sentinels://me:***@a:26379,b:26379/lab"
    assert "canary" not in celery.as_uri() and "bird" not in celery.as_uri()
    # Where no file is named, the system's CAs are asked; a certificate is always looked at.
    assert Settings(redis_url=url).broker_tls == {"ssl_cert_reqs": "required"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sentinels://a/lab?ssl_cert_reqs=none", "is none of"),
        ("sentinel://a/lab?ssl_ca_certs=x", "is none of"),
        ("sentinel://a:26379", "name of the master"),
        ("sentinel:///lab", "names no host"),
        ("sentinel://:secret@a:x/lab", "no number"),
        ("sentinel://a/lab?passwort=secret", "is none of"),
    ],
)
def test_what_does_not_hold_is_told_without_repeating_it(monkeypatch, url, why):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", url)
    with pytest.raises(UsageError, match=why) as caught:
        load_settings()
    assert "secret" not in str(caught.value)
