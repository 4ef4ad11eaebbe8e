"""What do a thousand workers and 100,000 jobs ask of the server, and where does it bend?

A real server, the real store and its Lua; workers without trainers, played by one or two processes that
make the calls which a worker's threads make, with the arguments that they have. Times of the server are its
own CPU seconds (INFO), so a busy machine changes them little; what a client waits is of the machine as it
was. A second of the fleet is the calls that its workers make in a second at the default intervals (RATES).

python -m benchmarks.thousand [--jobs 100000] [--workers 10 100 300 1000]
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.scale import cells, used

LEASE = 3600.0  # the play takes longer than it says: no lease may end that is not meant to
RATES = {
    "renew": 1 / 2, "events": 1 / 2, "progress": 1 / 2, "bury": 1.0, "announce": 1 / 5, "sweep": 1 / 5,
    "next_due": 1 / 5, "campaigns": 1 / 5, "give_way": 1 / 5,
}  # fmt: skip
"""Calls a second of a worker that trains, by the defaults of srqueue/variables.py: a renewal and a report
each two seconds, a sweep each five, a look at the owners on its machine each second."""
BELLS_A_SWEEP, RING_AGAIN = 200, 30.0  # at the most; s between two bells for a job that waits
LINES = 20  # event lines a report
BEGIN = 4.0  # s until the processes that play have imported everything


def main() -> None:
    """Fills a server, adds workers step by step, and measures at each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 300, 1000])
    parser.add_argument("--calls", type=int, default=200, help="calls of each kind at each step")
    parser.add_argument("--out", default="thousand")
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "SRQUEUE_HOME": home,
            "SRQUEUE_DATASETS": str(Path(home) / "d.yaml"),
            "SRQUEUE_LEASE": "3600",
        }
        from srqueue.settings import load_settings
        from srqueue.stack.stack import Stack

        stack = Stack(load_settings())
        stack.up(["server"])
        try:
            figures = measured(given.jobs, given.workers, given.calls)
        finally:
            stack.down()
    steps = " ".join(map(str, given.workers))
    command = f"python -m benchmarks.thousand --jobs {given.jobs} --workers {steps} --calls {given.calls}"
    write(given.out, command, figures, {**now, "load_after": [round(x, 2) for x in os.getloadavg()]})


def measured(jobs: int, steps: list[int], calls: int) -> dict:
    """All figures."""
    from srqueue.queue.client import Client

    client = Client()
    redis = client.store.connection.redis
    empty, cpu, start = used(redis), busy(redis), time.perf_counter()
    for first in range(0, jobs, 5000):
        client.store.create_many(new_jobs(first, min(5000, jobs - first)), campaign=f"part-{first // 50_000}")
    figures: dict = {
        "submit": {
            "jobs": jobs, "seconds": round(time.perf_counter() - start, 1),
            "server_cpu_s": round(busy(redis) - cpu, 1),
            "bytes_a_queued_job": round((used(redis) - empty) / jobs),
        },
        "rates_a_worker": RATES, "workers": {},
    }  # fmt: skip
    for number in steps:
        figures["workers"][str(number)] = step(client, number, calls)
    figures["takeover"] = takeover(client, steps[-1])
    return figures


def new_jobs(first: int, number: int) -> list:
    """Cells of a campaign, each with its own seed, without what it costs to expand a preset."""
    from ulid import ULID

    from srqueue.store.new import NewJob

    (one,) = cells(1)
    spec = one.spec.model_dump(mode="json", exclude_defaults=True)
    return [
        NewJob(str(ULID()), {**spec, "manual_seed": i}, one.origins, f"{i:064x}", f"cell_{i}", 80_000)
        for i in range(first, first + number)
    ]


def step(client, number: int, calls: int) -> dict:
    """So many workers run a job each."""
    redis = client.store.connection.redis
    before, claims = used(redis), []
    known = client.store.connection.redis.zcard(client.store.keys.leases)
    cpu = busy(redis)
    for i in range(known, number):
        announce(client.store, i)
        start = time.perf_counter()
        claim(client.store, i)
        claims.append(time.perf_counter() - start)
    claiming = busy(redis) - cpu
    owned = [(r.job_id, r.token) for r in running(client.store)]
    for i, own in enumerate(owned):
        ACTS["events"](client, i, own)
    bells, away = f"{client.store.keys.root}bells", f"{client.store.keys.root}away"
    crowded = one_kind(client, ACTS["sweep"], owned, 20)["server_us"]
    redis.rename(bells, away)
    each = {name: one_kind(client, act, owned, calls) for name, act in ACTS.items()}
    look = one_kind(client, look_again, owned, 20)["server_us"]
    redis.rename(away, bells)
    a_bell = max(0.0, (crowded - each["sweep"]["server_us"]) / BELLS_A_SWEEP)
    ringing = min(client.store.count(["queued"]) / RING_AGAIN, BELLS_A_SWEEP * RATES["sweep"] * number)
    share = (
        sum(RATES[name] * number * found["server_us"] for name, found in each.items())
        + ringing * a_bell + min(RATES["give_way"] * number, 1000 / max(number, 1)) * look
    ) / 1e6  # fmt: skip
    return {
        "claim": {"server_us": round(1e6 * claiming / max(len(claims), 1)), **waits(claims)},
        "bytes_a_running_job": round((used(redis) - before) / max(len(claims), 1)),
        "calls": each,
        "a_bell_us": round(a_bell, 1),
        "who_gives_way": {
            "a_look_us": look,
            "share_if_each_sweep_looked": round(RATES["give_way"] * number * look / 1e6, 3),
        },
        "calls_a_second": round(number * sum(RATES.values())),
        "server_share_added_up": round(share, 4),
        "fleet": fleet(number),
        "borne": borne(client, number),
        "dispatch": dispatch(client),
    }


