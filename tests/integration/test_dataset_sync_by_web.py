"""A data set from a web server: by https, verified; one that knows no ranges will do."""

import contextlib
import functools
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from srqueue.datasets import Registry
from srqueue.datasets.publishing import publish
from srqueue.remote.folder import RemoteFolder
from tests.conftest import ROOT, register_tiny


@pytest.fixture
def published(settings, pictures, tmp_path):
    """A folder that any web server can serve, with the data set `tiny`."""
    entry = register_tiny(pictures, settings)
    folder = tmp_path / "www" / "lab"
    folder.mkdir(parents=True)
    publish(Registry(settings), "tiny", RemoteFolder.open(folder.as_uri()))
    return folder, entry


@pytest.fixture
def web(published, tmp_path, wait_until):
    """The address of a TLS server in front of it, and the certificate of who vouches for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tls = tmp_path / "tls"
    make = ROOT / "deploy" / "tls" / "make-certificates"
    subprocess.run([make, tls, "127.0.0.1"], check=True, capture_output=True)
    argv = [str(Path(sys.executable).with_name("rclone")), "serve", "http", str(published[0].parent)]
    argv += ["--addr", f"127.0.0.1:{port}", "--cert", tls / "flower.crt", "--key", tls / "flower.key"]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    wait_until(answers, "the web server answers", 30)
    yield f"https://127.0.0.1:{port}/lab", str(tls / "ca.crt")
    server.kill()
    server.wait()


def test_a_data_set_comes_by_https(web, published, typed, tmp_path):
    url, ca = web
    _, entry = published
    other = typed(tmp_path / "other")
    told = other("dataset", "sync", "tiny", url, code=3, SSL_CERT_FILE=os.devnull).stderr
    assert "certificate" in told.lower() and not (other.settings.home / "data").exists()
    other("dataset", "sync", "tiny", url, SSL_CERT_FILE=ca)
    assert Registry(other.settings).get("tiny").identity == entry.identity
    again = other("dataset", "sync", "tiny", url, "--json", SSL_CERT_FILE=ca).stdout
    assert json.loads(again)["bytes"] == 0
    told = other("dataset", "sync", "small", url, code=2, SSL_CERT_FILE=ca).stderr
    assert "'small'" in told and "tiny" in told


@pytest.fixture
def plain(published):
    """The same folder behind Python's own server, which knows no ranges."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Says nothing."""

    handler = functools.partial(Quiet, directory=str(published[0]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield RemoteFolder.open(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_a_server_without_ranges_will_do_and_a_broken_transfer_goes_on(plain, published, tmp_path):
    folder, _ = published
    name = next(str(f.relative_to(folder)) for f in (folder / "datasets" / "files").rglob("*") if f.is_file())
    whole = (folder / name).read_bytes()
    assert plain.size(name) == len(whole)
    assert plain.read(name, 100, 300) == whole[100:300]
    begun = tmp_path / "begun"
    begun.write_bytes(whole[:1000])
    plain.download(name, begun)
    assert begun.read_bytes() == whole
    assert plain.size("datasets/none") is None
    with pytest.raises(FileNotFoundError):
        plain.read("datasets/none")
