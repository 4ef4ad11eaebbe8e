"""Whatever words are brought, scripts answer as they say, and every job stays where its state says."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.audit import Audit
from srqueue.store.new import NewJob
from srqueue.store.record import LeaseLost, RecordGone
from tests.fuzz.conftest import PROFILE

HURTS = (
    "", "-", "0", "-1", "nan", "inf", "1e999", "9" * 400, "\x00", "\n", "%s%n", "a,b", "ready:any:-", "true",
    "{}", "[]", "null", "\\u0000", '"', "srq:jobs", "queued", "cancel", "..", "❄", "\x7f",
)  # fmt: skip
WORDS = st.sampled_from(HURTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VERBS = (
    "claim", "ask", "resume", "retry", "priority", "bind", "renew", "publish", "progress", "events", "log",
    "finish", "defer", "postpone", "raise", "remove", "sweep", "audit",
)  # fmt: skip
CALL = st.tuples(st.sampled_from(VERBS), WORDS, WORDS, st.integers(0, 2), st.integers(0, 2))
CALLS = st.lists(CALL, max_size=12)
EXPECTED = (UsageError, LeaseLost, RecordGone)


def _do(store, verb, one, other, job, token):
    match verb:
        case "claim":
            claim = store.claim(one, other, ["any", "cpu"], 3600, {one: other, other: one}, other or None)
            return claim and claim.record.id
        case "ask":
            store.ask(job, "cancel" if token else "pause")
        case "resume" | "retry" | "remove":
            getattr(store, verb)(job)
        case "priority":
            store.set_priority(job, token)
        case "bind":
            store.bind(job, token, one, other, one)
        case "renew":
            store.renew(job, token, 3600, float(token))
        case "publish":
            store.publish(job, token, token, token)
        case "progress":
            store.set_progress(job, token, token, {one: other, other: token})
        case "events":
            store.append_events(job, token, [one, other], (0, token))
        case "log":
            store.append_log(job, token, [one, other], (0, token))
        case "finish":
            store.finish(job, token, Outcome(list(StopReason)[len(one) % len(StopReason)], other, token))
        case "defer":
            store.defer(job, token, token)
        case "postpone":
            store.postpone(job, token, 1.5, one)
        case "raise":
            store.raise_token(job, token, token + 1)
        case "sweep":
            store.sweep()
        case "audit":
            Audit(store.connection).note(one, other, one)
    return None


def test_no_words_break_a_script(store):
    @PROFILE
    @given(WORDS.filter(bool), WORDS, WORDS, CALLS)
    def look(name, spec_id, origin, calls):
        store.connection.redis.flushall()
        ids = [str(ULID()) for _ in range(3)]
        store.create_many(
            [NewJob(i, {name: origin}, {origin: name}, spec_id + i, name, 9, message=origin) for i in ids],
            campaign="c" if origin else "",
        )
        for verb, one, other, which, token in calls:
            with suppress(*EXPECTED):
                _do(store, verb, one, other, ids[which], token)
        known = {i: store.connection.redis.hget(store.keys.job(i), "state") for i in ids}
        for state in JobState:
            listed = set(store.connection.redis.zrange(store.keys.state(state), 0, -1))
            assert listed == {i for i, its in known.items() if its == state}
        leases = set(store.connection.redis.zrange(store.keys.leases, 0, -1))
        assert leases == {i for i, its in known.items() if its == "running"}
        for record in store.many(ids):
            assert record.name == name and record.origins == {origin: name}
            store.attempts(record.id), store.log_tail(record.id), store.events(record.id)
        list(Audit(store.connection).newest())

    look()
