"""Records what a version of srqueue writes: its scripts, their arguments, and what is in Redis then.

PYTHONPATH=<a checkout of that version> python tests/unit/store/versions/record.py COMMIT > before.json
xz before.json, and test_versions.py plays producer and worker of that version against this one.
"""

import json
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from srqueue.run.events import Event
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.stack.stack import Stack
from srqueue.store.connection import Connection
from srqueue.store.new import NewJob
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

calls: list[list] = []
_run = Connection.run


def noted(self, name, *args):
    calls.append([name, [str(arg) for arg in args]])
    return _run(self, name, *args)


def new(number):
    spec = {"spec_version": 1, "name": f"job_{number}", "manual_seed": number}
    return NewJob(f"{number:026d}", spec, {"manual_seed": "flag"}, f"{number:064d}", f"job_{number}", 100)


def main():
    Connection.run = noted
    with tempfile.TemporaryDirectory() as home:
        stack = Stack(Settings(home=Path(home), datasets=Path(home) / "d.yaml"))
        stack.up(["server"])
        try:
            store = Store.connect(stack.settings)
            play(store)
            client, kept = store.connection.redis, {}
            for key in sorted(client.keys("srq:*")):
                kind = client.type(key)
                read = {
                    "hash": client.hgetall, "string": client.get, "list": lambda k: client.lrange(k, 0, -1),
                    "set": lambda k: sorted(client.smembers(k)), "stream": client.xrange,
                    "zset": lambda k: client.zrange(k, 0, -1, withscores=True),
                }  # fmt: skip
                kept[key] = [kind, read[kind](key)]
        finally:
            stack.down()
    scripts = {
        file.name.removesuffix(".lua"): file.read_text()
        for file in (files("srqueue.store") / "lua").iterdir()
        if file.name.removesuffix(".lua") in {"prelude", *(name for name, _ in calls)}
    }
    print(
        json.dumps({"commit": sys.argv[1], "scripts": scripts, "calls": calls, "keys": kept}, sort_keys=True)
    )


def play(store):
    """One job succeeds, one runs, one is paused with a checkpoint, one waits."""
    worker = WorkerRecord(
        name="old@one", host="one", pid=7, classes=("cpu", "any"), device="CPU", version="0.1.0", since=1.0,
        root_id="root",
    )  # fmt: skip
    store.announce_worker(worker, 3600)
    store.create_many([new(i) for i in range(1, 5)])
    store.set_priority(new(1).id, 9)
    store.set_priority(new(2).id, 8)
    store.set_priority(new(3).id, 7)
    for reason in (StopReason.COMPLETED, StopReason.PAUSED, None):
        claim = store.claim("old@one:7", "one", ["any"], 3600.0, {"root": "/runs"})
        job, token = claim.record.id, claim.token
        store.bind(job, token, "root", f"/runs/{job}", "machine")
        store.renew(job, token, 3600.0, claim.record.claimed)
        line = Event(1, 1e9, token, 50, "train", {"loss": 0.02}).line()
        store.append_events(job, token, [line], (0, len(line)))
        store.set_progress(job, token, 50, {"it_s": 10.0, "psnr": 30.5})
        store.publish(job, token, 1, 50)
        if reason is StopReason.PAUSED:
            store.ask(job, "pause")
        if reason is not None:
            reached = 100 if reason is StopReason.COMPLETED else 50
            store.finish(job, token, Outcome(reason, str(reason), reached, metrics={"best/psnr": 31.0}))
    store.sweep()


if __name__ == "__main__":
    main()
