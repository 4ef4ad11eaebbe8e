"""Flower is open to this machine, or asks for a password."""

import pytest

from srqueue.errors import UsageError
from srqueue.monitor.exposure import check_door
from srqueue.monitor.templating import with_tab
from srqueue.settings import Settings, load_settings
from srqueue.stack.commands import (
    child_environment,
    flower_argv,
    flower_environment,
    flower_url,
    require_password,
)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_needs_no_password(address):
    check_door(address, has_auth=False)


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "10.0.0.7", "gpu.lab"])
def test_everything_else_does(address):
    check_door(address, has_auth=True)
    with pytest.raises(UsageError) as caught:
        check_door(address, has_auth=False)
    assert "SRQUEUE_FLOWER_AUTH" in (caught.value.hint or "")


@pytest.mark.parametrize("value", ["me", ":canary", "me:", "me:can,ary"])
def test_a_password_that_flower_would_misread_is_refused_and_not_shown(monkeypatch, value):
    monkeypatch.setenv("SRQUEUE_FLOWER_AUTH", value)
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert caught.value.where == "SRQUEUE_FLOWER_AUTH" and "can" not in str(caught.value)


@pytest.mark.parametrize("value", ["a b", "x?y", "http://x", "<script>"])
def test_a_prefix_is_a_path(monkeypatch, value):
    monkeypatch.setenv("SRQUEUE_FLOWER_URL_PREFIX", value)
    with pytest.raises(UsageError):
        load_settings()


def test_the_password_goes_to_flower_alone_and_never_by_its_command_line(monkeypatch, tmp_path):
    monkeypatch.setenv("SRQUEUE_FLOWER_AUTH", "me:canary")
    monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)
    settings = load_settings().model_copy(
        update={
            "home": tmp_path,
            "flower_url_prefix": "/lab/x/",
            "flower_read_only": True,
            "flower_address": "0.0.0.0",
        }
    )
    require_password(settings)
    argv = flower_argv(settings)
    assert "canary" not in " ".join(argv)
    assert {"--url_prefix=lab/x", "--read_only=True"} <= set(argv)
    assert flower_environment(settings)["FLOWER_BASIC_AUTH"] == "me:canary"
    assert "canary" not in str(child_environment(settings)), "a worker does not get it"
    assert flower_url(settings) == f"http://127.0.0.1:{settings.flower_port}/lab/x"
    assert "canary" not in repr(settings)


def test_up_names_what_is_missing_before_it_starts_anything(monkeypatch, tmp_path):
    for name in ("SRQUEUE_FLOWER_AUTH", "FLOWER_BASIC_AUTH", "FLOWER_AUTH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=r"0\.0\.0\.0"):
        require_password(Settings(home=tmp_path, flower_address="0.0.0.0"))


def test_a_navigation_bar_of_another_form_stays_as_it_is():
    assert with_tab("<nav></nav>") == "<nav></nav>"
