"""Addresses of Sentinels: what they say, what Celery is told, and that no password is shown."""

import pytest

from srqueue.errors import UsageError
from srqueue.sentinel import parse
from srqueue.settings import Settings, load_settings


def test_it_names_hosts_master_database_and_whatever_is_asked_for():
    url = "sentinel://me:p%40ss@a,b:26380,[::1]:7/lab?db=2&sentinel_user=s&sentinel_password=canary"
    settings = Settings(redis_url=url)
    known = parse(url)
    assert known.hosts == (("a", 26379), ("b", 26380), ("::1", 7)) and known.master == "lab"
    assert known.server == {"db": 2, "username": "me", "password": "p@ss"}
    assert settings.broker_url.startswith("sentinel://me:p%40ss@a:26379/2;sentinel://me:p%40ss@b:26380/2;")
    assert settings.broker_options == {
        "master_name": "lab", "sentinel_kwargs": {"username": "s", "password": "canary"}
    }  # fmt: skip
    assert settings.shown_url == "sentinel://me:***@a:26379,b:26380,::1:7/lab"


@pytest.mark.parametrize(
    ("url", "why"),
    [
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
