"""The shipped Redis of three hosts: TLS, users, a replica and Sentinels, as deploy/README.md sets them up."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from srqueue import sentinel
from tests.conftest import wait_until
from tests.deploy.conftest import DEPLOY, Tool, find_tool
from tests.hosts.lab import Host, Lab

MASTER = "lab"
KEY, SECRET = "accesskey1", "secretkey1"


@dataclass
class Guarded:
    """Three hosts with a server and a Sentinel each; the first one's server is the master."""

    lab: Lab
    hosts: list[Host]
    folder: Path
    binary: Tool = field(init=False)
    servers: dict[str, subprocess.Popen] = field(default_factory=dict)
    address: str = field(init=False)

    def __post_init__(self):
        self.binary = find_tool("redis-server")  # the Python package's Valkey is built without TLS
        self.address = f"sentinels://{','.join(host.address for host in self.hosts)}/{MASTER}"
        made = [DEPLOY / "tls" / "make-certificates", self.folder / "tls"]
        subprocess.run([*made, *(host.address for host in self.hosts)], check=True, capture_output=True)
        made = [DEPLOY / "redis" / "make-secrets", self.folder, self.address]
        subprocess.run(made, check=True, capture_output=True)
        for name in ("users.acl", "sentinel.conf"):  # as the README says for Redis 7.0
            file = self.folder / "redis" / name
            file.write_text(file.read_text().replace(" +client|setinfo", ""))

    @property
    def files(self) -> dict[str, str]:
        """The settings of whoever comes by TLS."""
        names = {"CA": "ca.crt", "CERT": "client.crt", "KEY": "client.key"}
        return {f"REDIS_{kind}": str(self.folder / "tls" / name) for kind, name in names.items()}

    @property
    def url(self) -> str:
        """The producer's."""
        return (Path(self.secrets("producer")) / "srqueue_redis_url").read_text()

    def secrets(self, user) -> str:
        return str(self.folder / "secrets" / user)

    def start(self):
        for host in self.hosts:
            self._server(host)
        wait_until(lambda: all(self.role(host) for host in self.hosts), "the servers answer", 60)
        for host in self.hosts:
            self._sentinel(host)
        wait_until(lambda: all(self._knows(host) for host in self.hosts), "the Sentinels know all", 120)

    def _server(self, host):
        folder, acl = self.folder / host.name, self.folder / "redis" / "users.acl"
        folder.mkdir()
        parts = [DEPLOY / "redis" / "redis.conf", DEPLOY / "redis" / "tls.conf"]
        parts.append(self.folder / "redis" / "replica.conf")
        text = "".join(f"include {self._here(part, folder)}\n" for part in parts)
        if host is not self.hosts[0]:
            text += f"replicaof {self.hosts[0].address} 6379\n"
        (folder / "conf").write_text(text)
        argv = [self.binary.path, folder / "conf", "--dir", folder, "--aclfile", acl]
        argv += ["--repl-diskless-sync-delay", "0"]
        self.servers[host.name] = self._run(host, [*argv, "--bind", "0.0.0.0"], folder / "log")

    def _sentinel(self, host):
        folder = self.folder / f"{host.name}-sentinel"
        folder.mkdir()
        conf = self._here(self.folder / "redis" / "sentinel.conf", folder)
        text = re.sub(r"(down-after-milliseconds lab) \d+", r"\1 1500", conf.read_text())
        conf.write_text(re.sub(r"(failover-timeout lab) \d+", r"\1 5000", text))
        argv = [self.binary.path, conf, "--sentinel", "--dir", folder, "--bind", "0.0.0.0"]
        self._run(host, argv, folder / "log")

    def _here(self, file, folder) -> Path:
        """A copy with the paths of this lab."""
        copy = folder / file.name
        copy.write_text(file.read_text().replace("/etc/srqueue/tls", str(self.folder / "tls")))
        return copy

    def _run(self, host, argv, log):
        with log.open("wb") as file:
            process = subprocess.Popen(host.command(argv), env=self.binary.env, stdout=file, stderr=file)
        self.lab.servers.append(process)
        return process

    def object_store(self, host, port=9000) -> dict[str, str]:
        """An S3 server on a host; what its clients need."""
        (self.folder / "s3" / "lab").mkdir(parents=True)
        rclone, at = Path(sys.executable).with_name("rclone"), f"{host.address}:{port}"
        argv = [rclone, "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]
        self._run(host, [*argv, "--addr", at, self.folder / "s3"], self.folder / "s3.log")
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://{at}",
        }  # fmt: skip

    def ask(self, host, user="admin", port=6379) -> redis.Redis:
        """A client of one server, or of one Sentinel, as a user."""
        known = sentinel.parse((Path(self.secrets(user)) / "srqueue_redis_url").read_text())
        sign = known.own if port != 6379 else known.server
        names = {"ssl_ca_certs": "ca.crt", "ssl_certfile": "client.crt", "ssl_keyfile": "client.key"}
        files = {kind: str(self.folder / "tls" / name) for kind, name in names.items()}
        how = {"decode_responses": True, "socket_timeout": 5, "socket_connect_timeout": 2}
        return redis.Redis(host.address, port, **{**sign, **files, **how, "retry": Retry(NoBackoff(), 0)})

    def role(self, host) -> str | None:
        """master or slave; None where it does not answer."""
        try:
            with self.ask(host) as client:
                return client.role()[0]
        except redis.RedisError:
            return None

    def _knows(self, host) -> bool:
        try:
            with self.ask(host, port=26379) as client:
                known = client.sentinel_masters()[MASTER]
        except redis.RedisError:
            return False
        return known["num-other-sentinels"] == 2 and known["num-slaves"] == 2

    def told(self, host) -> str:
        """Which address a Sentinel names as the master's."""
        with self.ask(host, port=26379) as client:
            return client.sentinel_masters()[MASTER]["ip"]

    def promoted(self, hosts) -> bool:
        """Whether the Sentinels of these hosts all name one of them, and it is a master."""
        try:
            told = {self.told(host) for host in hosts}
        except redis.RedisError:
            return False
        return [self.role(host) for host in hosts if {host.address} == told] == ["master"]

    def refusals(self) -> list[str]:
        """What was refused whom, by ACL LOG of each server that lives."""
        found = []
        for host in self.hosts:
            if self.role(host):
                with self.ask(host) as client:
                    found += [
                        f"{one['username']}: {one['reason']} {one['object']}" for one in client.acl_log()
                    ]
        return found

    def words(self) -> set[str]:
        """Every password: none may be seen anywhere."""
        found = set()
        for file in (self.folder / "secrets").rglob("srqueue_*"):
            found |= set(re.findall(r"[0-9a-f]{64}", file.read_text()))
        for name in ("replica.conf", "sentinel.conf"):
            text = (self.folder / "redis" / name).read_text()
            found |= set(re.findall(r"(?:auth|pass \w+|-pass) ([0-9a-f]{64})", text))
        return found
