"""Finding the checkpoint that an attempt goes on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from srqueue.errors import CheckpointError, SpecError
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from workers.trainer.checkpoint import Manifest, read, set_aside
from workers.trainer.data.decode import DataMissing


@dataclass(frozen=True)
class Restored:
    """A verified checkpoint."""

    name: CheckpointName
    manifest: Manifest
    tensors: dict[str, Tensor]


def restore(
    run: RunDir,
    attempt: AttemptDir,
    spec_id: str,
    data: dict[str, str | None],
    tell: Callable[[str], object],
) -> Restored | None:
    """The checkpoint that attempt.json names, or the nearest whole one before it; None for a fresh start.

    Damaged ones and another job's are set aside, those that cannot be read now are passed over, which `tell`
    gets a sentence about. Raises CheckpointError where one was named and none is whole: a run that has been
    saved never starts from 0. SpecError and DataMissing where all are of another spec, or it is of other
    pictures.
    """
    _sweep(run, attempt.token)
    named = attempt.read().get("resume")
    if not named:
        return None
    wanted = CheckpointName.parse(named)
    if wanted is None:
        raise CheckpointError(f"{named!r} is no checkpoint's name", where=str(attempt.attempt_file))
    foreign: list[CheckpointName] = []
    for name in reversed(run.checkpoint_names()):
        if name.token > attempt.token or name.order > wanted.order:
            continue
        folder = run.checkpoints / str(name)
        try:
            manifest, tensors = read(folder)
        except CheckpointError as error:
            aside = set_aside(folder)
            tell(f"checkpoint {name} is damaged ({error.message}); set aside as {aside.name}")
            continue
        except OSError as error:  # it may well be whole: it stays where it is
            tell(f"checkpoint {name} cannot be read now ({error.strerror}); one before it is taken")
            continue
        if manifest.spec_id != spec_id:
            foreign.append(name)
            continue
        _check_data(manifest, data)
        for other in foreign:  # only now: where all are, it is the spec that is another
            aside = set_aside(run.checkpoints / str(other))
            tell(f"checkpoint {other} is of another job's spec; set aside as {aside.name}")
        return Restored(name, manifest, tensors)
    if foreign:
        raise SpecError("the checkpoint is of another spec", where=str(foreign[0]))
    raise CheckpointError(
        f"the attempt should go on from {named}, and no whole checkpoint is left",
        where=str(run.checkpoints),
        hint="bring the folder back, or submit the job again (srqueue submit --again)",
    )


def _check_data(manifest: Manifest, data: dict[str, str | None]) -> None:
    if manifest.data != data:
        raise DataMissing(
            "the pictures are not those that the checkpoint was trained on",
            where=manifest.name,
            hint="bring the data set back as it was",
        )


def _sweep(run: RunDir, token: int) -> None:
    """Removes what killed attempts left half-written; the run's lock is ours, so nobody writes there now."""
    for litter in run.checkpoints.glob("tmp-*"):
        shutil.rmtree(litter, ignore_errors=True)
    # Of this attempt none: its supervisor may be writing there.
    earlier = [other.path for other in run.attempts() if other.token < token]
    for folder in (run.path, run.export, *earlier):
        for file in folder.glob(".*.tmp"):
            file.unlink(missing_ok=True)
