"""How long does a queue stand still while it moves to another server?

Two real servers and the real move; jobs without trainers. `--server`: the binary of the new one, where it is
to be of another version.

python -m benchmarks.migrate [--jobs 10000] [--server redis-server]
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.thousand import LEASE, busy, new_jobs


def main() -> None:
    """Fills the embedded server and moves what it has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--server", default="")
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(Path(home) / "d.yaml")}
        figures = measured(Path(home), given.jobs, given.server)
    more = f" --server {Path(given.server).name}" if given.server else ""
    write("migrate", f"python -m benchmarks.migrate --jobs {given.jobs}{more}", figures, now)


def measured(home: Path, jobs: int, binary: str) -> dict:
    """All figures."""
    from srqueue.settings import load_settings, on_server
    from srqueue.stack.server import find_server
    from srqueue.stack.stack import Stack
    from srqueue.store.migrating.moving import Migration
    from srqueue.store.store import Store

    settings = load_settings()
    stack = Stack(settings)
    stack.up(["server"])
    (home / "new").mkdir()
    argv = [binary or str(find_server()), "--port", "0", "--unixsocket", str(home / "s")]
    argv += ["--dir", str(home / "new")]
    other = subprocess.Popen([*argv, "--save", "", "--appendonly", "yes"], stdout=subprocess.DEVNULL)
    try:
        store = Store.connect(settings)
        for first in range(0, jobs, 5000):
            store.create_many(new_jobs(first, min(5000, jobs - first)), campaign="c")
        claims = [store.claim(f"w{i}:1", "h", ["any"], LEASE, {"root": "/runs"}) for i in range(20)]
        target = on_server(settings, f"unix://{home / 's'}")
        while not (home / "s").exists():
            time.sleep(0.05)
        there = Store.connect(target)
        servers = [client.connection.redis for client in (store, there)]
        cpu, own, start = sum(map(busy, servers)), time.process_time(), time.perf_counter()
        done = Migration(settings, target).run()
        took = time.perf_counter() - start
        for claim in claims:  # tokens are the same
            assert claim is not None
            there.renew(claim.record.id, claim.token, LEASE, claim.record.claimed)
        return {
            "jobs": jobs, "running": len(claims), "keys": done.held.keys, "kinds": dict(done.held.kinds),
            "from": version(settings.socket), "to": version(home / "s"),
            "seconds_it_stands_still": round(took, 2),
            "cpu_s_of_the_command": round(time.process_time() - own, 2),
            "cpu_s_of_both_servers": round(sum(map(busy, servers)) - cpu, 2),
            "leases_taken_up_again": len(claims),
        }  # fmt: skip
    finally:
        other.terminate()
        other.wait()
        stack.down()


def version(socket: Path) -> str:
    """Name and version of a server."""
    import redis

    info = redis.Redis(unix_socket_path=str(socket)).info("server")
    return f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"


if __name__ == "__main__":
    main()
