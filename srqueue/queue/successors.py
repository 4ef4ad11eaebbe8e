"""Jobs that begin where another one ended: `upgrade` starts warm from its model, `extend` goes on with it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from srqueue.datasets import Registry, stats_of
from srqueue.errors import CheckpointError, DataError, UsageError
from srqueue.queue.contents import sha256_of
from srqueue.queue.longer import rate_shares
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
from srqueue.spec.complete import complete
from srqueue.spec.derive import PictureStats
from srqueue.spec.expand import DatasetRef, Expanded, expand
from srqueue.spec.job import JobSpec
from srqueue.spec.needs import needs_text
from srqueue.spec.validate import validate
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of

Overrides = Sequence[tuple[str, Mapping[str, Any]]]

_LONGEST_NAME = 64
_CHECKPOINT_FILES = ("manifest.json", "state.safetensors")


def upgraded(
    record: JobRecord,
    registry: Registry,
    *,
    preset: str = "fidelity",
    overrides: Overrides = (),
    name: str | None = None,
) -> Expanded:
    """`preset` on the same data set and network, its weights those that `record` exported.

    A job that failed may have one too: what was best before it diverged. A notice says so. Raises UsageError
    where the job has not ended, has no model, or `overrides` name another network. Where its run folder is on
    another machine, or in a remote folder, whatever worker has the job takes the model; DataError where the
    folder was here and is gone.
    """
    before = _spec(record)
    path, model = _start(record)
    origin = f"job {record.short_id}"
    own = {
        "scale": before.scale,
        "manual_seed": before.manual_seed,
        "network_g": before.network_g.model_dump(mode="json"),
        "path": {**path, "strict_load_g": True, "resume_from": None},
        "needs": record.wants.model_dump(mode="json"),
    }
    expanded = expand(
        _dataset(before, registry),
        preset=preset,
        overrides=[(origin, own), *overrides],
        name=name or _shortened(record.name, f"_{preset}"),
    )
    after = expanded.spec
    if (after.network_g, after.scale) != (before.network_g, before.scale):
        raise UsageError(
            f"the model of job {record.short_id} is a {_network(before)}, the spec wants a {_network(after)}",
            hint="leave network_g and scale as they are, or begin anew: srqueue submit",
        )
    best = record.metrics.get("best/psnr")
    reached = f", {best:.2f} dB" if isinstance(best, int | float) else ""
    placed = f"its needs ({needs_text(after.needs)}), " if after.needs else ""
    told = (
        f"from {record.name} {record.short_id}: {_network(before)}, data set {before.datasets.train.name}, "
        f"seed {before.manual_seed}, {placed}and its weights{reached} ({model}); everything else is "
        f"{preset}'s"
    )
    return replace(expanded, notices=(told, *_failure_notice(record), *expanded.notices))


def extended(record: JobRecord, iterations: int, *, name: str | None = None) -> Expanded:
    """The same training, `iterations` longer, from the newest checkpoint of `record`.

    Where workers do not share its run folder it goes on where that is. Raises UsageError where the job has
    not ended; CheckpointError where it has no whole checkpoint; DataError where its run folder is not on this
    machine.
    """
    if iterations < 1:
        raise UsageError(f"{iterations} iterations more are none", where="--iterations")
    before = _spec(record)
    folder, at = _newest_checkpoint(record)
    total = at.iteration + iterations
    needs = record.wants.model_dump(mode="json")
    bound = record.remote_seq is not None
    if bound:
        needs["host"] = record.host or socket.gethostname()
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (
            f"job {record.short_id}",
            {"path": {"resume_from": str(folder), "pretrain_network_g": None}, "needs": needs},
        ),
        ("flag --iterations", {"train": {"total_iter": total}, "stop": []}),
    ]
    longer = complete(
        record.spec,
        f"job {record.short_id}",
        overrides=layers,
        origins=record.origins,
        name=name or _shortened(re.sub(r"_to\d+\Z", "", record.name), f"_to{total}"),
    )
    told = [f"goes on from {record.name} {record.short_id} at iteration {at.iteration}, to {total}"]
    if bound:
        told.append(f"on {needs['host']}, where its checkpoint is")
    if before.stop:
        told.append(f"without the stop rules of {record.short_id}: {', '.join(map(str, before.stop))}")
    if record.reason is StopReason.STOPPED_EARLY and not before.stop:
        told.append("early stopping had ended it; it watches on, and its patience begins anew")
    elif record.state is not JobState.SUCCEEDED:
        told.append(
            f"it was {record.state} at {at.iteration} of {before.train.total_iter}: srqueue retry "
            f"{record.short_id} would go on with the job itself"
        )
    return replace(longer, notices=(*told, *_rate_notice(before, longer.spec, at.iteration), *longer.notices))


def _failure_notice(record: JobRecord) -> list[str]:
    """That a job failed, and why, before its weights are built upon."""
    if record.state is not JobState.FAILED:
        return []
    why = CONSEQUENCES[record.reason].text if record.reason else "it is not known why"
    return [
        f"{record.name} {record.short_id} had failed: {why}; its weights are the best from before "
        f"(srqueue logs {record.short_id})"
    ]


def _rate_notice(before: JobSpec, after: JobSpec, iteration: int) -> list[str]:
    """What a longer schedule does to the rate at the joint."""
    was, now = rate_shares(before.train, after.train, iteration)
    lr = before.train.optim_g.lr
    if abs(was - now) <= 0.01 * max(was, now):
        return []
    return [
        f"the rate follows the longer {after.train.scheduler.type} schedule: it jumps from {lr * was:.3g} to "
        f"{lr * now:.3g} (times what the automations left of it)"
    ]


def _spec(record: JobRecord) -> JobSpec:
    return validate(record.spec, f"job {record.short_id}", record.origins)


def _ended(record: JobRecord, verb: str) -> None:
    if not record.state.final:
        raise UsageError(
            f"cannot {verb} job {record.short_id} ({record.name}): it is {record.state}",
            hint=f"wait for its end (srqueue watch {record.short_id}), or cancel it first",
        )


def _is_elsewhere(record: JobRecord) -> bool:
    """Whether its run folder is on another machine and not to be seen from here."""
    on = record.host not in (None, "", socket.gethostname())
    return on and record.run_dir is not None and run_of(record) is None


def _run(record: JobRecord) -> RunDir:
    """The job's run folder. Raises DataError where it is not on this machine."""
    run = run_of(record)
    if run is None:
        raise DataError(
            f"the run folder of job {record.short_id} is not on this machine",
            where=f"{record.host or '?'}:{record.run_dir or '?'}",
            hint="run this where it is, or bring the folder here under the same path",
        )
    return run


