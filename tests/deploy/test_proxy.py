"""The shipped nginx configuration in front of a real Flower: TLS, streams, acts, and what is closed."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from srqueue.queue.client import Client
from srqueue.queue.lua_loading import load_missing
from srqueue.store.connection import Connection
from tests.conftest import wait_until
from tests.deploy.conftest import DEPLOY, a_port
from tests.integration.flower_process import Flower

USER = "admin:secret"


class Nginx:
    """Debian's nginx with srqueue.conf; only ports, paths and the upstream's address are others."""

    def __init__(self, tool, folder: Path, certificates: Path, flower_port: int) -> None:
        self.tool, self.folder, self.port, self.plain = tool, folder, a_port(), a_port()
        self.certificates, self.process = certificates, None
        folder.mkdir()
        conf = (DEPLOY / "nginx" / "srqueue.conf").read_text()
        for old, new in {
            "    listen [::]:80;\n": "", "    listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen 127.0.0.1:{self.plain};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "/etc/srqueue/tls/": f"{certificates}/",
        }.items():  # fmt: skip
            assert old in conf
            conf = conf.replace(old, new)
        upstream = (DEPLOY / "nginx" / "upstream.conf").read_text()
        assert "127.0.0.1:5555" in upstream
        (folder / "upstream.conf").write_text(upstream.replace("127.0.0.1:5555", f"127.0.0.1:{flower_port}"))
        (folder / "srqueue.conf").write_text(conf)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off;\nuser root;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
            f"http {{\n{temporary}access_log {folder}/access.log;\n"
            f"include {folder}/upstream.conf;\ninclude {folder}/srqueue.conf;\n}}\n"
        )

    def start(self) -> Nginx:
        checked = self.tool.run("-t", "-c", self.folder / "nginx.conf")
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr, checked.stderr
        argv = [self.tool.path, "-c", str(self.folder / "nginx.conf")]
        self.process = subprocess.Popen(argv, env=self.tool.env, stderr=subprocess.DEVNULL)
        wait_until(lambda: (self.folder / "pid").exists(), "nginx is up", 20)
        return self

    def close(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.certificates / "ca.crt"))
        return http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, user: str | None = USER, **headers
    ):
        connection = self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            sent["Authorization"] = "Basic " + b64encode(user.encode()).decode()
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        connection.close()
        return answer


@pytest.fixture
def behind_nginx(valkey_only, environment, tool, certificates, tmp_path):
    """(nginx, client): Flower as its user of Redis, with its password; a job that waits."""
    program = tool("nginx")
    server = valkey_only
    environment(server, REDIS_URL=server.url_of("producer"))
    load_missing(Connection(environment(server, REDIS_URL=server.url_of("loader"))))
    client = Client(environment(server, REDIS_URL=server.url_of("producer")))
    flower = Flower(tmp_path, server.url_of("flower"), "--xheaders=True", user=USER, FLOWER_AUTH=USER)
    nginx = Nginx(program, tmp_path / "nginx", certificates, flower.port)
    try:
        flower.ready()
        yield nginx.start(), client, server, flower
    finally:
        nginx.close()
        flower.close()


def test_flower_behind_the_shipped_proxy(behind_nginx, tiny_spec):
    nginx, client, server, flower = behind_nginx
    job = client.submit(tiny_spec(None, 10)).job

    plain = http.client.HTTPConnection("127.0.0.1", nginx.plain, timeout=20)
    plain.request("GET", "/training?x=1", headers={"Host": "queue.test"})
    sent_on = plain.getresponse()
    assert (sent_on.status, sent_on.getheader("Location")) == (301, "https://queue.test/training?x=1")

    assert nginx.ask("/training", user=None).status == 401
    assert nginx.ask("/training", user="admin:wrong").status == 401
    page = nginx.ask("/training")
    assert page.status == 200 and "Training" in page.text
    for name, value in {
        "Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
    }.items():  # fmt: skip
        assert page.getheader(name) == value

    # Server-sent events come at once, not when a buffer is full.
    connection = nginx.connect()
    asked = {"Authorization": "Basic " + b64encode(USER.encode()).decode()}
    connection.request("GET", "/training/api/stream?size=5", headers=asked)
    stream = connection.getresponse()
    assert stream.status == 200 and stream.getheader("Content-Type").startswith("text/event-stream")
    assert any(stream.readline().startswith(b"data:") for _ in range(20))
    connection.close()

    # An act needs the page's cookie and token; both come through.
    cookie = page.getheader("Set-Cookie").split(";")[0]
    token = cookie.partition("=")[2].strip('"')
    address = f"/training/api/job/{job.id}/cancel"
    assert nginx.ask(address, "POST", "{}").status == 403
    done = nginx.ask(address, "POST", "{}", Cookie=cookie, X_XSRFToken=token)
    assert done.status == 200, done.text
    assert client.get(job.id).state == "cancelled"
    assert server.refusals() == []
    big = nginx.ask(address, "POST", json.dumps({"x": "y" * 100_000}), Cookie=cookie, X_XSRFToken=token)
    assert big.status == 413

    # Flower logs who asked, not what somebody says of himself.
    nginx.ask("/training/api/jobs?size=7", user=None, X_Forwarded_For="6.6.6.6", X_Real_IP="6.6.6.6")
    assert "6.6.6.6" not in flower.log.read_text()

    assert nginx.ask("/metrics", user=None).status == 401  # from loopback nginx lets it through: Flower asks
    assert "srqueue_jobs" in nginx.ask("/metrics").text
