"""From a run folder to the remote one: what an attempt has made, each checkpoint with its manifest last."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from srqueue.errors import ConflictError
from srqueue.remote.folder import RemoteFolder, unlimited
from srqueue.remote.layout import EVENTS_BYTES, MANIFEST, RESULTS, JobNames
from srqueue.remote.sealed import read_seal, sha256_of
from srqueue.remote.there import There
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir

_PAYLOAD = "state.safetensors"
_OF_THIS_MACHINE = ("trainer", "supervisor_pid", "device_lock", "more_locks", "listings", "bank")
"""Of attempt.json: they mean nothing elsewhere, or something else."""


MOST_BESIDE = 256 << 20
"""Bytes that a job's results may have beside its model: what no longer fits is left out."""


class Replaced(ConflictError):
    """Another has written a checkpoint of this name: this attempt is not the job's any more."""


class Pusher:
    """What one attempt uploads. It remembers what is there, so a repeated call costs nothing.

    All methods raise RemoteUnreachable, or OSError where the run folder cannot be read. `took`: called with
    the bytes of each block, and may wait.
    """

    def __init__(
        self, remote: RemoteFolder, run: RunDir, token: int, there: There,
        took: Callable[[int], None] = unlimited,
    ) -> None:  # fmt: skip
        self._remote = remote
        self._run = run
        self._token = token
        self._took = took
        self._names = JobNames(run.job_id)
        self._attempt = run.attempt(token)
        self._known: dict[str, str] = {}  # name -> SHA-256 of what was written
        self._found = there
        self._sent = {t: _events_of(there, t) for t in there.attempts}  # bytes of events, by token
        self.there = set(there.checkpoints)

    def card(self) -> None:
        """What is needed to know the job and to begin it elsewhere: spec, card, what the attempt was told."""
        if self._run.spec_file.is_file() and self._names.spec not in self._known:
            data = self._run.spec_file.read_bytes()
            self._remote.create(self._names.spec, data)
            self._known[self._names.spec] = ""
        self._send(self._run.card_file, self._names.card)
        if noted := {k: v for k, v in self._attempt.read().items() if k not in _OF_THIS_MACHINE}:
            self._write(
                self._names.attempt(self._token, "attempt.json"), json.dumps(noted, indent=2).encode() + b"\n"
            )
        self._send(self._run.resolved_file, self._names.attempt(self._token, "spec.resolved.json"))
        start = self._names.attempt(self._token, "start.json")
        if start not in self._known and self._run.start_file.is_file() and self._run.start_model.is_file():
            name = self._names.start(sha256_of(self._run.start_model))
            if self._remote.size(name) != self._run.start_model.stat().st_size:
                self._remote.upload(self._run.start_model, name, self._took)
            self._send(self._run.start_file, start)

    def checkpoint(self, name: CheckpointName) -> None:
        """Payload first, manifest last, and before them the events that belong to it.

        Raises Replaced where another checkpoint of that name is there; FileNotFoundError where it has been
        pruned meanwhile; CheckpointError where its manifest is damaged.
        """
        if name in self.there:
            return
        folder = self._run.checkpoints / str(name)
        manifest = (folder / MANIFEST).read_bytes()
        seal = read_seal(manifest, str(name))
        self.card()
        self.events()
        payload = self._names.payload(name, seal.sha256)
        if self._remote.size(payload) != seal.bytes:
            self._remote.upload(folder / _PAYLOAD, payload, self._took)
        if not self._remote.create(self._names.checkpoint(name, MANIFEST), manifest):
            theirs = self._remote.read(self._names.checkpoint(name, MANIFEST))
            if theirs != manifest:
                raise Replaced(f"another checkpoint {name} is there", where=self._remote.url)
        self.there.add(name)

    def events(self) -> None:
        """The events so far, also of earlier attempts where more of them is here: objects of 1 MiB each, of
        which only the last is written again."""
        for attempt in self._run.attempts():
            if attempt.token <= self._token:
                with contextlib.suppress(FileNotFoundError):
                    self._events(attempt)

    def _events(self, attempt: AttemptDir) -> None:
        sent = self._sent.get(attempt.token, 0)
        part = sent // EVENTS_BYTES
        with attempt.events_file.open("rb") as file:
            if file.seek(0, 2) <= sent:
                return
            file.seek(part * EVENTS_BYTES)
            while data := file.read(EVENTS_BYTES):
                self._remote.write(self._names.events(attempt.token, part), data)
                self._took(len(data))
                self._sent[attempt.token] = part * EVENTS_BYTES + len(data)
                part += 1

    def outcomes(self) -> None:
        """Why attempts ended, with all of their events."""
        self.card()
        self.events()
        for attempt in self._run.attempts():
            name = self._names.attempt(attempt.token, "outcome.json")
            if attempt.token <= self._token and name not in self._found.sizes:
                self._send(attempt.outcome_file, name)

    def results(self) -> None:
        """Model, pictures, report, forecasts: each file, then the list of them with their SHA-256s."""
        listed = {}
        for file in _results_of(self._run):
            inside = file.relative_to(self._run.path).as_posix()
            digest = sha256_of(file)
            listed[inside] = {"bytes": file.stat().st_size, "sha256": digest}
            self._remote.upload(file, self._names.result(self._token, inside), self._took)
        if listed:
            text = json.dumps({"v": 1, "files": listed}, indent=1).encode()
            self._remote.write(self._names.result(self._token, RESULTS), text)

    def prune(self) -> list[CheckpointName]:
        """Removes checkpoints that the trainer has removed here; those of the two highest places always stay.

        Only for the holder of the job's token. Each manifest goes first: what is left of it is no checkpoint.
        """
        here = set(self._run.checkpoint_names())
        found = sorted(
            (
                name
                for folder in self._remote.folders(f"{self._names.folder}/checkpoints")
                if (name := CheckpointName.parse(folder))
            ),
            key=lambda name: name.order,
        )
        gone = [n for n in found[:-2] if n not in here and n.token <= self._token]
        for name in gone:
            self._remote.remove([self._names.checkpoint(name, MANIFEST)])
            self._remote.remove(self._remote.names(self._names.checkpoint(name)))
            self.there.discard(name)
        return gone

    def _send(self, file: Path, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._write(name, file.read_bytes())

    def _write(self, name: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if self._known.get(name) != digest:
            self._remote.write(name, data)
            self._known[name] = digest


def _events_of(there: There, token: int) -> int:
    files = [file for file in there.attempts[token] if file.startswith("events.")]
    return sum(there.sizes[there.names.attempt(token, file)] for file in files)


def _results_of(run: RunDir) -> list[Path]:
    """What `srqueue pull` brings: the model with its figures, then, as far as it is not too much, what a
    report or `explain` reads of a run folder elsewhere. Checkpoints are no part of it."""
    files = [p for p in sorted(run.export.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    beside = [run.report, run.forecasts_file, run.spec_file, run.resolved_file, run.card_file]
    for attempt in run.attempts():
        beside += [attempt.outcome_file, attempt.events_file, attempt.log_file]
    for folder in (run.pictures, run.tensorboard):
        beside += [
            p for p in sorted(folder.rglob("*")) if not any(part.startswith(".") for part in p.parts[-2:])
        ]
    room = MOST_BESIDE
    for file in beside:
        if file.is_file() and not file.is_symlink() and (size := file.stat().st_size) <= room:
            files.append(file)
            room -= size
    return files
