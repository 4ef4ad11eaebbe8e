"""Cells that are compared at rungs, in any order of ends and verbs: none is forgotten, the search ends."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.queue.stewarding import tend
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.new import NewJob
from srqueue.store.searches import Searches

S = JobState
ENDED = (S.SUCCEEDED, S.FAILED, S.CANCELLED)
RUNGS, LENGTH = (10, 30), 90
VERBS = ("train", "train", "train", "fail", "hand back", "cancel", "retry", "pause", "resume")
ACTS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 99)), max_size=40)


class Search:
    """One stage on the real store."""

    def __init__(self, store, quality, method, most):
        store.connection.redis.flushall()
        self.store, self.campaigns, self.most = store, Campaigns(store.connection), most
        self.searches, self.claims = Searches(store.connection), {}
        search = {"method": method, "rungs": list(RUNGS), "factor": 3}
        spec = {"stages": {"a": {"search": search}}, "max_parallel": most}
        self.campaigns.begin("night", spec, "")
        self.campaigns.forget_cells("night", ["a"])
        jobs = [
            NewJob(str(ULID()), {}, {}, f"spec{n}", f"n{n}", LENGTH, held_by="night", rungs=RUNGS)
            for n in range(len(quality))
        ]
        self.ids = [job.id for job in jobs]
        self.quality = dict(zip(self.ids, quality, strict=True))
        store.create_many(jobs, campaign="night")
        self.campaigns.put_cells("night", [StoredCell(i, "a", {}) for i in self.ids])
        self.campaigns.set("night", state="active")
        self.look()

    def look(self):
        tend(self.store)
        counts = self.campaigns.counts("night")
        assert counts[S.QUEUED] + counts[S.RUNNING] <= self.most + self.extra()
        while claim := self.store.claim("w:1", "h", ["any"], 3600, {"r": "/runs"}):
            self.claims[claim.record.id] = claim

    def extra(self):
        """Those that a user took to the queue himself: no limit holds for them."""
        return len(self.ids)

    def end(self, job_id, reason=None):
        claim = self.claims.pop(job_id)
        record = self.store.get(job_id)
        until = claim.record.until or LENGTH
        if record.wish in ("pause", "cancel"):
            wished = {"pause": StopReason.PAUSED, "cancel": StopReason.CANCELLED}[record.wish]
            self.store.finish(job_id, claim.token, Outcome(wished, "", record.iteration))
            return
        if reason is None:
            reason = StopReason.RUNG if claim.record.until else StopReason.COMPLETED
            self.store.publish(job_id, claim.token, until, until)
            if until in RUNGS:
                self.searches.note(job_id, claim.token, until, {"val/psnr": self.quality[job_id]})
        metrics = {"val/psnr": self.quality[job_id]}
        self.store.finish(job_id, claim.token, Outcome(reason, "", until, None, metrics))

    def act(self, verb, number):
        job_id = self.ids[number % len(self.ids)]
        running = sorted(self.claims)
        if verb in ("train", "fail", "hand back"):
            if running:
                reasons = {"train": None, "fail": StopReason.DIVERGED, "hand back": StopReason.DRAINED}
                self.end(running[number % len(running)], reasons[verb])
        elif verb == "retry":
            if self.campaigns.hold_again("night", [job_id]):
                self.campaigns.set("night", state="active")
        else:
            with contextlib.suppress(UsageError):
                if verb == "resume":
                    self.store.resume(job_id)
                else:
                    self.store.ask(job_id, verb)
        self.look()

    def to_the_end(self):
        for _ in range(20 * len(self.ids)):
            for job in self.store.many(self.ids):
                if job.state is S.PAUSED and job.reason is StopReason.PAUSED:
                    self.store.resume(job.id)
            self.look()
            if not self.claims:
                break
            self.end(min(self.claims))
            self.look()


@given(
    quality=st.lists(st.integers(0, 50), min_size=1, max_size=7), method=st.sampled_from(["asha", "halving"]),
    most=st.integers(1, 4), acts=ACTS,
)  # fmt: skip
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_happens_a_search_ends_with_a_winner_and_with_everybody_else_accounted_for(
    store, quality, method, most, acts
):
    search = Search(store, quality, method, most)
    for verb, number in acts:
        search.act(verb, number)
    search.to_the_end()
    jobs = store.many(search.ids)
    assert search.campaigns.find("night").state == "ended"
    assert all(job.state in ENDED or job.stopped for job in jobs)
    stopped = {job.id for job in jobs if job.stopped}
    assert store.connection.redis.smembers(store.keys.campaign("night", "stopped")) == stopped
    assert store.connection.redis.scard(store.keys.campaign("night", "open:a")) == 0
    if any(job.state is S.SUCCEEDED or job.stopped for job in jobs):
        assert any(job.state is S.SUCCEEDED for job in jobs)
    for job in jobs:
        if job.stopped:
            assert job.state is S.PAUSED and job.until in RUNGS and job.message.startswith("stopped at ")


@given(
    quality=st.lists(st.integers(0, 50), min_size=1, max_size=9), method=st.sampled_from(["asha", "halving"])
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_undisturbed_the_best_wins_and_no_more_train_at_a_time_than_may(store, quality, method):
    search = Search(store, quality, method, 2)
    search.extra = lambda: 0
    search.to_the_end()
    won = [i for i, job in zip(search.ids, store.many(search.ids), strict=True) if job.state is S.SUCCEEDED]
    assert max(quality) == max(search.quality[i] for i in won)
