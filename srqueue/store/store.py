"""Store: every change of a job, each one script."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal, Self

from srqueue.errors import UsageError
from srqueue.run.folder import CheckpointName, check_name
from srqueue.run.outcome import Outcome
from srqueue.run.pictures import Crop
from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
from srqueue.run.scores import Scores
from srqueue.run.spent import NOTHING, Spent
from srqueue.settings import Settings
from srqueue.spec.needs import NeedsSpec
from srqueue.store.audit import Audit, beside, note_of, write_beside
from srqueue.store.connection import Connection, compact
from srqueue.store.consequences import EXPORTS_FIRST, consequence
from srqueue.store.drains import DRAIN_SECONDS, Announced, Drain
from srqueue.store.new import NewJob, check_priority
from srqueue.store.offers import Offer, parts_text
from srqueue.store.pictures import script_arguments
from srqueue.store.printed import BYTES_KEPT, JOBS_KEPT, LINES_KEPT, SECONDS_KEPT
from srqueue.store.quotas import check_room, over_quota
from srqueue.store.reader import Reader
from srqueue.store.record import (
    Bell,
    Claim,
    JobRecord,
    LeaseExpired,
    LeaseLost,
    RecordGone,
    WorkerRecord,
    what_can_be_done,
)
from srqueue.store.scores import packed
from srqueue.store.signed_queue import check_key
from srqueue.store.signing import Keyring

EVENTS_KEPT = 1000
"""Event lines of a job in Redis, and up to half as many more for a while; its run folder has all of them."""
_MOST_A_SWEEP = 200
_LINES_A_CALL = 500
_JOBS_A_CALL = 200  # some 20 ms, in which Redis does nothing else
_DEFERRED = "Redis has lost data: one lease for the worker that may still train it"

Wish = Literal["pause", "cancel"]
Restored = Literal["made", "taken", "known"]
_WISHED = {"pause": StopReason.PAUSED, "cancel": StopReason.CANCELLED}


class Store(Reader):
    """The records in Redis. Raises ServiceUnreachable where Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._run = connection.run
        self._backoff = connection.settings.backoff
        self._lease = connection.settings.lease
        self.keyring = Keyring.of(connection.settings)

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """A store on a server that answers."""
        store = cls(Connection(settings))
        store.ping()
        return store

    # What a producer does.

    def create(
        self, job_id: str, *, spec: Mapping[str, Any], origins: Mapping[str, str], spec_id: str, name: str,
        priority: int = 5, device_class: str = "any", total_iter: int, again: bool = False,
    ) -> tuple[JobRecord, bool]:  # fmt: skip
        """A new queued job; or, with False, the one whose spec is the same and that has not failed."""
        job = NewJob(job_id, spec, origins, spec_id, name, total_iter, priority, device_class)
        ((found, created),) = self.create_many([job], again=again)
        return self.get(found), created

    def create_many(
        self, jobs: Sequence[NewJob], *, again: bool = False, campaign: str = ""
    ) -> list[tuple[str, bool]]:
        """For each job its id and True; or the id of one whose spec is the same, and False.

        Such a one is not failed and not cancelled, or is of the same campaign; it joins the campaign. All are
        checked before the first is written. Some hundreds are written at a time: where Redis goes away in
        between, the same call once more, without `again`, makes the rest. Raises UsageError where a user
        would have more than his quota: none is made, or, where others submit meanwhile, it says how many are.
        """
        if campaign:
            check_name(campaign, "a campaign")
        for job in jobs:
            job.check()
        check_key(self.connection, self.keyring)
        signed = (replace(job, signature=self.keyring.sign_job(job)) for job in jobs)
        parts, made = [job.parts() for job in signed], list[tuple[str, bool]]()
        if len(jobs) > _JOBS_A_CALL:
            check_room(self.connection, jobs, again=again, campaign=campaign)
        for i in range(0, len(parts), _JOBS_A_CALL):
            some = (part for job in parts[i : i + _JOBS_A_CALL] for part in job)
            more = f" and {len(part) - 1} more" if (part := jobs[i : i + _JOBS_A_CALL])[1:] else ""
            where = f" in campaign {campaign}" if campaign else ""
            flat = self._act("create", "submit", "", int(again), campaign, *some, more=more + where)
            if flat[:1] == ["over"]:
                raise over_quota(flat, sum(new for _, new in made))
            made += [(job_id, bool(created)) for job_id, created in zip(flat[::2], flat[1::2], strict=True)]
        return made

    def ask(self, job_id: str, wish: Wish) -> JobRecord:
        """Pauses or cancels: a running job at its next iteration, another at once.

        A job with a checkpoint that does not run is queued, with the wish `cancel`, for a worker to export
        its best weights; cancelled once more it ends at once, without.
        """
        row = CONSEQUENCES[_WISHED[wish]]
        how = (row.next_state, int(row.next_state.final), row.text, EXPORTS_FIRST)
        return self._answer(job_id, wish, self._act("ask", wish, job_id, job_id, wish, *how))

    def resume(self, job_id: str) -> JobRecord:
        """A paused or held job goes back to the queue; a pause that has not come about is taken back.

        A queued one that waits after a failure starts now; one that waits to be cancelled is not.
        """
        states = (JobState.PAUSED, JobState.HELD)
        return self._answer(job_id, "resume", self._act("requeue", "resume", job_id, job_id, *states))

    def retry(self, job_id: str) -> JobRecord:
        """A failed or cancelled job goes back to the queue and on from its newest checkpoint.

        A queued one that waits after a failure starts now; one that waits to be cancelled is not.
        """
        states = (JobState.FAILED, JobState.CANCELLED)
        return self._answer(job_id, "retry", self._act("requeue", "retry", job_id, job_id, *states))

    def set_priority(self, job_id: str, priority: int) -> JobRecord:
        """9 runs first. A running job keeps running."""
        check_priority(priority)
        return self._answer(
            job_id, "change", self._act("priority", f"priority {priority}", job_id, job_id, priority)
        )

    def set_needs(self, job_id: str, needs: NeedsSpec, device_class: str, *, measured: bool) -> JobRecord:
        """From now on its worker must have this; a running job goes on where it is.

        `measured`: whether the memory that it was measured to need counts beside it.
        """
        kept = "" if measured else "forget"
        parts = needs.gpu_memory or "", parts_text(needs), device_class, kept
        answer = self._act("needs", "needs", job_id, job_id, *parts)
        return self._answer(job_id, "place", answer)

    def remove(self, job_id: str) -> JobRecord:
        """Forgets a job that does not run; its run folder stays. Returns the record as it was."""
        record = self.get(job_id)
        answer = self._act("remove", "rm", job_id, job_id)
        if answer[0] == "refused":
            raise UsageError(
                f"job {record.short_id} is running", hint=f"first: srqueue cancel {record.short_id}"
            )
        return record

    def sign(self, job_id: str) -> JobRecord:
        """Signs a job as it stands. Raises UsageError where there is no key here."""
        if not self.keyring:
            raise UsageError(
                "there is no key to sign with", where="SRQUEUE_SIGNING_KEY", hint="srqueue signing new-key"
            )
        record = self.get(job_id)
        Audit(self.connection).note("sign", f"{job_id} {record.name}")
        with self.connection.reach() as client:
            client.hset(self.keys.job(job_id), "signature", self.keyring.sign_job(record))
        return self.get(job_id)

    # What a worker does. All but `claim` raise LeaseLost where the token is no longer the job's.

    def claim(
        self, worker: str, host: str, classes: Sequence[str], lease: float, roots: Mapping[str, str],
        claim_id: str | None = None, offer: Offer | None = None,
    ) -> Claim | None:  # fmt: skip
        """The best ready job of these classes that has no run folder yet, or one under these roots.

        `offer`: what the job gets; jobs that need more are left out. None: no GPU, on `host`.

        `roots`: root_id -> absolute path; a new job is to go under the first, and its record here says so,
        but it is bound to it only by `bind`. A call with the `claim_id` of one whose answer was lost gets
        the job that was claimed then.
        """
        places = [part for pair in roots.items() for part in pair]
        known = claim_id or secrets.token_hex(8)
        has = (offer or Offer(host=host)).to_json()
        flat = self._run("claim", worker, host, lease, known, has, len(classes), *classes, *places)
        if not flat:
            return None
        record = _record(flat)
        return Claim(record, record.token)

    def bind(self, job_id: str, token: int, root_id: str, run_dir: str, machine: str = "") -> None:
        """The run folder exists: from now on only workers that reach this root claim the job.

        `machine`: where its owner is, so that others there may see that it has died.
        """
        self._held(job_id, self._run("bind", job_id, token, root_id, run_dir, machine))

    def raise_token(self, job_id: str, token: int, new: int) -> int:
        """The token after it was raised above what the run folder has seen. Before anything is written."""
        self._held(job_id, self._run("raise_token", job_id, token, new))
        return max(token, new)

    def renew(self, job_id: str, token: int, lease: float, claimed: float | None = None) -> str | None:
        """Lengthens the lease, or takes it back where nobody claimed the job; returns the wish.

        `claimed`: of the claim's record; it tells two owners apart to whom the same token was given.
        """
        when = "" if claimed is None else f"{claimed:.3f}"
        answer = self._held(job_id, self._run("renew", job_id, token, lease, when))
        return answer[1] or None

    def publish(self, job_id: str, token: int, seq: int, iteration: int) -> None:
        """A durable checkpoint is the job's newest, where its (token, seq) is above what is published."""
        self._held(job_id, self._run("publish", job_id, token, seq, iteration))

    def publish_upload(self, job_id: str, token: int, name: CheckpointName) -> bool:
        """That checkpoint is in the remote folder; False where the job has another token by now.

        Also after the attempt has ended: what comes late is as good. Raises RecordGone.
        """
        given = (name.seq, name.token, name.iteration)
        (how,) = self._run("publish_upload", job_id, token, *given)
        if how == "gone":
            raise RecordGone(f"Redis has no job {job_id}")
        return bool(how == "ok")

    def note_peak(self, job_id: str, token: int, needed: int) -> None:
        """The job was measured to need so many bytes of a GPU: it gets no smaller one from now on."""
        self._held(job_id, self._run("peak", job_id, token, needed))

    def set_progress(self, job_id: str, token: int, iteration: int, progress: Mapping[str, Any]) -> None:
        """Where the training stands."""
        self._held(job_id, self._run("progress", job_id, token, iteration, compact(progress)))

    def append_events(
        self, job_id: str, token: int, lines: Sequence[str], span: tuple[int, int] | None = None
    ) -> int | None:
        """Event lines for whoever watches, bounded (EVENTS_KEPT): old ones are thinned, see `events.lua`.

        `span`: the bytes of the attempt's file that they take.
        Where Redis was told up to another byte than their first, it takes none, and that byte is returned.
        """
        answer = self._run("events", job_id, token, EVENTS_KEPT, *(span or ("", "")), *lines)
        return int(answer[1]) if self._held(job_id, answer)[0] == "elsewhere" else None

    def put_pictures(
        self, job_id: str, token: int, crops: Sequence[Crop], iteration: int, images: Mapping[str, bytes],
        *, whole: bool,
    ) -> bool:  # fmt: skip
        """The newest validation pictures; False where Redis lacks what is not among them: send all.

        `whole`: whether bicubic and original are among them. Kept for a week, of a hundred jobs at most.
        """
        arguments = script_arguments(crops, iteration, images, whole)
        return bool(self._held(job_id, self._run("pictures", job_id, token, *arguments))[1] == "taken")

    def put_scores(self, job_id: str, token: int, scores: Scores) -> None:
        """What its exported model makes of each validation picture, of 200 at most."""
        self._held(job_id, self._run("scores", job_id, token, packed(scores)))

    def append_log(self, job_id: str, token: int, lines: Sequence[str], span: tuple[int, int]) -> int:
        """Lines that the trainer printed, of which the newest are kept; up to which byte Redis was told.

        `span`: the bytes of the attempt's log that they take.
        """
        kept = (LINES_KEPT, BYTES_KEPT, SECONDS_KEPT, JOBS_KEPT)
        told = (f"t{token} {line}" for line in lines)
        return int(self._held(job_id, self._run("log", job_id, token, *span, *kept, *told))[1])

    def finish(self, job_id: str, token: int, outcome: Outcome, *, opens: float | None = None) -> JobRecord:
        """Ends the attempt; the table of StopReasons says what becomes of the job. Said twice it counts once.

        `opens`: when one that goes on at once by that table is ready instead, UTC s: its window opens then.

        An iteration that no published checkpoint holds is not kept.
        """
        row = consequence(outcome.reason, outcome.message, self._backoff, opens)
        seq = "" if outcome.seq is None else outcome.seq
        metrics = compact(outcome.metrics) if outcome.metrics else ""
        answer = self._run("finish", job_id, token, row, outcome.iteration, seq, metrics)
        return _record(self._held(job_id, answer)[1])

    def sweep(self) -> list[Bell]:
        """Ends attempts whose lease ran out, readies delayed jobs; whom to ring for.

        After an outage for all workers every lease begins anew: see `note` in prelude.lua.
        """
        row = consequence(StopReason.WORKER_LOST, "", self._backoff)
        flat = self._run("sweep", row, self._lease, _MOST_A_SWEEP)
        return [Bell(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]

    # What is told again where Redis has lost it.

    def restore(
        self, record: JobRecord, newest: CheckpointName | None, *, by_owner: bool = False,
        front: bool = False, told: int = 0, took: Spent = NOTHING,
    ) -> Restored:  # fmt: skip
        """A record that is missing is made; with `by_owner` one of an older token is taken over.

        `record` as it should stand, with a lease where it runs; `newest`: newest checkpoint of its folder;
        `front`: where it is queued it stands before others of its priority; `told`: up to which byte of its
        newest attempt's events the history will go; `took`: what attempts of which Redis will not see the end
        have taken.
        """
        fields: dict[str, Any] = {"failures": 0, **record.to_hash(), "front": int(front)}
        fields |= {"told": told, "told_token": record.token}
        fields |= {"spent_s": f"{took.seconds:.3f}", "spent_kwh": f"{took.kwh:.9f}"}
        if newest is not None:
            fields |= {"seq": newest.seq, "seq_token": newest.token, "saved_iteration": newest.iteration}
        elif record.seq is not None:  # its folder is out of reach
            fields |= {"seq_token": 0, "saved_iteration": record.iteration}
        flat = [part for pair in fields.items() for part in pair]
        arguments = (record.id, "owner" if by_owner else "folder", self._lease, *flat)
        # By its owner: a worker's affair, and nobody's act.
        answer = (
            self._run("restore", *arguments)
            if by_owner
            else self._act("restore", "recover", record.id, *arguments)
        )
        how: Restored = answer[0]
        return how

    def append_history(self, job_id: str, lines: Iterable[str]) -> None:
        """Event lines of a restored job, oldest first."""
        left = iter(lines)
        while batch := list(islice(left, _LINES_A_CALL)):
            self._run("events", job_id, "", EVENTS_KEPT, "", "", *batch)

    def defer(self, job_id: str, token: int, newest: int) -> bool:
        """Undoes a claim: attempt `newest` of the run folder, unknown to Redis, may be alive.

        Its owner has one lease to take the record over. False where that was waited for before.
        """
        answer = self._run("defer", job_id, token, newest, self._lease, _DEFERRED)
        return bool(self._held(job_id, answer)[0] == "ok")

    def postpone(
        self, job_id: str, token: int, at: float, message: str, left_until: float | None = None
    ) -> None:
        """Undoes a claim: the job's windows are closed, and open at `at`, UTC s; or it is left to a faster
        worker, `left_until` then at the longest."""
        left = "" if left_until is None else f"{left_until:.3f}"
        self._held(job_id, self._run("postpone", job_id, token, f"{at:.3f}", message, left))

    def announce_worker(self, worker: WorkerRecord, seconds: float) -> Announced:
        """Says that a worker is there, for `seconds`; returns what is asked of it."""
        flat = [part for pair in worker.to_hash().items() for part in pair]
        return Announced.from_answer(self._run("announce", worker.name, seconds, *flat))

    def drain(self, worker: str, how: Drain) -> None:
        """Asks a worker, by name, to end."""
        self._act("drain", f"drain ({how})", "", worker, how, DRAIN_SECONDS, more=worker)

    def _act(self, script: str, act: str, job_id: str, *args: Any, more: str = "") -> list[Any]:
        """Runs a script that is the act of a user: it notes itself in the audit trail."""
        note = note_of(act, job_id, more)
        answer = self._run(script, *args, note=note)
        if note:
            write_beside(self.connection.settings, beside(note))
        return answer

    def _answer(self, job_id: str, verb: str, answer: list[Any]) -> JobRecord:
        if answer[0] == "over":
            raise over_quota(answer)
        record = self.get(job_id)
        if answer[0] == "refused":
            state = JobState(answer[1])
            now = "being cancelled" if record.wish == "cancel" else state
            raise UsageError(
                f"cannot {verb} job {record.short_id} ({record.name}): it is {now}",
                hint=what_can_be_done(state),
            )
        return record

    def _held(self, job_id: str, answer: list[Any]) -> list[Any]:
        if answer[0] == "lost":
            raise LeaseLost(f"job {job_id} was taken over or ended", hint="its newer attempt goes on")
        if answer[0] == "reaped":
            raise LeaseExpired(f"the lease of job {job_id} ran out", hint="renew it first")
        if answer[0] == "gone":
            raise RecordGone(f"Redis knows nothing of job {job_id} and its token: it has lost its data")
        return answer


def _record(flat: Sequence[str]) -> JobRecord:
    return JobRecord.from_hash(dict(zip(flat[::2], flat[1::2], strict=True)))
