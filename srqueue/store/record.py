"""What is stored about a job and about a worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srqueue.errors import ConflictError, ServiceUnreachable, UsageError
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.needs import NeedsSpec
from srqueue.store.offers import Offer, needs_from
from srqueue.store.packing import pack, unpack
from srqueue.store.schema import SCHEMA

DEVICE_CLASSES = ("any", "cpu", "cuda")
HIGHEST_PRIORITY = 9


class LeaseLost(ConflictError):
    """The job's token has grown or the job was ended: who holds the old token may write nothing more."""


class LeaseExpired(LeaseLost):
    """The lease ran out, but nobody has claimed the job since: `renew` takes it back."""


class SeveralJobs(UsageError):
    """A name, or the end of an id, means more than one job."""


class RecordGone(ServiceUnreachable):
    """Redis answers, but knows no such job or token: it has lost data. A healthy run goes on."""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One job as it stood when it was read. Times are UTC seconds."""

    id: str
    name: str
    state: JobState
    spec: dict[str, Any]
    origins: dict[str, str]
    spec_id: str
    priority: int  # 0 to 9, 9 first
    device_class: str  # any, cpu, cuda
    created: float
    updated: float
    started: float | None = None  # begin of the first attempt
    finished: float | None = None
    token: int = 0  # of the newest attempt
    owner: str | None = None  # worker that runs it
    host: str | None = None
    claimed: float | None = None  # when the newest attempt was claimed
    wish: str | None = None  # pause, cancel or preempt, not yet fulfilled; on a queued job: cancel
    seq: int | None = None  # newest published checkpoint
    iteration: int = 0  # of a job that does not run: what a checkpoint holds
    total_iter: int = 0
    progress: dict[str, Any] = field(default_factory=dict)  # newest it_s, eta_s, loss, lr, psnr, ...
    attempts: int = 0
    failures: int = 0  # attempts in a row that ended badly and without a new checkpoint
    reason: StopReason | None = None  # why the last attempt ended
    message: str | None = None
    root_id: str | None = None  # runs root that holds its folder, once there is one
    run_dir: str | None = None  # absolute path on the host, once there is one
    front: bool = False  # handed back: ready before others of its priority
    not_before: float | None = None
    left_until: float | None = None  # until then slower workers leave it to a faster one
    metrics: dict[str, Any] = field(default_factory=dict)
    preemptions: int = 0  # times it gave way to a job of higher priority
    yields: int = 0  # times it gave the machine back to its user, or its window closed
    yielded_s: float = 0.0  # what it waited for that, up to its newest attempt
    yields_to: str | None = None  # with the wish preempt: name, short id and priority of that job
    preempted_by: str | None = None  # id of the job that it gives way to, or gave way to last
    campaigns: tuple[str, ...] = ()  # names of the campaigns that it belongs to
    maker: str | None = None  # campaign that made it, `-` for none; unknown where it was recovered
    held_by: str | None = None  # campaign that has not let it begin yet
    after: tuple[str, ...] = ()  # what it waits for there: ids, and stage:<name>
    rungs: tuple[int, ...] = ()  # iterations at which a search compares it with others
    until: int | None = None  # the rung that it may train to; None: to its end
    schema: int = 1  # version of the records that made it (schema.py)
    stopped: bool = False  # at a rung, for good unless somebody resumes it
    signature: str | None = None  # of who submitted it, see signing.py
    remote_seq: int | None = None  # newest checkpoint in the remote folder, where a worker elsewhere goes on
    remote_iteration: int | None = None  # of that one
    user: str | None = None  # who submitted it; unknown of a job of the version before
    share: str | None = None  # campaign that shares with the user's others, where the submitter said so
    gpu_memory: int | None = None  # bytes of one GPU that it was said to need
    peak: int | None = None  # bytes that it was measured to need
    guess: int | None = None  # bytes that a job of its kind took before: what it is taken to need by default
    guess_off: bool = False  # no worker had so much, so that it may try with less
    needs: str | None = None  # what else its worker must have: parts of a lot, see offers
    lot: str = ""  # by all of these, who may claim it

    @property
    def wants(self) -> NeedsSpec:
        """What its worker must have, as it was asked for."""
        return needs_from(self.gpu_memory, self.needs)

    @property
    def guessed(self) -> int | None:
        """The guess, where it decides who may claim it; what was asked for or measured stands above."""
        return None if self.guess_off or self.gpu_memory or self.peak else self.guess

    @property
    def short_id(self) -> str:
        """The end of the id, enough to name the job on one machine."""
        return self.id[-6:].lower()

    @property
    def rests(self) -> bool:
        """Whether nothing more happens by itself: it has ended, is paused, or was stopped at a rung."""
        waits = self.reason is StopReason.RUNG and not self.stopped
        return self.state.final or (self.state is JobState.PAUSED and not waits)

    @property
    def worker(self) -> str | None:
        """Name of the worker that runs it: the owner without its process id."""
        return worker_of(self.owner) if self.owner else None

    @classmethod
    def from_hash(cls, raw: Mapping[str, str]) -> JobRecord:
        """Reads a record's hash; fields of other versions are left out, an empty text is None.

        Spec and origins are packed; the version before had them as plain JSON in fields of their own.
        """
        values = {key: _READ.get(key, str)(raw[key]) for key in _FIELDS if raw.get(key)}
        if packed := raw.get("packed"):
            values["spec"], values["origins"] = unpack(packed)
        return cls(**values)

    def to_hash(self) -> dict[str, str]:
        """What `from_hash` reads; what is None is left out."""
        values = {key: getattr(self, key) for key in _FIELDS if key not in ("spec", "origins")}
        flat = {key: _written(value) for key, value in values.items() if value is not None}
        return {**flat, "packed": pack(self.spec, self.origins)}


def worker_of(owner: str) -> str:
    """The name of the worker in `<name>:<process id>`."""
    name, _, process = owner.rpartition(":")
    return name or process


def _number(text: str) -> float:
    return float(text)


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


_READ: dict[str, Any] = {
    **dict.fromkeys(
        ("created", "updated", "started", "claimed", "finished", "not_before", "left_until", "yielded_s"),
        _number,
    ),
    **dict.fromkeys(
        (
            "priority",
            "token",
            "seq",
            "iteration",
            "total_iter",
            "attempts",
            "failures",
            "preemptions",
            "until",
            "yields",
            "schema",
            "remote_seq",
            "remote_iteration",
            "gpu_memory",
            "peak",
            "guess",
        ),
        int,
    ),
    **dict.fromkeys(("spec", "origins", "progress", "metrics"), json.loads),
    **dict.fromkeys(("campaigns", "after"), lambda text: tuple(text.split(","))),
    "rungs": lambda text: tuple(map(int, text.split(","))),
    "stopped": bool,
    "guess_off": bool,
    "front": lambda text: text == "1",  # 0 where it is not
    "state": JobState,
    "reason": StopReason,
}
_FIELDS = tuple(JobRecord.__dataclass_fields__)


@dataclass(frozen=True)
class Claim:
    """A worker's right to a job: every write carries the token."""

    record: JobRecord
    token: int