def one_kind(client, act, owned, calls: int) -> dict:
    """What one call costs the server, and how long its caller waits."""
    redis, times = client.store.connection.redis, []
    cpu = busy(redis)
    for i in range(calls):
        start = time.perf_counter()
        act(client, i % len(owned), owned[i % len(owned)])
        times.append(time.perf_counter() - start)
    return {"server_us": round(1e6 * (busy(redis) - cpu) / calls, 1), **waits(times)}


def fleet(number: int, seconds: float = 5.0) -> dict:
    """Two processes make the calls of a fleet, in their proportions, as fast as they can, for a while."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = sum(pool.starmap(play, [(number, part, time.time() + BEGIN, seconds) for part in range(2)]))
    return {
        "calls_a_second_reached": round(made / seconds),
        "seconds_of_the_fleet_in_one": round(made / seconds / (number * sum(RATES.values())), 2),
    }


def borne(client, number: int, seconds: float = 8.0) -> dict:
    """They make them at the pace of the fleet, as far as they can; jobs are dispatched meanwhile."""
    pace, begin, redis = number * sum(RATES.values()), time.time() + BEGIN, client.store.connection.redis
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        asked = [(number, part, begin, seconds, pace / 2) for part in range(2)]
        making = pool.starmap_async(play, asked)
        time.sleep(begin - time.time())
        cpu, start = busy(redis), time.perf_counter()
        waited = dispatch(client, rounds=40)
        made = sum(making.get())
        share = (busy(redis) - cpu) / (time.perf_counter() - start)
    return {
        "calls_a_second": round(made / seconds), "of_those_to_make": round(made / seconds / pace, 2),
        "server_share_of_a_core": round(share, 3), "dispatch": waited,
    }  # fmt: skip


def play(number: int, part: int, begin: float, seconds: float, pace: float = 0.0) -> int:
    """How many calls one process made from `begin` (UTC s) on; `pace`: a second at the most, or 0."""
    from srqueue.queue.client import Client

    client = Client()
    owned = [(r.job_id, r.token) for r in running(client.store)][:number]
    # Of 100 workers in ten seconds: each kind as often as it comes, evenly mixed.
    order = sorted((k / rate, name) for name, rate in RATES.items() for k in range(int(10 * rate)))
    time.sleep(max(begin - time.time(), 0.0))
    made, start = 0, time.monotonic()
    while True:
        for _, name in order:
            i = (2 * made + part) % len(owned)
            ACTS[name](client, i, owned[i])
            made += 1
            if pace and (early := made / pace - (time.monotonic() - start)) > 0:
                time.sleep(early)
            if made % 5 == 0 and time.monotonic() - start > seconds:
                return made


def dispatch(client, rounds: int = 20) -> dict:
    """From `submit` of a job of the highest priority to its claim by a worker that waits for a bell."""
    from srqueue.queue.doorbell import bell_of, ring
    from srqueue.queue.routing import queue_name
    from srqueue.store.keys import broker_prefix

    redis, store, times = client.store.connection.redis, client.store, []
    queue = broker_prefix(client.settings.prefix) + queue_name("any")
    for i in range(rounds):
        redis.delete(queue)
        (config,) = cells(1, seed=10_000_000 + int(time.time() * 1000) % 1_000_000 * 100 + i)
        start = time.perf_counter()
        job = client.submit(config, priority=9).job
        ring(client.app, bell_of(job))
        assert redis.brpop(queue, timeout=2)
        claimed = store.claim("late:1", "late", ["any"], LEASE, {"rlate": "/runs"})
        assert claimed is not None and claimed.record.id == job.id
        times.append(time.perf_counter() - start)
        end(store, claimed)
    return waits(times)


def takeover(client, number: int) -> dict:
    """A tenth of the workers die: their leases end, and as many idle ones take their jobs."""
    store, redis = client.store, client.store.connection.redis
    dead = running(store)[::10]
    for own in dead:
        redis.zadd(store.keys.leases, {own.job_id: time.time() - 1})
    cpu, start = busy(redis), time.perf_counter()
    store.sweep()
    swept = time.perf_counter() - start
    delayed = redis.zcard(store.keys.delayed)
    redis.zadd(store.keys.delayed, dict.fromkeys(redis.zrange(store.keys.delayed, 0, -1), time.time() - 1))
    store.sweep()
    for i in range(len(dead)):
        claim(store, number + i)
    return {
        "workers": number, "died": len(dead), "one_sweep_s": round(swept, 3), "wait_for_a_retry": delayed,
        "all_claimed_s": round(time.perf_counter() - start, 3), "server_cpu_s": round(busy(redis) - cpu, 3),
        "found_after_s": "their lease (30 s by default), and one of so many sweeps a second: "
        f"{number * RATES['sweep']:g}",
    }  # fmt: skip


def busy(redis) -> float:
    """CPU seconds of the server so far."""
    found = redis.info("cpu")
    return found["used_cpu_user"] + found["used_cpu_sys"]


def running(store) -> list:
    """What runs, with its token."""
    from srqueue.store.record import Owned

    ids = store.connection.redis.zrange(store.keys.leases, 0, -1)
    return [Owned(r.id, r.token, r.owner or "", 0) for r in store.many(ids)]


def announce(store, i: int) -> None:
    """Worker i says that it is there."""
    from srqueue.store.record import WorkerRecord

    gpu = {"name": "GPU", "util": 97, "mib": [9000, 24000], "watts": 312.0, "celsius": 71}
    load = {"cpu": 93.0, "memory_mib": [9000, 64000], "gpus": [gpu]}
    worker = WorkerRecord(
        name=f"w{i}", host=f"h{i}", pid=1, classes=("cuda", "any"), device="GPU 24 GB", version="0.1.0",
        since=1.0, root_id="root", load=load,
    )  # fmt: skip
    store.announce_worker(worker, 36_000)


def claim(store, i: int) -> None:
    """Worker i takes the best job, and has its folder."""
    claimed = store.claim(f"w{i}:1", f"h{i}", ["cuda", "any"], LEASE, {"root": "/runs"})
    store.bind(claimed.record.id, claimed.token, "root", f"/runs/{claimed.record.id}", f"m{i}")


def end(store, claimed) -> None:
    """Its job has succeeded."""
    from srqueue.run.outcome import Outcome
    from srqueue.run.reasons import StopReason

    store.finish(claimed.record.id, claimed.token, Outcome(StopReason.COMPLETED, "", 9))


def waits(times: list[float]) -> dict:
    """What callers waited, ms."""
    if not times:
        return {}
    found = sorted(times)
    return {
        "wait_ms_median": round(1000 * statistics.median(found), 2),
        "wait_ms_95": round(1000 * found[min(len(found) - 1, int(0.95 * len(found)))], 2),
    }


def report(client, i: int, own) -> None:
    """Twenty event lines."""
    from srqueue.run.events import Event

    job_id, token = own[0], own[1]
    at = int(time.monotonic() * 1000)
    lines = [
        Event(n, 1e9, token, at + n, "train", {"loss": 0.0212, "lr": 1e-4, "it_s": 10.0}).line()
        for n in range(LINES)
    ]
    client.store.append_events(job_id, token, lines)


def give_way(client, i: int, own) -> None:
    """Whether a better job waits."""
    from srqueue.store.preemption import preempt

    preempt(client.store.connection, client.settings)


def look_again(client, i: int, own) -> None:
    """A look that is not left out because another was just now."""
    client.store.connection.redis.delete(f"{client.store.keys.root}looked")
    give_way(client, i, own)


def campaigns(client, i: int, own) -> None:
    """A look at the campaigns that have not ended."""
    from srqueue.queue.stewarding import tend

    tend(client.store)


PROGRESS = {"it_s": 10.0, "eta_s": 3600.0, "loss": 0.0212, "lr": 1e-4, "psnr": 31.2, "best": 31.3}
ACTS = {
    "renew": lambda client, i, own: client.store.renew(own[0], own[1], LEASE),
    "events": report,
    "progress": lambda client, i, own: client.store.set_progress(own[0], own[1], 1000, PROGRESS),
    "bury": lambda client, i, own: client.store.running_on(f"m{i}"),
    "announce": lambda client, i, own: announce(client.store, i),
    "sweep": lambda client, i, own: client.store.sweep(),
    "next_due": lambda client, i, own: client.store.next_due(),
    "campaigns": campaigns,
    "give_way": give_way,
}


if __name__ == "__main__":
    main()
