"""The notifier, one in every worker that has somebody to tell: looks for occasions and sends notices.

Each occasion is told by one of them: who sets its key in Redis first. No training waits for anything here.
"""

from __future__ import annotations

import logging
import shutil
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.notices import said
from srqueue.notices.notice import Notice
from srqueue.notices.sending import SECONDS, Sent, installed, send
from srqueue.queue.outcomes import verdict_on
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.store.campaigns import Campaigns
from srqueue.store.connection import Connection
from srqueue.store.occasions import Occasions
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of
from srqueue.store.store import Store

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks."""
TAKEN = 2 * SECONDS
"""Seconds for which an occasion is one worker's alone: should it die, another tells."""
_DAY = 86400.0
"""Seconds that a look goes back."""
_OTHERS_FIRST = 20.0
"""Seconds for the workers of the machine that has the run folder, and so the picture."""
_AT_ONCE = 5  # jobs that ended are told one by one up to here
_LATE = 4  # hours after its own in which a digest is still sent
_LISTED = 5000


@dataclass(frozen=True)
class _Told:
    """A notice and the occasions that it tells of."""

    notice: Notice
    occasions: Sequence[str]
    taken: bool = False  # already, for this worker


class Notifier(threading.Thread):
    """Looks every few seconds until it is stopped. `sender` sends one notice and says what came of it."""

    def __init__(
        self,
        settings: Settings,
        sender: Callable[[Settings, Notice], list[Sent]] = send,
        host: str = socket.gethostname(),
    ) -> None:
        super().__init__(name="notifier", daemon=True)
        self._settings = settings
        self._store = Store(Connection(settings))
        self._occasions = Occasions(self._store.connection)
        self._send = sender
        self._host = host
        self._ended = threading.Event()
        self._began: float | None = None
        self._passed: set[str] = set()  # occasions that nobody here wants to hear of

    def run(self) -> None:
        """Looks until stopped; nothing that goes wrong ends it."""
        answered = True
        while not self._ended.is_set():
            try:
                self.look()
                answered = True
            except Exception as error:
                if answered:  # said once an outage
                    log.warning(
                        "no notices: %s", str(error).splitlines()[0] if str(error) else type(error).__name__
                    )
                answered = False
            self._ended.wait(min(LOOK, self._settings.sweep * 2))

    def stop(self) -> None:
        """Ends the thread; a notice that is being sent is left to its child."""
        self._ended.set()

    def look(self) -> None:
        """Tells what has happened and nobody has told yet."""
        now = self._occasions.now()
        self._began = self._began or self._occasions.began()
        self._look_at_disk()
        self._look_at_clock()
        found = self._occasions.since(max(self._began, now - _DAY))
        self._passed &= {occasion for occasion, _ in found}
        for told in self._due([pair for pair in found if pair[0] not in self._passed], now):
            # Only now: to send what stands before it may take longer than an occasion is one worker's alone.
            if told.taken or self._take(told.occasions[0]):
                self._tell(told)

    def _due(self, found: Sequence[tuple[str, float]], now: float) -> list[_Told]:
        """What this worker would tell now."""
        ends: list[tuple[str, JobRecord]] = []
        others: list[_Told] = []
        for occasion, at in found:
            kind, _, rest = occasion.partition(":")
            if kind in ("disk", "digest"):
                continue  # these are told at once by who notes them
            if kind == "campaign":
                notice = self._campaign(*rest.split(":", 1))
                if notice is None or kind not in self._settings.notified:
                    self._passed.add(occasion)
                else:
                    others.append(_Told(notice, [occasion]))
                continue
            record = self._record(rest.partition(":")[0])
            if record is None or not self._wanted(kind, occasion, record):
                self._passed.add(occasion)
                continue
            if record.host not in (None, self._host) and now - at < _OTHERS_FIRST:
                continue
            if kind == "ended":
                ends.append((occasion, record))
            else:
                what = rest.split(":", 2)[-1]
                others.append(_Told(_notice(kind, record, what), [occasion]))
        if len(ends) > _AT_ONCE:
            mine = [(occasion, record) for occasion, record in ends if self._take(occasion)]
            bundle = _Told(said.bundle([r for _, r in mine]), [o for o, _ in mine], taken=True)
            return [*others, bundle] if mine else others
        return others + [_Told(_ending(r, self._host), [o]) for o, r in ends]

    def _campaign(self, name: str, ended: str) -> Notice | None:
        """None where it is gone, or goes on: cells were tried again. `ended`: when it ended."""
        campaigns = Campaigns(self._store.connection)
        record = campaigns.find(name)
        if record is None:
            return None
        over = record.ended is not None and f"{record.ended:.3f}" == ended
        if not over and record.state != "stopped" and not record.in_vain:
            return None
        verdict, counts = verdict_on(self._store, name), campaigns.counts(name)
        return said.campaign(record, verdict.sentence, len(verdict.entries), counts[JobState.FAILED])

    def _wanted(self, kind: str, occasion: str, record: JobRecord) -> bool:
        """Whether somebody wants to know of its kind; of a job's end also whether that still stands."""
        if kind != "ended":
            stands = kind != "held" or record.state is JobState.HELD
            return kind in self._settings.notified and stands
        stands = record.finished is not None and occasion.endswith(f":{record.finished:.3f}")
        kinds = {JobState.SUCCEEDED: "finished", JobState.FAILED: "failed"}
        return stands and kinds.get(record.state) in self._settings.notified

    def _take(self, occasion: str) -> bool:
        return self._occasions.take(occasion, TAKEN)

    def _record(self, job_id: str) -> JobRecord | None:
        try:
            return self._store.get(job_id)
        except UsageError:  # removed
            return None

    def _tell(self, told: _Told) -> None:
        results = self._send(self._settings, told.notice)
        for sent in results:
            if not sent.well:
                log.warning("a notice did not reach %s: %s", sent.address, sent.result)
        if any(sent.well for sent in results):  # who has it is not told twice for another's sake
            log.info("told: %s", told.notice.title)
            for occasion in told.occasions:
                self._occasions.told(occasion)
            return
        given_up = [self._occasions.failed(occasion) for occasion in told.occasions]  # all are counted
        if any(given_up):
            log.warning("given up: nobody was told %r", told.notice.title)

    def _look_at_disk(self) -> None:
        if "disk" not in self._settings.notified:
            return
        root, least = self._settings.runs_root, self._settings.notify_disk
        free = _free(root)
        day = time.strftime("%Y-%m-%d", time.localtime())
        occasion = f"disk:{self._host}:{root}:{day}"
        if free is not None and free < least * said.GIB and self._take(occasion):
            self._tell(_Told(said.disk(self._host, str(root), free, least), [occasion]))

    def _look_at_clock(self) -> None:
        """The digest, once a day for all workers of this queue."""
        late = time.localtime().tm_hour - self._settings.notify_digest
        occasion = f"digest:{time.strftime('%Y-%m-%d', time.localtime())}"
        if "digest" in self._settings.notified and 0 <= late < _LATE and self._take(occasion):
            self._tell(_Told(said.digest(self._day()), [occasion]))

    def _day(self) -> said.Day:
        counts = self._store.count_by_state()
        ids = dict.fromkeys(self._occasions.ended_since(self._occasions.now() - _DAY)[-_LISTED:])
        records = [record for job_id in ids if (record := self._record(job_id)) is not None]
        return said.Day(
            ended=[record for record in records if record.state.final],
            running=self._store.list([JobState.RUNNING], _LISTED),
            queued=counts[JobState.QUEUED],
            held=counts[JobState.HELD],
            paused=counts[JobState.PAUSED],
            free=_free(self._settings.runs_root),
        )


def start_notifier(settings: Settings) -> Notifier | None:
    """A running notifier; None where nobody is to be told, or nothing can be sent."""
    if not settings.notified:
        return None
    if not installed():
        log.warning("SRQUEUE_NOTIFY is set, but Apprise is not installed: pip install 'srqueue[notices]'")
        return None
    notifier = Notifier(settings)
    notifier.start()
    return notifier


def _notice(kind: str, record: JobRecord, what: str) -> Notice:
    if kind == "held":
        return said.held(record)
    return said.started(record) if kind == "started" else said.plateau(record, what)


def _ending(record: JobRecord, host: str) -> Notice:
    """With the picture, where the run folder is here."""
    if record.state is JobState.FAILED:
        return said.failed(record)
    here = record.host in (None, host)
    run = run_of(record) if here else None
    picture = run.export / "comparison.png" if run else None
    return said.finished(record, picture if picture and picture.is_file() else None)


def _free(root: Path) -> int | None:
    try:
        return shutil.disk_usage(root).free
    except OSError:
        return None
