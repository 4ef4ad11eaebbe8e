"""A yard of workers and jobs for tests of who gives way to whom."""

import pytest
from ulid import ULID

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.store.preemption import preempt
from srqueue.store.record import WorkerRecord

WAIT, LEAST, BUDGET = 5.0, 600.0, 3  # s, s, times
CLASSES = {"cpu": ("cpu", "any"), "gpu": ("cuda", "any", "cpu")}


class Yard:
    """Workers and jobs on a real server, with time that passes when it is told to."""

    def __init__(self, store):
        self.store, self.redis = store, store.connection.redis
        self.clear()
        self.settings = store.connection.settings.model_copy(
            update={"preempt_wait": WAIT, "preempt_run": LEAST, "preempt_budget": BUDGET}
        )

    def clear(self):
        """Forgets everything."""
        self.redis.flushall()
        self.tokens = {}  # running job -> its token

    def worker(self, name, kind="cpu", root="r", draining=None, slots=1):
        record = WorkerRecord(
            name=name, host="h", pid=1, classes=CLASSES[kind], device="d", version="0", since=1.0,
            root_id=root, draining=draining, slots=slots,
        )  # fmt: skip
        self.store.announce_worker(record, 600)
        return record

    def job(self, priority=5, kind="any", name="job"):
        record, _ = self.store.create(
            str(ULID()), spec={}, origins={}, spec_id=str(ULID()), name=name, priority=priority,
            device_class=kind, total_iter=9,
        )  # fmt: skip
        return record.id

    def claim(self, worker, bind=True):
        """The job that an idle worker takes, or None."""
        claim = self.store.claim(
            f"{worker.name}:77", "h", worker.classes, 1e6, {worker.root_id: f"/{worker.root_id}"}
        )
        if claim is None:
            return None
        job = claim.record.id
        if bind and claim.record.attempts == 1:
            self.store.bind(job, claim.token, worker.root_id, f"/{worker.root_id}/{job}")
        self.tokens[job] = claim.token
        return job

    def runs(self, priority=5, worker="w", age=LEAST, **how):
        """A worker that runs a new job for `age` seconds."""
        job = self.job(priority)
        assert self.claim(self.worker(worker, **how)) == job
        self.age(age)
        return job

    def age(self, seconds):
        """Lets time pass for everything that is on record."""
        for job in self.redis.zrange(self.store.keys.jobs, 0, -1):
            for field in ("claimed", "updated", "asked_until"):
                if self.redis.hget(self.store.keys.job(job), field):
                    self.redis.hincrbyfloat(self.store.keys.job(job), field, -seconds)

    def field(self, job, name):
        return self.redis.hget(self.store.keys.job(job), name) or ""

    def ask(self):
        return preempt(self.store.connection, self.settings)

    def end(self, job, reason=StopReason.PREEMPTED):
        return self.store.finish(job, self.tokens.pop(job), Outcome(reason, "", 5))

    def get(self, job):
        return self.store.get(job)


@pytest.fixture
def yard(store):
    return Yard(store)