def _start(record: JobRecord) -> tuple[dict[str, Any], str]:
    """What of the `path` section names the model of a job, and where it is, in words."""
    _ended(record, "upgrade")
    away = record.remote_seq is not None or _is_elsewhere(record)
    if away and record.state is JobState.SUCCEEDED:
        told = f"which its worker takes from {record.host}:{record.run_dir} or a remote folder"
        return {"pretrain_network_g": None, "pretrain_sha256": None, "pretrain_jobs": [record.id]}, told
    model = _model(record)
    content = sha256_of(model)
    return {"pretrain_network_g": str(model), "pretrain_sha256": content, "pretrain_jobs": ()}, str(model)


def _model(record: JobRecord) -> Path:
    """The exported model. Raises UsageError where there is none."""
    failed = record.state is JobState.FAILED
    if failed and record.run_dir is None:
        raise _left_nothing(record)
    run = _run(record)
    try:
        noted = json.loads((run.export / "metrics.json").read_text())
        model = run.export / Path(str(noted["model"])).name
    except (OSError, ValueError, KeyError, TypeError):
        model = next(iter(sorted(run.export.glob("*.safetensors"))), run.export / "model.safetensors")
    if failed and not model.is_file():
        raise _left_nothing(record)
    if not model.is_file():
        raise UsageError(
            f"job {record.short_id} ({record.name}) has exported no model",
            where=str(model),
            hint="only a run that ended well, or was cancelled after a checkpoint, leaves one",
        )
    return model


def _left_nothing(record: JobRecord) -> UsageError:
    return UsageError(
        f"job {record.short_id} ({record.name}) has failed and left no model",
        hint=f"srqueue logs {record.short_id} says why; srqueue retry {record.short_id} tries again",
    )


def _newest_checkpoint(record: JobRecord) -> tuple[Path, CheckpointName]:
    """The newest checkpoint folder with all its files; the trainer checks their content."""
    _ended(record, "extend")
    run = _run(record)
    for name in reversed(run.checkpoint_names()):
        folder = run.checkpoints / str(name)
        if all((folder / file).is_file() for file in _CHECKPOINT_FILES):
            return folder, name
    raise CheckpointError(
        f"job {record.short_id} ({record.name}) has no whole checkpoint to go on from",
        where=str(run.checkpoints),
        hint=f"begin anew, or warm from its model: srqueue upgrade {record.short_id}",
    )


def _dataset(spec: JobSpec, registry: Registry) -> DatasetRef:
    """The data sets as the spec has them; what is known of the pictures where they are here."""
    train, val = spec.datasets.train, spec.datasets.val
    entry = registry.find(train.name)
    known = entry is not None and train.identity in (None, entry.identity)
    stats = stats_of(entry) if entry is not None and known else PictureStats()
    return DatasetRef(
        train.name,
        train.identity,
        val_name=val.name if val else None,
        val_identity=val.identity if val else None,
        stats=stats,
    )


def _network(spec: JobSpec) -> str:
    """`compact x2 (num_feat 32, num_conv 4)`."""
    arguments = ", ".join(f"{k} {v}" for k, v in spec.network_g if k != "type")
    return f"{spec.network_g.type} x{spec.scale}" + (f" ({arguments})" if arguments else "")


def _shortened(name: str, suffix: str) -> str:
    return name[: _LONGEST_NAME - len(suffix)] + suffix
