"""Cells that a campaign holds, in any order of ends and verbs: none begins too early or is forgotten."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.queue.stewarding import STAGE, tend
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns, StoredCell
from srqueue.store.new import NewJob

S = JobState
ENDED = {S.SUCCEEDED, S.FAILED, S.CANCELLED}

# For each cell of the second stage those whose model it begins with; none: it waits for the first stage.
PARENTS = st.lists(st.lists(st.integers(0, 3), max_size=3, unique=True), min_size=1, max_size=5)
VERBS = ("succeed", "fail", "hand back", "cancel", "retry", "pause", "resume")
ACTS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 99)), max_size=40)


class Night:
    """A campaign of two stages on the real store."""

    def __init__(self, store, parents, most):
        store.connection.redis.flushall()
        self.store, self.campaigns, self.most = store, Campaigns(store.connection), most
        self.claims, self.resumed = {}, set()
        first = [self.job(i, ()) for i in range(4)]
        self.after = {}
        self.campaigns.begin("night", {"stages": {"a": {}, "b": {}}, "max_parallel": most}, "")
        self.campaigns.forget_cells("night", ["a", "b"])
        self.put("a", first)
        second = [
            self.job(10 + i, [first[p].id for p in some] or [f"{STAGE}a"]) for i, some in enumerate(parents)
        ]
        self.put("b", second)
        self.ids = [job.id for job in (*first, *second)]
        self.campaigns.set("night", state="active")

    def job(self, number, after):
        job_id = str(ULID())
        return NewJob(job_id, {}, {}, f"spec{number}", f"n{number}", 10, held_by="night", after=tuple(after))

    def put(self, stage, jobs):
        self.store.create_many(jobs, campaign="night")
        self.campaigns.put_cells("night", [StoredCell(job.id, stage, {}) for job in jobs])
        if stage == "b":
            self.after = {job.id: job.after for job in jobs}
        else:
            self.first = {job.id for job in jobs}

    def state(self, job_id):
        return self.store.get(job_id).state

    def claim_all(self):
        while claim := self.store.claim("w:1", "h", ["any"], 3600, {"r": "/runs"}):
            self.claims[claim.record.id] = claim

    def do(self, act, number):
        if act in ("succeed", "fail", "hand back"):
            self.claim_all()
            running = [i for i in self.ids if self.state(i) is S.RUNNING]
            if running:
                claim = self.claims[running[number % len(running)]]
                reasons = {
                    "succeed": StopReason.COMPLETED,
                    "fail": StopReason.DIVERGED,
                    "hand back": StopReason.DRAINED,
                }
                self.store.finish(claim.record.id, claim.token, Outcome(reasons[act], "", 5))
            return
        job_id = self.ids[number % len(self.ids)]
        try:
            if act == "retry":
                if self.campaigns.hold_again("night", [job_id]):  # as CampaignClient.retry does
                    self.campaigns.set("night", state="active", ended="")
            elif act == "resume":
                self.store.resume(job_id)
                self.resumed.add(job_id)
            else:
                self.store.ask(job_id, act)
        except UsageError:
            pass

    def may_begin(self, job_id):
        wanted = self.after.get(job_id, ())
        if wanted == (f"{STAGE}a",):
            states = [self.state(i) for i in self.first]
        else:
            states = [self.state(i) for i in wanted]
        return not states or (all(s in ENDED for s in states) and S.SUCCEEDED in states)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parents=PARENTS, most=st.none() | st.integers(1, 3), acts=ACTS)
def test_no_cell_begins_too_early_and_none_is_forgotten(store, parents, most, acts):
    night = Night(store, parents, most)
    began = set()
    for act, number in [*acts, *[("succeed", 0)] * 30]:
        night.do(act, number)
        before = {i for i in night.ids if night.state(i) is S.HELD}
        active = sum(night.state(i) in (S.QUEUED, S.RUNNING) for i in night.ids)
        begun = {bell.job_id for bell in tend(store)}
        assert begun <= before
        assert all(night.may_begin(i) for i in begun)
        if most is not None and begun:
            assert active + len(begun) <= most
        began |= begun
        for i in night.ids:
            record = store.get(i)
            assert (record.held_by == "night") <= (record.state is S.HELD)
    left = [i for i in night.ids if night.state(i) not in ENDED | {S.PAUSED}]
    assert all(night.state(i) is S.HELD and not night.may_begin(i) for i in left)
    assert all(store.get(i).message for i in left)


@pytest.mark.parametrize("most", [None, 2])
def test_all_cells_of_two_stages_run_to_the_end(store, most):
    night = Night(store, [[0, 1], [], [3]], most)
    for _ in range(30):
        tend(store)
        night.do("succeed", 0)
    assert {night.state(i) for i in night.ids} == {S.SUCCEEDED}
    tend(store)
    assert night.campaigns.get("night").state == "ended"