@dataclass(frozen=True)
class Owned:
    """A running job and its owner, `<worker>:<process id>`."""

    job_id: str
    token: int
    owner: str
    iteration: int


@dataclass(frozen=True)
class Bell:
    """A ready job that a worker should be woken for."""

    job_id: str
    device_class: str


@dataclass(frozen=True, kw_only=True)
class WorkerRecord:
    """One worker as it last announced itself."""

    name: str
    host: str
    pid: int
    classes: tuple[str, ...]
    device: str
    version: str
    since: float  # UTC s
    root_id: str | None = None  # of its runs root
    remote_id: str | None = None  # of its remote folder: run folders that it can bring here
    draining: str | None = None  # hand_over or finish: it takes no more jobs
    yielding: str | None = None  # why it takes no jobs for now: its user needs the machine
    slots: int = 1  # jobs at a time
    window: str = ""  # when it trains, by its own clock; empty: always
    schema: int = SCHEMA  # version of the records that it reads and writes
    offer: Offer | None = None  # what a job gets there; None: a worker of the version before
    speeds: dict[str, float] = field(default_factory=dict, hash=False)
    """Iterations a second by work that its device was measured to do, the newest first."""
    load: dict[str, Any] = field(default_factory=dict, hash=False)
    """How busy its machine is: `cpu` (percent of all cores), `memory_mib` [used, total], `gpus` (of each
    `name`, `util` in percent, `mib` [used, total], `watts`, `celsius`); empty where it does not tell."""

    @property
    def speed_text(self) -> str:
        """`12.3 it/s (compact x2, 16 crops of 48 px)`, the newest; empty where none is known."""
        return next((f"{rate:.3g} it/s ({work})" for work, rate in self.speeds.items()), "")

    @property
    def model(self) -> str:
        """Its device as the jobs that it trains name theirs; `device` is `cpu` whatever the processor."""
        return (self.offer.model if self.offer else "") or self.device

    @property
    def roots(self) -> tuple[str, ...]:
        """Ids of the roots whose run folders it can go on with."""
        return tuple(root for root in (self.remote_id, self.root_id) if root)

    @classmethod
    def from_hash(cls, raw: Mapping[str, str]) -> WorkerRecord:
        """Reads an announcement."""
        return cls(
            name=raw["name"], host=raw["host"], pid=int(raw["pid"]), device=raw["device"],
            version=raw["version"], since=float(raw["since"]),
            classes=tuple(raw["classes"].split(",")), root_id=raw.get("root_id") or None,
            remote_id=raw.get("remote_id") or None,
            draining=raw.get("draining") or None, yielding=raw.get("yielding") or None,
            slots=int(raw.get("slots") or 1), window=raw.get("window", ""),
            schema=int(raw.get("schema") or 1),
            offer=Offer.from_json(raw["offer"]) if raw.get("offer") else None,
            speeds=json.loads(raw.get("speeds") or "{}"), load=json.loads(raw.get("load") or "{}"),
        )  # fmt: skip

    def to_hash(self) -> dict[str, Any]:
        """What `from_hash` reads, but for the name."""
        return {
            "host": self.host, "pid": self.pid, "classes": ",".join(self.classes),
            "device": self.device, "version": self.version, "since": self.since,
            "root_id": self.root_id or "", "remote_id": self.remote_id or "",
            "draining": self.draining or "", "yielding": self.yielding or "",
            "slots": self.slots, "window": self.window,
            "offer": self.offer.to_json() if self.offer else "",
            "schema": self.schema,
            "speeds": json.dumps(self.speeds, separators=(",", ":")),
            "load": json.dumps(self.load, separators=(",", ":")),
        }  # fmt: skip


_NEXT = {
    JobState.HELD: "it waits and is looked at again by itself; you can resume, pause or cancel it",
    JobState.QUEUED: "you can pause or cancel it",
    JobState.RUNNING: "you can pause or cancel it",
    JobState.PAUSED: "you can resume, cancel or rm it",
    JobState.SUCCEEDED: "you can rm it, or submit it with --again",
    JobState.FAILED: "you can retry or rm it",
    JobState.CANCELLED: "you can retry or rm it",
}


def what_can_be_done(state: JobState) -> str:
    """A hint: the verbs that fit a state."""
    return _NEXT[state]
