"""What must hold all the time, read from Redis on a connection that no worker's network touches."""

import threading
import time
from collections import defaultdict

import redis

from benchmarks.faults.place import Place
from srqueue.run.reasons import JobState
from srqueue.store.keys import Keys

_LOOK = 0.25


class Watcher(threading.Thread):
    """Samples every job's record, the leases and the states, each sample as one transaction.

    `broken` are sentences about what did not hold. `newest`: the last record of each job.
    """

    def __init__(self, place: Place, jobs: list[str]) -> None:
        super().__init__(name="watcher", daemon=True)
        self._place, self._jobs, self._keys = place, jobs, Keys(place.settings.prefix)
        self.newest: dict[str, dict[str, str]] = {}
        self.owners: dict[str, dict[int, str]] = defaultdict(dict)
        self.reasons: dict[str, dict[int, str]] = defaultdict(dict)
        self.samples = 0
        self.broken: list[str] = []
        self._highest: dict[str, tuple[int, int, int]] = {}
        self._over = threading.Event()

    def run(self) -> None:
        """Samples until stopped; a server that does not answer is asked again."""
        client = self._place.server.client(1)
        while not self._over.wait(_LOOK):
            try:
                self._sample(client)
            except (redis.RedisError, OSError):
                continue
            except Exception as error:  # a watcher that died would prove nothing
                self._tell(f"the watcher failed: {error!r}")

    def stop(self) -> None:
        """Takes no further sample."""
        self._over.set()
        self.join(10)

    def _sample(self, client: redis.Redis) -> None:
        pipeline = client.pipeline(transaction=True)
        for job in self._jobs:
            pipeline.hgetall(self._keys.job(job))
        for state in JobState:
            pipeline.zrange(self._keys.state(state), 0, -1)
        pipeline.zrange(f"{self._keys.prefix}:leases", 0, -1)
        answers = pipeline.execute()
        records = dict(zip(self._jobs, answers[: len(self._jobs)], strict=True))
        states = dict(zip(JobState, answers[len(self._jobs) : -1], strict=True))
        self.samples += 1
        for job, record in records.items():
            if not record:
                self._tell(f"job {job} is gone from Redis")
                continue
            self.newest[job] = record
            self._judge(job, record, [s for s, ids in states.items() if job in ids], job in answers[-1])

    def _judge(self, job: str, record: dict[str, str], states: list[str], leased: bool) -> None:
        token = int(record.get("token") or 0)
        published = (token, int(record.get("seq_token") or 0), int(record.get("seq") or 0))
        if (before := self._highest.get(job)) and (published[0] < before[0] or published[1:] < before[1:]):
            self._tell(
                f"job {job}: (token, published token, published seq) fell from {before} to {published}"
            )
        self._highest[job] = published
        if states != [record["state"]]:
            self._tell(f"job {job}: its record says {record['state']}, the sets of states {states}")
        if leased != (record["state"] == JobState.RUNNING):
            self._tell(f"job {job}: {record['state']}, and {'a' if leased else 'no'} lease")
        if record["state"] == JobState.RUNNING and (owner := record.get("owner")):
            known = self.owners[job].setdefault(token, owner)
            if known != owner:
                self._tell(f"job {job}: token {token} was {known}'s and is {owner}'s")
        elif token and record.get("reason"):
            self.reasons[job][token] = record["reason"]

    def _tell(self, text: str) -> None:
        if text not in self.broken:
            self.broken.append(text)
            print(time.strftime("%H:%M:%S"), "BROKEN", text, flush=True)
