"""Faults of Valkey, the network and the doorbells; and what users ask for meanwhile."""

import signal

import redis

from benchmarks.faults.chaos import Done, Later, World
from benchmarks.faults.process_faults import told, victims
from srqueue.queue.doorbell import bell_of, ring
from srqueue.run.reasons import JobState
from srqueue.store.keys import broker_prefix


def connections_reset(world: World) -> Done | None:
    """CLIENT KILL of every connection but this one."""
    if world.server_down:
        return None
    try:
        with world.place.server.client() as client:
            ended = client.client_kill_filter(_type="normal", skipme=True)
            ended += client.client_kill_filter(_type="pubsub", skipme=True)
    except redis.RedisError:
        return None
    return Done(f"{ended} connections")


def server_killed(world: World) -> Done | None:
    """SIGKILL; restarted on its append-only file."""
    if world.server_down:
        return None
    seconds = world.rng.uniform(1, 20)
    world.place.server.signal(signal.SIGKILL)
    world.server_down = True

    def start() -> None:
        world.place.server.start()
        world.server_down = False

    return Done(f"for {seconds:.1f} s", [Later(seconds, start)])


def server_frozen(world: World) -> Done | None:
    """SIGSTOP and SIGCONT."""
    if world.server_down:
        return None
    seconds = world.rng.uniform(1, 15)
    world.place.server.signal(signal.SIGSTOP)
    world.server_down = True

    def wake() -> None:
        world.place.server.signal(signal.SIGCONT)
        world.server_down = False

    return Done(f"for {seconds:.1f} s", [Later(seconds, wake)])


def half_open(world: World) -> Done | None:
    """One worker's network drops everything; then it arrives late, or the connections are reset."""
    free = [(w.proxy, told(world, w, j), j) for w, _, j in victims(world) if w.proxy]
    if not free:
        return None
    proxy, whose, job = free[0]
    seconds, reset = world.rng.uniform(1, 3 * world.lease), world.rng.random() < 0.5
    proxy.cut()
    how = "then reset" if reset else "then late"
    return Done(f"{whose}, for {seconds:.1f} s, {how}", [Later(seconds, lambda: proxy.mend(reset))], job)


def bells_lost(world: World) -> Done | None:
    """Every doorbell that no worker has heard yet is deleted."""
    if world.server_down:
        return None
    try:
        with world.place.server.client() as client:
            pattern = f"{broker_prefix(world.place.settings.prefix)}srqueue.*"
            keys = [k for k in client.scan_iter(match=pattern) if client.type(k) == "list"]
            lost = sum(client.llen(key) for key in keys)
            if not lost:
                return None
            client.delete(*keys)
    except redis.RedisError:
        return None
    return Done(f"{lost} doorbells")


def bells_doubled(world: World) -> Done | None:
    """The doorbell of one job, twenty times."""
    if world.server_down:
        return None
    job = world.client.get(world.rng.choice(world.jobs))
    if job.state.final:
        return None
    rung = sum(ring(world.client.app, bell_of(job)) for _ in range(20))
    return Done(f"job {job.short_id}, which is {job.state}: rung {rung} times", job=job.id)


def paused(world: World) -> Done | None:
    """Pause, and resume after some seconds."""
    if world.server_down:
        return None
    able = [j for j in world.jobs if world.record(j).get("state") in (JobState.RUNNING, JobState.QUEUED)]
    if not able:
        return None
    job = world.rng.choice(able)
    world.client.pause(job)

    def resume() -> list[Later] | None:
        if world.server_down:
            return [Later(1.0, resume)]
        now = world.client.get(job)
        if now.state is JobState.PAUSED or (now.state is JobState.RUNNING and now.wish == "pause"):
            world.client.resume(job)
            return [Later(2.0, resume)]  # it may have been paused by the wish that was just read
        return None

    return Done(f"job {job[-6:].lower()}", [Later(world.rng.uniform(1, 10), resume)], job)


def priority_raised(world: World) -> Done | None:
    """A waiting job becomes the most urgent, and later one like the others again."""
    if world.server_down:
        return None
    waiting = [j for j in world.jobs if world.record(j).get("state") == JobState.QUEUED]
    if not waiting:
        return None
    job = world.rng.choice(waiting)
    world.client.set_priority(job, 9)

    def lower() -> list[Later] | None:
        if world.server_down:
            return [Later(1.0, lower)]
        world.client.set_priority(job, 5)
        return None

    return Done(f"job {job[-6:].lower()}", [Later(world.rng.uniform(10, 20), lower)], job)
