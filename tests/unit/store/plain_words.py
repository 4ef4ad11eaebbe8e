"""What the store should do, in plain words: the legal ways of a job, and who is claimed next."""

from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason

S = JobState
ENDS = {CONSEQUENCES[reason].next_state for reason in StopReason}
LEGAL = {
    # One that waits at a rung, and that somebody wants to be trained to its end.
    "create": {(None, S.QUEUED), (S.PAUSED, S.QUEUED)},
    "claim": {(S.QUEUED, S.RUNNING)},
    "renew": {
        (S.QUEUED, S.RUNNING),
        (S.FAILED, S.RUNNING),
    },  # only a lease that ran out and was not claimed again
    "finish": {(before, after) for before in (S.RUNNING, S.QUEUED, S.FAILED) for after in ENDS},
    # A held job that was recovered is looked at by the next sweep, whatever that is for.
    "expire": {(S.RUNNING, after) for after in (S.QUEUED, S.PAUSED, S.CANCELLED, S.FAILED)}
    | {(S.HELD, S.QUEUED)},
    "due": {(S.HELD, S.QUEUED)},
    "pause": {(S.QUEUED, S.PAUSED), (S.HELD, S.PAUSED)},
    # To the queue: a job with a checkpoint, of which a worker exports the best weights.
    "cancel": {
        (before, after) for before in (S.QUEUED, S.HELD, S.PAUSED) for after in (S.CANCELLED, S.QUEUED)
    },
    "resume": {(S.PAUSED, S.QUEUED), (S.HELD, S.QUEUED)},
    "retry": {(S.FAILED, S.QUEUED), (S.CANCELLED, S.QUEUED)},
    "remove": {(state, None) for state in S if state is not S.RUNNING},
    "priority": set(),
    "publish": set(),
    "bind": set(),
    "tell": {(before, S.RUNNING) for before in (None, *S)},  # an owner that knows more than Redis
    "recover": {(None, after) for after in S},
    "jump": {(S.HELD, S.QUEUED)},
    "preempt": set(),  # by asking alone
}


def best(store, classes, root):
    """The order in plain words: what is to be cancelled, priority, front, age; from all records."""
    redis = store.connection.redis
    found = []
    for job in redis.zrange(store.keys.state("queued"), 0, -1):
        raw = redis.hgetall(store.keys.job(job))
        if raw["not_before"] or raw["device_class"] not in classes or raw.get("root_id", root) != root:
            continue
        place = (-int(raw["priority"]), raw["front"] != "1")
        if raw.get("wish") == "cancel":
            place = (-10, False)
        found.append((place, int(float(raw["created"]) * 1000), job))
    return min(found)[-1] if found else None
