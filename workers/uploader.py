"""`python -m workers.uploader`: what the attempts of this machine make goes to the remote folder.

It knows them by the notes in the runs root alone (srqueue.remote.pending), so a worker that begins goes on
where one that was killed has left off. A store that does not answer is asked again, ever more seldom.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field

from srqueue.errors import CheckpointError, ServiceUnreachable, SrqueueError, UsageError
from srqueue.remote.folder import Rate, RemoteFolder, RemoteUnreachable
from srqueue.remote.layout import ROOT_ID
from srqueue.remote.pending import Pending, Uploaded
from srqueue.remote.pushing import Pusher, Replaced
from srqueue.remote.root import remote_root_id
from srqueue.remote.there import look
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState
from srqueue.settings import Settings, load_settings
from srqueue.store.connection import Connection
from srqueue.store.store import Store

log = logging.getLogger("workers.uploader")

LOOK = 0.5
"""Seconds between two looks at the run folders."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a store that did not answer is asked again; doubled each time, with jitter."""
ASK_REDIS = 5.0
"""Seconds between two questions about an attempt that left no outcome."""
REPORT_WITHIN = 30.0
"""Seconds after its end for a job's report to be there."""
NICE = 10
_OVER = (JobState.SUCCEEDED, JobState.CANCELLED, JobState.PAUSED)


@dataclass
class Upload:
    """One attempt. `published`: newest checkpoint that Redis knows to be up; `spoilt`: those damaged here."""

    run: RunDir
    token: int
    push: Pusher
    published: CheckpointName | None = None
    pruned: bool = True
    results: bool = False
    spoilt: set[CheckpointName] = field(default_factory=set)
    asked: float = 0.0

    @property
    def missing(self) -> list[CheckpointName]:
        """What is here and not there, newest first."""
        return [
            name
            for name in reversed(self.run.checkpoint_names())
            if name.token <= self.token and name not in self.push.there and name not in self.spoilt
        ]


class Uploader:
    """Uploads what is noted as pending, one thing at a time."""

    def __init__(self, settings: Settings, remote: RemoteFolder, root_id: str, store: Store) -> None:
        self._settings = settings
        self._remote = remote
        self._root_id = root_id
        self._store = store
        self._pending = Pending.below(settings.runs_root)
        self._took = Rate(settings.remote_rate)
        self._uploads: dict[str, Upload] = {}
        self._told = ""

    def once(self) -> bool:
        """One round over all attempts; whether more can be done at once. Raises RemoteUnreachable."""
        more, listed = False, dict(self._pending.all(self._root_id))
        for job_id in set(self._uploads) - set(listed):
            del self._uploads[job_id]
        for job_id, token in listed.items():
            try:
                more |= self._attend(job_id, token)
            except RemoteUnreachable as error:
                self._tell(job_id, token, error.message)
                raise
            except Replaced as error:
                log.error("job %s: %s; attempt %s uploads no more", job_id, error.message, token)
                self._pending.done(job_id, token)
            except OSError as error:
                told = f"job {job_id} cannot be uploaded now: {error.strerror or error}"
                log.log(logging.DEBUG if told == self._told else logging.WARNING, "%s", told)
                self._told = told
        return more

    def _attend(self, job_id: str, token: int) -> bool:
        upload = self._upload(job_id, token)
        if upload is None:
            return False
        if (missing := upload.missing) or not upload.run.checkpoint_names():
            upload.push.card()
        if missing:
            self._send(upload, missing[0])
        self._publish(upload)
        if upload.missing:
            return True
        if not self._ended(upload):
            return False
        upload.push.outcomes()
        if self._results_are_due(upload):
            if not upload.results:
                upload.push.results()
                upload.results = True
            if upload.published == _newest(upload):
                log.info("job %s: all of attempt %s is uploaded", job_id, token)
                self._pending.done(job_id, token)
        return False

    def _upload(self, job_id: str, token: int) -> Upload | None:
        known = self._uploads.get(job_id)
        if known is not None and known.token == token:
            return known
        run = RunDir(self._settings.runs_root / job_id)
        if not run.path.is_dir() or run.removed_file.exists():
            self._pending.done(job_id, token)
            return None
        push = Pusher(self._remote, run, token, look(self._remote, job_id), self._took)
        self._uploads[job_id] = Upload(run, token, push)
        return self._uploads[job_id]

    def _send(self, upload: Upload, name: CheckpointName) -> None:
        begun = time.monotonic()
        try:
            upload.push.checkpoint(name)
        except FileNotFoundError:  # pruned since it was listed
            return
        except CheckpointError as error:  # the next attempt will see it, too, and set it aside
            log.warning("job %s: checkpoint %s is damaged: %s", upload.run.job_id, name, error.message)
            upload.spoilt.add(name)
            return
        log.debug("job %s: %s uploaded in %.2f s", upload.run.job_id, name, time.monotonic() - begun)
        upload.pruned = False

    def _publish(self, upload: Upload) -> None:
        """Tells Redis of the newest one that is up; only who still has the job then removes old ones."""
        newest = _newest(upload)
        if newest is None or (newest == upload.published and upload.pruned):
            return
        self._tell(upload.run.job_id, upload.token, None, newest.seq)
        try:
            if not self._store.publish_upload(upload.run.job_id, upload.token, newest):
                log.info("job %s was taken over; attempt %s uploads no more", upload.run.job_id, upload.token)
                self._pending.done(upload.run.job_id, upload.token)
                return
        except ServiceUnreachable as error:
            log.debug("job %s: not published: %s", upload.run.job_id, error.message)
            return
        upload.published = newest
        upload.push.prune()
        upload.pruned = True

    def _ended(self, upload: Upload) -> bool:
        """Whether nothing more comes of the attempt. Without an outcome its record says it."""
        if Outcome.read(upload.run.attempt(upload.token).outcome_file) is not None:
            return True
        if time.monotonic() - upload.asked < ASK_REDIS:
            return False
        upload.asked = time.monotonic()
        try:
            record = self._store.get(upload.run.job_id)
        except (ServiceUnreachable, UsageError):
            return False
        # A job that waits, or failed, may be its owner's still, who was only cut off.
        return record.token != upload.token or record.state in _OVER

    def _results_are_due(self, upload: Upload) -> bool:
        file = upload.run.attempt(upload.token).outcome_file
        outcome = Outcome.read(file)
        if outcome is None or outcome.export is None:
            upload.results = True  # there are none
            return True
        waits = self._settings.report and time.time() - file.stat().st_mtime < REPORT_WITHIN
        return upload.run.report.is_file() or not waits

    def _tell(self, job_id: str, token: int, failing: str | None, seq: int | None = None) -> None:
        before = self._pending.state(job_id, token)
        now = Uploaded(token, before.seq if seq is None else seq, failing)
        if now != before:
            self._pending.note(job_id, now)


