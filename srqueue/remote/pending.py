"""Which attempts of this machine still have something to upload: files below the runs root, so that neither a
worker's end nor the store's forgets one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from srqueue.run.atomic import read_object, write_json


@dataclass(frozen=True)
class Uploaded:
    """How far an attempt is uploaded. `seq`: its newest checkpoint there; `failing`: why it stands."""

    token: int
    seq: int | None = None
    failing: str | None = None


@dataclass(frozen=True)
class Pending:
    """The notes of one runs root: `<job id>.json` for each attempt, `<job id>.state` how far it is."""

    folder: Path

    @classmethod
    def below(cls, runs_root: Path) -> Pending:
        return cls(runs_root / "uploads")

    def add(self, job_id: str, token: int, root_id: str) -> None:
        """From now on what this attempt makes is uploaded."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self._file(job_id), {"token": token, "root_id": root_id})

    def all(self, root_id: str) -> Iterator[tuple[str, int]]:
        """(job id, token) of each that is for that remote folder."""
        for file in sorted(self.folder.glob("*.json")):
            noted = read_object(file)
            if noted.get("root_id") == root_id and isinstance(noted.get("token"), int):
                yield file.stem, noted["token"]

    def done(self, job_id: str, token: int) -> None:
        """Nothing more is to come of it, unless a later attempt has begun meanwhile."""
        if read_object(self._file(job_id)).get("token") == token:
            self._file(job_id).unlink(missing_ok=True)
            self._state(job_id).unlink(missing_ok=True)

    def note(self, job_id: str, state: Uploaded) -> None:
        """For the supervisor, which waits for it where the job goes elsewhere."""
        value = {"token": state.token, "seq": state.seq, "failing": state.failing}
        with contextlib.suppress(OSError):
            write_json(self._state(job_id), value, durable=False)

    def state(self, job_id: str, token: int) -> Uploaded:
        """How far it is."""
        noted = read_object(self._state(job_id))
        if noted.get("token") != token:
            return Uploaded(token)
        return Uploaded(token, noted.get("seq"), noted.get("failing"))

    def waits(self, job_id: str, token: int) -> bool:
        """Whether something of it may still be to come."""
        return read_object(self._file(job_id)).get("token") == token

    def _file(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def _state(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.state"
