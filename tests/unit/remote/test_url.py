"""Which URLs may name a remote folder."""

import pytest

from srqueue.errors import UsageError
from srqueue.remote.url import parse_remote
from srqueue.settings import load_settings


@pytest.mark.parametrize(
    "url", ["s3://bucket/prefix", "gs://bucket", "ssh://me@host:2222/srv/lab", "file:///mnt/lab"]
)
def test_a_folder_in_a_store_or_on_a_host_is_taken(url):
    assert parse_remote(url + "/", "here") == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://key:secret@bucket/x", "no credentials"),
        ("s3://key@bucket/x", "no credentials"),
        ("ssh://me:secret@host/srv", "no credentials"),
        ("s3://bucket/x?X-Amz-Signature=secret", "no ?"),
        ("s3://bucket/a/../b", "climb"),
        ("s3:///x", "bucket"),
        ("ssh://host", "absolute"),
        ("file://lab/runs", "absolute"),
        ("/mnt/lab", "path"),
        ("s3n://bucket", "s3n"),
        ("https://lab.example/srqueue", "nothing can be put there"),
    ],
)
def test_what_holds_credentials_or_names_no_folder_is_refused(url, told, monkeypatch):
    with pytest.raises(UsageError) as caught:
        parse_remote(url, "here")
    assert told in str(caught.value) and "secret" not in str(caught.value)
    monkeypatch.setenv("SRQUEUE_REMOTE", url)
    with pytest.raises(UsageError, match="SRQUEUE_REMOTE") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_a_web_server_is_read_from_only():
    assert parse_remote("https://lab.example/data/", "here", reading=True) == "https://lab.example/data"
    assert parse_remote("http://127.0.0.1:8000", "here", reading=True) == "http://127.0.0.1:8000"
    with pytest.raises(UsageError, match="changed on its way"):
        parse_remote("http://lab.example/data", "here", reading=True)
    with pytest.raises(UsageError, match="netrc"):
        parse_remote("https://me:secret@lab.example/data", "here", reading=True)