def _newest(upload: Upload) -> CheckpointName | None:
    return max((n for n in upload.push.there if n.token <= upload.token), key=lambda n: n.order, default=None)


class _Parent(threading.Thread):
    """Listens to the worker: a line means to finish; its end, that the worker has died."""

    def __init__(self) -> None:
        super().__init__(name="parent", daemon=True)
        self.finish = threading.Event()

    def run(self) -> None:
        while sys.stdin.readline():
            self.finish.set()
        os._exit(0)


def main() -> None:
    """Uploads until the worker ends."""
    shape = "[%(asctime)s: %(levelname)s/uploader] %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=shape)
    logging.getLogger("aiobotocore").setLevel(logging.WARNING)  # it tells where its credentials are from
    os.nice(NICE)
    parent = _Parent()
    parent.start()
    settings = load_settings()
    pending = Pending.below(settings.runs_root)
    pending.folder.mkdir(parents=True, exist_ok=True)
    with (pending.folder / ".lock").open("a") as lock:
        while not _locked(lock.fileno()):  # another worker of this machine uploads, also what is of this one
            if parent.finish.wait(LOOK):
                return
        try:
            _upload(settings, parent.finish)
        except UsageError as error:
            log.error("nothing can be uploaded: %s", error)
            sys.exit(error.exit_code)


def _upload(settings: Settings, finish: threading.Event) -> None:
    uploader, wait = None, FIRST_WAIT
    while True:
        try:
            uploader = uploader or _connect(settings)
            more = uploader.once()
            if wait > FIRST_WAIT:
                log.info("the remote folder answers again")
            wait = FIRST_WAIT
        except RemoteUnreachable as error:
            if wait == FIRST_WAIT:  # said once an outage
                log.warning("%s; trainings go on, uploads are tried again", error.message)
            if finish.is_set():
                return
            finish.wait(wait * (0.5 + random.random() / 2))
            wait = min(2 * wait, LONGEST_WAIT)
            continue
        if more:
            continue
        if finish.is_set():
            return
        finish.wait(LOOK)


def _connect(settings: Settings) -> Uploader:
    remote = RemoteFolder.open(settings.remote)
    root_id = remote_root_id(settings.remote, settings.runs_root)
    if not remote.creates_alone(ROOT_ID):
        log.warning("%s has no conditional writes: names alone keep attempts apart", settings.remote)
    return Uploader(settings, remote, root_id, Store(Connection(settings)))


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    try:
        main()
    except SrqueueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
