"""What holds of the store after every call, whatever it was."""

from hypothesis.stateful import RuleBasedStateMachine, invariant

from srqueue.run.reasons import JobState
from tests.unit.store.plain_words import LEGAL

S = JobState
CAMPAIGNS = ("a", "b")


class Looks(RuleBasedStateMachine):
    """A machine whose rules say in `verb` what they do."""

    def __init__(self, store):
        super().__init__()
        self.store, self.redis = store, store.connection.redis
        self.verb = "create"
        self.seen = {}  # id -> (state, token) at the last look
        self.remembered = set()  # jobs of which Redis has never lost anything

    def records(self):
        return {r.id: r for r in self.store.list(limit=1000)}

    @invariant()
    def only_legal_edges_and_growing_tokens(self):
        now = {i: (r.state, r.token) for i, r in self.records().items()}
        if self.verb == "back":  # to any earlier point
            self.seen = now
            return
        for job_id in self.seen.keys() | now.keys():
            before, after = self.seen.get(job_id, (None, 0)), now.get(job_id, (None, None))
            if before[0] != after[0]:
                assert (before[0], after[0]) in LEGAL[self.verb], f"{self.verb}: {before[0]} -> {after[0]}"
            if after[0] is not None:
                assert after[1] >= before[1]
        self.seen = now

    @invariant()
    def every_job_is_where_its_state_says(self):
        keys, redis = self.store.keys, self.redis
        ready = {i for key in redis.keys(f"{keys.root}ready:*") for i in redis.zrange(key, 0, -1)}
        copies = sum(redis.zcard(key) for key in redis.keys(f"{keys.root}ready:*"))
        assert copies == len(ready)
        delayed = set(redis.zrange(f"{keys.root}delayed", 0, -1))
        bells = set(redis.zrange(f"{keys.root}bells", 0, -1))
        leases = set(redis.zrange(f"{keys.root}leases", 0, -1))
        records = self.records()
        by_state = {s: {i for i, r in records.items() if r.state is s} for s in S}
        for state, ids in by_state.items():
            assert set(redis.zrange(keys.state(state), 0, -1)) == ids
        assert leases == by_state[S.RUNNING]
        running = dict(redis.zrange(f"{keys.root}running", 0, -1, withscores=True))
        assert running == {i: records[i].priority for i in leases}
        for name in CAMPAIGNS:
            mine = {i for i, r in records.items() if name in r.campaigns}
            assert set(redis.zrange(keys.campaign(name), 0, -1)) == mine
            assert (redis.zscore(keys.campaigns, name) or 0) == len(mine)
            for state, ids in by_state.items():
                assert set(redis.zrange(keys.campaign(name, state), 0, -1)) == ids & mine
        assert bells == ready
        assert not ready & delayed
        assert ready | delayed == by_state[S.QUEUED] | by_state[S.HELD]
        assert by_state[S.HELD] <= delayed
        for record in records.values():
            assert (record.finished is not None) == record.state.final
            assert (record.owner is not None) == (record.state is S.RUNNING)
            exported_first = record.state is S.QUEUED and record.wish == "cancel" and record.seq is not None
            assert record.wish is None or record.state is S.RUNNING or exported_first
            attempts = self.store.attempts(record.id)
            assert [a.token for a in attempts] == sorted({a.token for a in attempts})
            open_ones = [a.token for a in attempts if a.ended is None]
            assert open_ones == ([record.token] if record.state is S.RUNNING else [])
            assert attempts == tuple(sorted(attempts, key=lambda a: a.begun))
            if record.id in self.remembered:  # nothing that was tried is left out, nothing noted twice
                assert len(attempts) == record.attempts
                assert record.state is S.RUNNING or all(a.ended for a in attempts)
            if record.state not in (S.RUNNING, S.SUCCEEDED):
                saved = redis.hget(keys.job(record.id), "saved_iteration")
                assert record.iteration == int(saved or 0)

        givers = [r for r in records.values() if r.wish == "preempt"]
        assert len({r.preempted_by for r in givers}) == len(givers)
        for record in givers:
            assert record.preempted_by in ready
            assert records[record.preempted_by].priority > record.priority
