"""The store under any order of calls: one live lease, growing tokens, legal edges, no job lost.

Redis may be put back to what it once was, or be emptied; clocks jump. What workers have on their disks stays.
"""

import time
from dataclasses import replace

import pytest
import redis as redis_py
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.run.folder import CheckpointName
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, JobState, Requeue, StopReason
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.consequences import LONGEST_BACKOFF
from srqueue.store.new import NewJob
from srqueue.store.preemption import preempt
from srqueue.store.record import LeaseLost, RecordGone, WorkerRecord
from srqueue.store.store import Store
from tests.unit.store.looks import CAMPAIGNS, Looks
from tests.unit.store.plain_words import best

S = JobState
LEASE = 3600
CLASSES = {"cpu": ("cpu", "any"), "gpu": ("cuda", "any", "cpu")}


class StoreMachine(Looks):
    """Workers that live and die, users that pause and cancel, on one real server."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self, store, raw):
        super().__init__(store)
        self.campaigns, self.raw = Campaigns(store.connection), raw
        self.redis.flushall()
        self.eager = store.connection.settings.model_copy(update={"preempt_wait": 0, "preempt_run": 0})
        self.noted = {}  # all of Redis as it once was
        # What lies on disks: newest token, newest (token, seq), outcomes by (id, token); what was granted.
        self.disk, self.saved, self.outcomes, self.granted = {}, {}, {}, {}
        self.over = set()  # claims whose owner has ended, or was told that it lost

    # What users do.

    @initialize()
    def begin(self):
        self.verb = "create"
        for kind, classes in CLASSES.items():
            for root in ("r1", "r2"):
                worker = WorkerRecord(
                    name=f"w-{kind}-{root}", host="host", pid=1, classes=classes, device="", version="",
                    since=0, root_id=root,
                )  # fmt: skip
                self.store.announce_worker(worker, 3600)

    @rule(
        target=jobs,
        spec=st.integers(0, 5),
        priority=st.integers(0, 9),
        kind=st.sampled_from(["any", "cpu", "cuda"]),
        campaign=st.sampled_from(["", *CAMPAIGNS]),
        rungs=st.sampled_from([(), (5,), (9,)]),
    )
    def create(self, spec, priority, kind, campaign, rungs):
        self.verb = "create"
        before = self.records()
        asked = NewJob(str(ULID()), {}, {}, str(spec), f"job-{spec}", 9, priority, kind, rungs=rungs)
        ((job, new),) = self.store.create_many([asked], campaign=campaign)
        assert not campaign or campaign in self.store.get(job).campaigns
        same = [
            r
            for r in before.values()
            if r.spec_id == str(spec)
            and ((r.state not in (S.FAILED, S.CANCELLED) and r.wish != "cancel") or campaign in r.campaigns)
        ]
        assert new == (not same)
        assert self.store.get(job).until is None or rungs  # who does not search wants it wholly
        if campaign == "a":
            self.campaigns.begin("a", {"stages": {"s": {"search": {"method": "asha", "rungs": [5]}}}}, "")
            self.campaigns.put_cells("a", [StoredCell(job, "s", {})])
        if new:
            self.remembered.add(job)
        return job if new else multiple()

    @rule(job=jobs, verb=st.sampled_from(["pause", "cancel", "resume", "retry", "remove"]))
    def user(self, job, verb):
        self.verb = verb
        do = {
            "pause": lambda: self.store.ask(job, "pause"), "cancel": lambda: self.store.ask(job, "cancel"),
            "resume": lambda: self.store.resume(job), "retry": lambda: self.store.retry(job),
            "remove": lambda: self.store.remove(job),
        }[verb]  # fmt: skip
        before = self.records()
        try:
            do()
        except UsageError:
            assert self.records() == before

    @rule(job=jobs, priority=st.integers(0, 9))
    def reorder(self, job, priority):
        self.verb = "priority"
        if job in self.records():
            self.store.set_priority(job, priority)

    # What workers do.

    @rule(target=claims, kind=st.sampled_from(sorted(CLASSES)), root=st.sampled_from(["r1", "r2"]))
    def claim(self, kind, root):
        self.verb = "claim"
        expected = best(self.store, CLASSES[kind], root)
        claim = self.store.claim(f"w-{kind}-{root}:7", "host", CLASSES[kind], 60, {root: f"/{root}"})
        assert (claim.record.id if claim else None) == expected
        if claim is None:
            return multiple()
        assert claim.token == self.seen[claim.record.id][1] + 1
        assert claim.record.run_dir == f"/{root}/{claim.record.id}"
        return self.prepare(claim)

    def prepare(self, claim):
        """As a worker does it: a newer attempt on the disk has one lease to come forward, then is outdone."""
        job, token, newest = claim.record.id, claim.token, self.disk.get(claim.record.id, 0)
        if newest >= token:
            if (job, newest) not in self.outcomes and self.store.defer(job, token, newest):
                return multiple()
            token = self.store.raise_token(job, token, newest + 1)
        assert (job, token) not in self.granted  # no token is given twice, whatever Redis forgets
        self.granted[job, token] = replace(claim.record, token=token)
        self.disk[job] = token
        return (job, token)

    @rule(claim=claims, root=st.sampled_from(["r1", "r2"]))
    def bind(self, claim, root):
        self.verb = "bind"
        before = self.records().get(claim[0])
        if self.gone(before, claim, lambda: self.store.bind(*claim, root, "")):
            return
        if before.root_id not in (None, root):
            return
        try:
            self.store.bind(*claim, root, f"/{root}/{claim[0]}")
            assert before.state is S.RUNNING and before.token == claim[1]
        except LeaseLost:
            assert self.store.get(claim[0]) == before

    def gone(self, before, claim, write):
        """Whether Redis knows nothing of the claim; whoever writes is told so."""
        if before is not None and before.token >= claim[1]:
            return False
        with pytest.raises(RecordGone):
            write()
        return True

    def holds(self, claim):
        """Whether the claim is the newest of its job, and the job runs or only ran out of its lease."""
        raw = self.redis.hgetall(self.store.keys.job(claim[0]))
        reaped = raw["state"] in ("queued", "failed") and raw["reaped"] != ""
        return raw["token"] == str(claim[1]) and (raw["state"] == "running" or reaped)

    @rule(claim=claims)
    def renew(self, claim):
        self.verb = "renew"
        if self.gone(self.records().get(claim[0]), claim, lambda: self.store.renew(*claim, 60)):
            return
        may = self.holds(claim)
        try:
            self.store.renew(*claim, 60)
            assert may
        except LeaseLost:
            assert not may
            self.over.add(claim)

    @rule(claim=claims, seq=st.integers(1, 9))
    def publish(self, claim, seq):
        self.verb = "publish"
        before = self.records().get(claim[0])
        self.saved[claim[0]] = max(self.saved.get(claim[0], (0, 0)), (claim[1], seq))
        if self.gone(before, claim, lambda: self.store.publish(*claim, seq, seq * 10)):
            return
        before_token = int(self.redis.hget(self.store.keys.job(claim[0]), "seq_token") or 0)
        try:
            self.store.publish(*claim, seq, seq * 10)
            assert before.state is S.RUNNING and before.token == claim[1]
            newer = claim[1] > before_token or seq > (before.seq or 0)
            assert self.store.get(claim[0]).seq == (seq if newer else before.seq)
        except LeaseLost:
            assert self.store.get(claim[0]) == before

    @rule(claim=claims, reason=st.sampled_from(StopReason))
    def finish(self, claim, reason):
        self.verb = "finish"
        before = self.records().get(claim[0])
        if self.gone(before, claim, lambda: self.store.finish(*claim, Outcome(reason, "", 5))):
            return
        self.outcomes.setdefault(claim, reason)
        self.over.add(claim)
        may, ended = (
            self.holds(claim),
            self.redis.hget(self.store.keys.job(claim[0]), "ended") == str(claim[1]),
        )
        try:
            after = self.store.finish(*claim, Outcome(reason, "", 5))
        except LeaseLost:
            assert not may and not ended and self.store.get(claim[0]) == before
            return
        assert may or ended
        if not may:  # said twice
            assert after == before
        elif before.wish is None and reason is StopReason.RUNG:  # 5 was reached: was it allowed to go on?
            searched = before.until == 5 and self.redis.hexists(
                self.store.keys.campaign("a", "cells"), before.id
            )
            assert after.state is (S.PAUSED if searched else S.QUEUED)
        elif before.wish is None and reason is not StopReason.PAUSED and after.reason is reason:
            row = CONSEQUENCES[reason]
            assert after.state is row.next_state
            waits = row.requeue is Requeue.LATER or (row.requeue is Requeue.BACKOFF and after.failures > 0)
            assert (after.not_before is not None) == waits

    @rule(claim=consumes(claims))
    def forget(self, claim):
        """A worker that never comes back."""
        self.verb = "priority"

    # What Redis forgets, and how it is told again.

    @rule()
    def note(self):
        self.verb = "priority"
        self.noted = {key: self.raw.dump(key) for key in self.raw.keys("*")}

    @rule(emptied=st.booleans())
    def go_back(self, emptied):
        self.verb = "back"
        self.remembered.clear()
        self.raw.flushall()
        for key, value in {} if emptied else self.noted.items():
            self.raw.restore(key, 0, value)

    def newest(self, job):
        token, seq = self.saved.get(job, (0, 0))
        return CheckpointName(seq, seq * 10, token) if token else None

    @rule(claim=claims)
    def tell_again(self, claim):
        if claim in self.over:
            return
        self.verb = "tell"
        before = self.records().get(claim[0])
        record = replace(self.granted[claim], state=S.RUNNING, wish=None)
        how = self.store.restore(record, self.newest(claim[0]), by_owner=True)
        older = before is not None and before.token < claim[1]
        assert how == ("made" if before is None else "taken" if older else "known")
        if how != "known":
            self.remembered.discard(claim[0])
        if how != "known":
            assert self.store.renew(*claim, 60) is None and self.store.get(claim[0]).token == claim[1]

    @rule()
    def recover(self):
        self.verb = "recover"
        before = self.records()
        self.remembered -= self.disk.keys() - before.keys()
        for job, token in self.disk.items():
            reason, newest = self.outcomes.get((job, token)), self.newest(job)
            state = CONSEQUENCES[reason].next_state if reason else S.RUNNING
            record = replace(
                self.granted[job, token], state=state, token=token, wish=None, seq=None, reason=reason,
                owner="w" if state is S.RUNNING else None, finished=time.time() if state.final else None,
                iteration=newest.iteration if newest else 0,
            )  # fmt: skip
            assert self.store.restore(record, newest) == ("known" if job in before else "made")
        after = self.records()
        assert after.keys() == before.keys() | self.disk.keys()  # no job that was ever begun is lost
        assert {job: after[job] for job in before} == before

    @rule(seconds=st.sampled_from([-1e6, -LEASE, LEASE, 1e6]))
    def clock_jumps(self, seconds):
        """Or, forward, nobody reached Redis for so long."""
        self.verb = "jump"
        root = self.store.keys.root
        for name in ("leases", "delayed", "bells"):
            for job, score in self.redis.zrange(root + name, 0, -1, withscores=True):
                self.redis.zadd(root + name, {job: score - seconds})
        if self.redis.get(f"{root}seen"):
            self.redis.incrbyfloat(f"{root}seen", -seconds)
        self.store.sweep()
        most = time.time() + 1
        for name, longest in (("leases", LEASE), ("delayed", LONGEST_BACKOFF), ("bells", 30)):
            ahead = self.redis.zrange(root + name, -1, -1, withscores=True)
            assert all(score <= most + longest for _, score in ahead), name

    @rule()
    def preempt(self):
        self.verb = "preempt"
        before = self.records()
        for job in before:  # no worker is idle for so long
            self.redis.hincrbyfloat(self.store.keys.job(job), "updated", -1000)
        asks = preempt(self.store.connection, self.eager)
        for ask in asks:
            assert before[ask.victim_id].state is S.RUNNING and before[ask.victim_id].wish is None
            assert before[ask.job_id].priority > before[ask.victim_id].priority

    @rule(job=jobs)
    def lease_runs_out(self, job):
        self.verb = "expire"
        self.redis.set(f"{self.store.keys.root}seen", time.time())
        self.redis.zadd(f"{self.store.keys.root}leases", {job: 0}, xx=True)
        self.store.sweep()

    @rule()
    def time_passes(self):
        self.verb = "due"
        for name in ("delayed", "bells"):
            key = f"{self.store.keys.root}{name}"
            for job in self.redis.zrange(key, 0, -1):
                self.redis.zadd(key, {job: 0})
        ready = {i for i, r in self.records().items() if r.state in (S.QUEUED, S.HELD)}
        assert {bell.job_id for bell in self.store.sweep()} == ready


def test_no_order_of_calls_breaks_the_store(environment, valkey):
    store = Store.connect(environment(valkey, LEASE=str(LEASE)))
    raw = redis_py.Redis.from_url(valkey.url)
    run_state_machine_as_test(
        lambda: StoreMachine(store, raw),
        settings=settings(
            max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
