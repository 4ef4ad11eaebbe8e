"""Whatever workers, users and time do: the rules of giving way hold, and nobody is thrashed."""

from types import SimpleNamespace

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from srqueue.errors import UsageError
from srqueue.run.reasons import JobState, StopReason

WAIT, LEAST, BUDGET = 5.0, 600.0, 3  # s, s, times: those of `yard`
S = JobState

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("age"), st.sampled_from([1.0, WAIT, 100.0, LEAST])),
        st.tuples(st.just("job"), st.integers(0, 9), st.sampled_from(["any", "cpu", "cuda"])),
        st.tuples(st.just("work"), st.integers(0, 2)),
        st.tuples(st.just("end"), st.integers(0, 2)),
        st.tuples(st.just("user"), st.integers(0, 9), st.sampled_from(["pause", "cancel", "resume"])),
        st.tuples(st.just("priority"), st.integers(0, 9), st.integers(0, 9)),
    ),
    min_size=20,
    max_size=80,
)
ANY_ORDER = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Play:
    """Three workers, one of them with a GPU, and what may happen to their jobs."""

    def __init__(self, yard):
        self.yard = yard
        yard.clear()
        self.workers = [self.yard.worker(f"w{i}", "gpu" if i == 2 else "cpu") for i in range(3)]
        self.running = [None, None, None]
        self.jobs = []
        self.clock = 0.0
        self.begun = {}  # job -> clock at its claim
        self.gave_way = []  # (job, to whom, seconds that it ran)

    def step(self, verb, *args):
        getattr(self, verb)(*args)
        self.look()

    def look(self):
        """One sweep, checked against the rules in plain words; then the supervisors obey."""
        yard, before = self.yard, {r.id: r for r in self.yard.store.list(limit=1000)}
        asks = yard.ask()
        now = {r.id: r for r in yard.store.list(limit=1000)}
        assert len({p.job_id for p in asks}) == len({p.victim_id for p in asks}) == len(asks)
        for ask in asks:
            high, low = before[ask.job_id], before[ask.victim_id]
            assert high.state is S.QUEUED and high.wish is None
            assert low.state is S.RUNNING and low.wish is None
            assert low.priority < high.priority
            assert low.preemptions < BUDGET
            assert self.clock - self.begun[low.id] >= LEAST
            (worker,) = [w for w in self.workers if low.owner == f"{w.name}:77"]
            assert high.device_class in worker.classes
            # Nothing lower could have been asked instead.
            for other in before.values():
                if other.state is S.RUNNING and other.priority < low.priority and not other.wish:
                    (its,) = [w for w in self.workers if other.owner == f"{w.name}:77"]
                    asked_by_a_better_one = now[other.id].wish == "preempt"
                    assert (
                        asked_by_a_better_one
                        or high.device_class not in its.classes
                        or other.preemptions >= BUDGET
                        or self.clock - self.begun[other.id] < LEAST
                    )
        for record in now.values():
            assert record.preemptions <= BUDGET
            if before[record.id].wish in ("pause", "cancel"):
                assert record.wish == before[record.id].wish
        askers = [r.preempted_by for r in now.values() if r.wish == "preempt"]
        assert len(set(askers)) == len(askers), "two were asked for one"
        for record in now.values():
            if record.wish == "preempt":
                assert now[record.preempted_by].priority > record.priority
                assert now[record.preempted_by].state is S.QUEUED

    def age(self, seconds):
        self.clock += seconds
        self.yard.age(seconds)

    def job(self, priority, kind):
        self.jobs.append(self.yard.job(priority, kind))

    def work(self, i):
        """A worker does the next thing: its job obeys its wish, or it takes a job."""
        job = self.running[i]
        if job is None:
            self.running[i] = job = self.yard.claim(self.workers[i], bind=False)
            if job is not None:
                self.begun[job] = self.clock
        elif wish := self.yard.get(job).wish:
            reason = {"pause": "paused", "cancel": "cancelled", "preempt": "preempted"}[wish]
            by = self.yard.get(job).preempted_by
            self.yard.end(job, StopReason(reason))
            self.running[i] = None
            if wish == "preempt":
                self.gave_way.append(SimpleNamespace(job=job, to=by, ran=self.clock - self.begun[job]))

    def end(self, i):
        if self.running[i] is not None:
            self.yard.end(self.running[i], StopReason.COMPLETED)
            self.running[i] = None

    def user(self, which, verb):
        if not self.jobs:
            return
        job = self.jobs[which % len(self.jobs)]
        try:
            if verb == "resume":
                self.yard.store.resume(job)
            else:
                self.yard.store.ask(job, verb)
        except UsageError:
            pass

    def priority(self, which, priority):
        if self.jobs:
            self.yard.store.set_priority(self.jobs[which % len(self.jobs)], priority)

    def favour(self, which):
        """The user sets a job that waits above the one that runs."""
        waiting = [job for job in self.jobs if job not in self.running]
        if self.running[0] is not None and waiting:
            self.step("priority", self.jobs.index(self.running[0]), 4)
            self.step("priority", self.jobs.index(waiting[which % len(waiting)]), 6)


def test_in_any_order_the_rules_hold(yard):
    @ANY_ORDER
    @given(STEPS)
    def run(steps):
        play = Play(yard)
        for step in steps:
            play.step(*step)

    run()


def test_jobs_do_not_thrash_each_other_however_their_priorities_are_changed(yard):
    """Every attempt that gave way had run for the minimum, and none gave way more often than the budget."""

    seen = set()

    @ANY_ORDER
    @given(
        st.lists(st.integers(0, 9), min_size=2, max_size=4),
        st.lists(
            st.tuples(st.sampled_from(["set", "favour", "stay"]), st.integers(0, 9), st.integers(0, 9)),
            max_size=40,
        ),
    )
    @example([5, 5], [("favour", 0, 0)] * 20)
    def run(priorities, turns):
        play = Play(yard)
        play.workers = play.workers[:1]
        for other in ("w1", "w2"):
            play.yard.store.announce_worker(play.yard.worker(other), 0)
        for priority in priorities:
            play.job(priority, "any")
        for what, which, priority in turns:
            if what == "set":
                play.step("priority", which, priority)
            elif what == "favour":  # the user does the worst: always another one than runs
                play.favour(which)
            play.step("age", LEAST)
            play.step("work", 0)
            play.step("work", 0)
        for job in play.jobs:
            mine = [g for g in play.gave_way if g.job == job]
            assert len(mine) <= BUDGET
            assert all(g.ran >= LEAST for g in mine)
            seen.add(len(mine))
        if all(what == "stay" for what, *_ in turns):
            pairs = {(g.job, g.to) for g in play.gave_way}
            assert not any((b, a) in pairs for a, b in pairs)

    run()
    assert max(seen) == BUDGET, "nobody tried to thrash: it proves nothing"
