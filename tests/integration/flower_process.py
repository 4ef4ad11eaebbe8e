"""A real Flower process with the Training pages, and requests to it."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from tests.conftest import ROOT, wait_until


@dataclass
class Answer:
    """What Flower said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def _a_port() -> int:
    """One that nobody else will be given: a Flower opens its own only seconds later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Flower:
    """`srqueue flower` with SRQUEUE_<NAME> of its own; `user`: who asks, as name:password."""

    def __init__(self, folder: Path, redis_url: str, *more: str, user: str | None = None, **variables: str):
        self.port = _a_port()
        self.user, self.prefix = user, variables.get("FLOWER_URL_PREFIX", "").strip("/")
        self.home, self.log = folder / "flower-home", folder / "flower.log"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SRQUEUE_", "FLOWER_"))}
        env |= {"PYTHONPATH": str(ROOT), "SRQUEUE_REDIS_URL": redis_url, "SRQUEUE_HOME": str(self.home)}
        env |= {"SRQUEUE_DATASETS": os.environ.get("SRQUEUE_DATASETS", str(folder / "datasets.yaml"))}
        env |= {"SRQUEUE_FLOWER_PORT": str(self.port)}
        env |= {f"SRQUEUE_{name}": value for name, value in variables.items()}
        argv = [sys.executable, "-m", "srqueue.cli", "flower", *more]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)

    def ready(self) -> Flower:
        """Once it answers."""
        wait_until(lambda: self._answers() or self.process.poll() is not None, "Flower answers")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def ask(self, path: str, method: str = "GET", body=None, user: str | None = "", **headers: str) -> Answer:
        """A request below url_prefix; header names with `_` for `-`. `user` None: nobody."""
        connection, response = self._send(path, method, body, user, headers)
        try:
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def api(self, path: str):
        """JSON of the API."""
        answer = self.ask(f"/training/api/{path}")
        assert answer.status == 200, answer.text
        return answer.json

    def act(self, job_id: str, name: str, body=None, **how) -> Answer:
        """As our page posts it: with the token that it was given."""
        cookie = self.ask("/training").headers["set-cookie"].split(";")[0]
        token = cookie.partition("=")[2].strip('"')
        headers = {"Cookie": cookie, "X_XSRFToken": token, **how}
        return self.ask(f"/training/api/job/{job_id}/{name}", "POST", json.dumps(body or {}), **headers)

    def stream(self, query: str):
        """(event, data) as they come."""
        connection, response = self._send(f"/training/api/stream?{query}", "GET", None, "", {})
        assert response.status == 200
        assert response.getheader("Content-Type").startswith("text/event-stream")
        try:
            event = None
            for raw in response:
                key, _, value = raw.decode().rstrip("\n").partition(": ")
                if key == "event":
                    event = value
                elif key == "data":
                    yield event, json.loads(value)
        finally:
            connection.close()

    def _send(self, path, method, body, user, headers) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who := (self.user if user == "" else user):
            sent["Authorization"] = "Basic " + base64.b64encode(who.encode()).decode()
        at = f"/{self.prefix}{path}" if self.prefix else path
        connection.request(method, at, body=body, headers=sent)
        return connection, connection.getresponse()

    def _answers(self) -> bool:
        try:
            return self.ask("/healthcheck", user=None).text.strip() == "OK"
        except OSError:
            return False
