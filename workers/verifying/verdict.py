"""One spec, trained twice: straight, and ended over and over. Are the bits the same?"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing
from srqueue.spec.job import JobSpec
from srqueue.spec.variations import changed
from workers.trainer.commit_points import COMMIT_POINTS
from workers.verifying.attempts import Attempts, Faults
from workers.verifying.chain import chained, straight
from workers.verifying.digests import differing, digests


@dataclass(frozen=True)
class Verdict:
    """What the comparison of two runs of `name` found.

    `landed`: how the attempts were ended, each after a checkpoint of its own; `missed`: what was not tried,
    because the run was over; `differing`: what is not the same; `wrong`: what did not hold on the way.
    """

    name: str
    compared: int
    landed: tuple[str, ...]
    missed: tuple[str, ...]
    differing: tuple[str, ...]
    wrong: tuple[str, ...]
    iterations: int
    seconds: float

    @property
    def unlike(self) -> bool:
        """Whether something is not the same, or did not hold."""
        return bool(self.differing or self.wrong)

    @property
    def identical(self) -> bool:
        """Whether everything is the same, and every point of a commit was among the ends."""
        untried = [how for how in self.missed if how in COMMIT_POINTS]
        return not (self.unlike or untried) and bool(self.landed)


class Verifier:
    """Verifies specs in folders below `folder`, on the pictures of one listing."""

    def __init__(self, folder: Path, listing: Listing, device: str, seed: int) -> None:
        self._folder, self._listing, self._device, self._seed = folder, listing, device, seed

    def new(self, spec: JobSpec, name: str, faults: Faults | None = None) -> Attempts:
        """A fresh run of `spec` on the pictures that are at hand."""
        run = RunDir(self._folder / "runs" / name)
        shutil.rmtree(run.path, ignore_errors=True)
        run.create()
        known = {"name": self._listing.name, "identity": self._listing.identity}
        train = spec.datasets.train.model_dump(mode="json") | known
        spec = changed(spec, {"datasets.train": train, "datasets.val": known})
        run.spec_file.write_text(spec.model_dump_json())
        return Attempts(run, self._folder / "listing.json", self._device, faults)

    def verify(
        self, name: str, spec: JobSpec, points: Sequence[str] = COMMIT_POINTS, kills: int = 4, stops: int = 2
    ) -> Verdict:
        """Trains twice and compares. Raises SrqueueError where a run fails by itself."""
        begun = time.monotonic()
        folder = name.replace(" ", "-").replace("/", "-")
        plain, killed = self.new(spec, f"{folder}-straight"), self.new(spec, f"{folder}-killed")
        straight(plain)
        ended = chained(killed, points, kills, stops, self._seed)
        theirs, ours = digests(plain.run), digests(killed.run)
        return Verdict(
            name=name,
            compared=len(ours),
            landed=tuple(ended.landed),
            missed=tuple(ended.missed),
            differing=tuple(differing(ours, theirs)),
            wrong=tuple(ended.wrong),
            iterations=spec.train.total_iter,
            seconds=round(time.monotonic() - begun, 1),
        )
