"""Names of the objects below a remote folder: every one comes from here.

root_id                                        the id of this remote folder, as that of a runs root
jobs/<id>/{spec.json, job.json, removed}
jobs/<id>/attempts/<token>/{attempt.json, spec.resolved.json, start.json, outcome.json, events.<k>}
jobs/<id>/start/<sha256>.safetensors
jobs/<id>/checkpoints/<name>/{state-<sha256>.safetensors, manifest.json, damaged}
jobs/<id>/results/<token>/{results.json, ...}

What lies under a token is written by its holder alone. A payload is named by its content and a manifest is
only ever created, so who has lost his job can replace nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from srqueue.run.folder import CheckpointName

ROOT_ID = "root_id"
JOBS = "jobs"
MANIFEST = "manifest.json"
DAMAGED = "damaged"
RESULTS = "results.json"
EVENTS_BYTES = 1 << 20
"""Bytes of an attempt's events in one object: only the last of them is written again."""


@dataclass(frozen=True)
class JobNames:
    """The names of one job."""

    job_id: str

    @property
    def folder(self) -> str:
        return f"{JOBS}/{self.job_id}"

    @property
    def spec(self) -> str:
        return f"{self.folder}/spec.json"

    @property
    def card(self) -> str:
        return f"{self.folder}/job.json"

    @property
    def removed(self) -> str:
        """There where the job was removed from the queue and its files were kept."""
        return f"{self.folder}/removed"

    def attempt(self, token: int, file: str) -> str:
        return f"{self.folder}/attempts/{token}/{file}"

    def events(self, token: int, part: int) -> str:
        return self.attempt(token, f"events.{part:05d}")

    def start(self, sha256: str) -> str:
        return f"{self.folder}/start/{sha256}.safetensors"

    def checkpoint(self, name: CheckpointName, file: str = "") -> str:
        return f"{self.folder}/checkpoints/{name}/{file}".rstrip("/")

    def payload(self, name: CheckpointName, sha256: str) -> str:
        return self.checkpoint(name, f"state-{sha256}.safetensors")

    def result(self, token: int, file: str) -> str:
        return f"{self.folder}/results/{token}/{file}"
