"""Reading records, without ever looking at all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from srqueue.errors import UsageError, did_you_mean
from srqueue.run.reasons import JobState
from srqueue.store.attempts import AttemptRecord
from srqueue.store.connection import Connection
from srqueue.store.moments import Moments
from srqueue.store.paging import Span, page, size
from srqueue.store.pictures import StoredPictures, stored_pictures
from srqueue.store.printed import printed_lines
from srqueue.store.ready import count_ahead, first_ids
from srqueue.store.record import JobRecord, Owned, SeveralJobs, WorkerRecord, worker_of

_ID_LENGTH = 26
_SHORTEST_SUFFIX = 4
_LONGEST_BLOCK_MS = 1000  # below the time after which an answer counts as missing


class Reader:
    """Lookups by id, name, suffix, state; event streams; workers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.keys = connection.keys

    def ping(self) -> None:
        """Returns where the server answers; raises ServiceUnreachable otherwise."""
        self.connection.ping()

    def get(self, job_id: str) -> JobRecord:
        """The record of a full id. Raises UsageError where there is none."""
        found = self._records([job_id])
        if not found:
            raise UsageError(f"there is no job {job_id}", hint="see: srqueue ls --all")
        return found[0]

    def list(
        self, states: Iterable[JobState | str] | None = None, limit: int = 50, offset: int = 0, *,
        campaign: str | None = None, since: float | None = None, until: float | None = None,
    ) -> tuple[JobRecord, ...]:  # fmt: skip
        """Records, newest first: `limit` of them behind the newest `offset`.

        `campaign`: only of that one; `since`, `until`: created between these UTC s, both included.
        """
        keys = self._lists(states, campaign)
        return self._records(page(self.connection, keys, limit, offset, Span(since, until)))

    def count(
        self, states: Iterable[JobState | str] | None = None, *,
        campaign: str | None = None, since: float | None = None, until: float | None = None,
    ) -> int:  # fmt: skip
        """How many `list` would find without a limit."""
        return size(self.connection, self._lists(states, campaign), Span(since, until))

    def campaigns(self, limit: int = 50) -> tuple[tuple[str, int], ...]:
        """The largest campaigns with their number of jobs."""
        with self.connection.reach() as client:
            found = client.zrevrange(self.keys.campaigns, 0, limit - 1, withscores=True)
        return tuple((name, int(jobs)) for name, jobs in found)

    def _lists(self, states: Iterable[JobState | str] | None, campaign: str | None) -> Sequence[str]:
        """The lists, without a job in common, that hold what is asked for."""
        if states is None:
            return [self.keys.campaign(campaign) if campaign else self.keys.jobs]
        found = dict.fromkeys(_state(s) for s in states)
        return [self.keys.campaign(campaign, s) if campaign else self.keys.state(s) for s in found]

    def count_by_state(self) -> dict[JobState, int]:
        """How many jobs are in each state."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for state in JobState:
                pipeline.zcard(self.keys.state(state))
            return dict(zip(JobState, pipeline.execute(), strict=True))

    def resolve(self, ref: str) -> str:
        """The full id behind a full id, a job's name, or the end of an id (four characters or more).

        Raises UsageError where nothing, SeveralJobs where more than one job fits.
        """
        ref = ref.strip()
        upper = ref.upper()
        with self.connection.reach() as client:
            if len(ref) == _ID_LENGTH and client.exists(self.keys.job(upper)):
                return upper
            found = client.zrevrange(self.keys.name(ref), 0, 9)
            if not found and len(ref) >= _SHORTEST_SUFFIX and ref.isascii() and ref.isalnum():
                found = self.ending_with(upper, 10)
            if len(found) == 1:
                return str(found[0])
            if not found:
                names = client.zrevrange(self.keys.names, 0, 999)
                raise UsageError(f"there is no job {ref!r}", hint=did_you_mean(ref, names))
        several = ", ".join(f"{r.short_id} ({r.state})" for r in self._records(found))
        raise SeveralJobs(f"{ref!r} means more than one job: {several}", hint="name one by its id")

    def ending_with(self, text: str, most: int) -> Sequence[str]:
        """Ids that end with `text` (letters and digits)."""
        start = text.upper()[::-1]
        with self.connection.reach() as client:
            ends = client.zrange(
                self.keys.suffixes, f"[{start}", f"[{start}~", bylex=True, offset=0, num=most
            )
        return [end[::-1] for end in ends]

    def many(self, ids: Iterable[str]) -> tuple[JobRecord, ...]:
        """The records of full ids, in their order; those that are gone are left out."""
        return self._records(ids)

    def events(
        self, job_id: str, after: str = "0-0", block_ms: int | None = None
    ) -> tuple[tuple[str, str], ...]:
        """(position, event line) of the job's stream behind `after`, oldest first.

        With `block_ms` it waits that long, at most a second, for the first new line.
        """
        block = None if block_ms is None else max(1, min(block_ms, _LONGEST_BLOCK_MS))
        with self.connection.reach() as client:
            answer = client.xread({self.keys.events(job_id): after}, count=1000, block=block)
        streams = dict(answer or {}).values()  # pairs or a mapping, as the protocol version has it
        return tuple((position, fields["line"]) for entries in streams for position, fields in entries)

    def pictures(self, job_id: str) -> StoredPictures | None:
        """Its newest validation pictures, as far as they are kept."""
        return stored_pictures(self.connection, job_id)

    def log_tail(self, job_id: str) -> Sequence[str]:
        """The newest lines that its trainers printed, each `t<token> <text>`, as far as they are kept."""
        return [line for _, line in self.log_after(job_id)]

    def log_after(self, job_id: str, after: str = "0-0") -> tuple[tuple[str, str], ...]:
        """(position, line) of those behind `after`."""
        return printed_lines(self.connection, job_id, after)

    def attempts(self, job_id: str) -> tuple[AttemptRecord, ...]:
        """The newest attempts at a job, oldest first."""
        with self.connection.reach() as client:
            return tuple(
                AttemptRecord.parse(text) for text in client.lrange(self.keys.attempts(job_id), 0, -1)
            )

    def moments(self, job_id: str) -> Moments:
        """When its lease ends, and when it is rung for."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.time()
            pipeline.zscore(self.keys.leases, job_id)
            pipeline.zscore(self.keys.bells, job_id)
            pipeline.hmget(self.keys.job(job_id), "lease", "saved_iteration")
            (seconds, micros), ends, rings, (lease, saved) = pipeline.execute()
        now = float(seconds) + float(micros) / 1e6
        return Moments(
            now=now,
            lease_left=None if ends is None else float(ends) - now,
            lease=float(lease) if lease and ends is not None else None,
            rung_in=None if rings is None else max(0.0, float(rings) - now),
            saved=int(saved) if saved else None,
        )

    def running_on(self, machine: str) -> tuple[Owned, ...]:
        """Running jobs that were bound on a machine; what else its set holds is taken out of it."""
        key = self.keys.machine(machine)
        with self.connection.reach() as client:
            ids = sorted(client.smembers(key))
            pipeline = client.pipeline(transaction=False)
            for job_id in ids:
                pipeline.hmget(self.keys.job(job_id), "state", "machine", "token", "owner", "iteration")
            rows = list(zip(ids, pipeline.execute(), strict=True))
            over = [job_id for job_id, row in rows if row[0] != JobState.RUNNING]
            if over:
                client.srem(key, *over)
        return tuple(
            Owned(job_id, int(row[2]), row[3] or "", int(row[4] or 0))
            for job_id, row in rows
            if row[0] == JobState.RUNNING and row[1] == machine
        )

    def owners(self) -> dict[str, int]:
        """How many jobs each worker runs, by its name."""
        with self.connection.reach() as client:
            ids = client.zrange(self.keys.leases, 0, -1)
            pipeline = client.pipeline(transaction=False)
            for job_id in ids:
                pipeline.hget(self.keys.job(job_id), "owner")
            return dict(Counter(worker_of(owner) for owner in pipeline.execute() if owner))

    def workers(self) -> tuple[WorkerRecord, ...]:
        """The workers that announced themselves lately, by name."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for name in sorted(client.zrange(self.keys.workers, 0, -1)):
                pipeline.hgetall(self.keys.worker(name))
            return tuple(WorkerRecord.from_hash(raw) for raw in pipeline.execute() if raw)

    def left_workers(self) -> tuple[str, ...]:
        """The names of those that ended by themselves within an hour or so, and are not back."""
        with self.connection.reach() as client:
            return tuple(sorted(client.zrange(self.keys.left, 0, -1)))

    def next_due(self) -> float:
        """Seconds until a lease ends or a delayed job is ready, 0 where that is over; infinite without."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.time()
            for key in (self.keys.leases, self.keys.delayed, self.keys.opening):
                pipeline.zrange(key, 0, 0, withscores=True)
            (seconds, micros), *first = pipeline.execute()
        moments = [score for entries in first for _, score in entries]
        return max(0.0, min(map(float, moments), default=float("inf")) - float(seconds) - float(micros) / 1e6)

    def count_workers(self) -> int:
        """How many are announced, or were a moment ago."""
        with self.connection.reach() as client:
            return int(client.zcard(self.keys.workers))

    def ahead(self, record: JobRecord, workers: Iterable[WorkerRecord]) -> int:
        """How many ready jobs these workers would claim before a ready `record`."""
        return self.aheads([(record, tuple(workers))])[record.id]

    def aheads(self, asked: Iterable[tuple[JobRecord, Sequence[WorkerRecord]]]) -> dict[str, int]:
        """The same of many records, each with its workers, by id, in two round trips."""
        return count_ahead(self.connection, tuple(asked))

    def first_ahead(
        self, record: JobRecord, workers: Iterable[WorkerRecord], most: int
    ) -> tuple[JobRecord, ...]:
        """The first of those, at most so many."""
        return self._records(first_ids(self.connection, record, tuple(workers), most) if most else ())

    def _records(self, ids: Iterable[str]) -> tuple[JobRecord, ...]:
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for job_id in ids:
                pipeline.hgetall(self.keys.job(job_id))
            return tuple(JobRecord.from_hash(raw) for raw in pipeline.execute() if raw)


def _state(word: str) -> JobState:
    if word not in list(JobState):
        raise UsageError(f"there is no state {word!r}", hint=did_you_mean(word, list(JobState)))
    return JobState(word)
