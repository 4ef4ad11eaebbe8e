"""Settings come from SRQUEUE_* and say what does not hold."""

from pathlib import Path

import pytest

from srqueue.errors import UsageError
from srqueue.queue.app import make_app
from srqueue.settings import load_settings


def test_the_embedded_servers_socket_is_used_without_a_url(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path))
    monkeypatch.delenv("SRQUEUE_REDIS_URL", raising=False)
    settings = load_settings()
    assert settings.store_url == f"unix://{settings.socket}?db=0"
    assert settings.broker_url == f"redis+socket://{settings.socket}?virtual_host=0"


def test_a_long_home_moves_the_socket_to_where_it_fits(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path / ("x" * 120)))
    assert len(str(load_settings().socket)) < 100


def test_a_password_is_never_shown(monkeypatch):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", "redis://me:canary@localhost:6379/3")
    settings = load_settings()
    assert settings.broker_url.endswith("@localhost:6379/3")
    assert settings.shown_url == "redis://me:***@localhost:6379/3"
    assert "canary" not in repr(settings)


def test_celery_comes_to_a_socket_as_the_same_user(monkeypatch, valkey):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", f"unix://bob:p%2Fw@{valkey.socket}?db=3")
    with valkey.client() as admin:
        admin.acl_setuser("bob", enabled=True, passwords=["+p/w"], commands=["+@all"], keys=["*"])
        try:
            with make_app(load_settings()).connection_for_write() as connection:
                redis = connection.default_channel.client
                assert (redis.acl_whoami(), redis.client_info()["db"]) == ("bob", 3)
        finally:
            admin.acl_deluser("bob")


@pytest.mark.parametrize(
    "url",
    [
        "redis://ann:can/ary@host/0",
        "redis://localhost:canary/0",
        "redis://[::1/0",
        "redis://localhost:99999/0",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting_and_not_repeated(monkeypatch, url):
    monkeypatch.setenv("SRQUEUE_REDIS_URL", url)
    with pytest.raises(UsageError, match="SRQUEUE_REDIS_URL") as caught:
        load_settings()
    assert "can" not in str(caught.value).replace("cannot", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("SRQUEUE_LEASE", "soon"), ("SRQUEUE_FLOWER_PORT", "99999"), ("SRQUEUE_REDIS_URL", "http://x")],
)
def test_a_variable_that_does_not_hold_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert caught.value.where == name


def test_a_price_that_no_rule_could_be_read_with_is_refused(monkeypatch):
    for value in ("0", "-0.3", "nan"):
        monkeypatch.setenv("SRQUEUE_KWH_PRICE", value)
        with pytest.raises(UsageError) as caught:
            load_settings()
        assert caught.value.where == "SRQUEUE_KWH_PRICE"
        assert value == "nan" or "is not above 0; leave it unset" in str(caught.value)


def test_runs_lie_under_home_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path))
    assert load_settings().runs_root == tmp_path / "runs"
    monkeypatch.setenv("SRQUEUE_RUNS", "elsewhere")
    assert load_settings().runs_root == Path.cwd() / "elsewhere"
