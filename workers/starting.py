"""The model that a job begins with where it is that of the best of other jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from srqueue.run.atomic import read_object, write_file, write_json
from srqueue.run.confined import confined_run, is_job_id
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.spec.job import JobSpec
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

BEST = "best/psnr"
"""The metric of a record that tells which model is the best, dB."""


class NoModel(Exception):
    """None that it could begin with is here, in words."""


def take_model(
    store: Store, spec: JobSpec, run: RunDir, remote_id: str | None = None,
    bring: Callable[[JobRecord], str] | None = None,
) -> None:  # fmt: skip
    """Copies the best model of `path.pretrain_jobs` into the run folder, once; then it is decided for good.

    `bring`: brings one that is not on this machine from the remote folder of the id `remote_id` to
    `run.start_model`, and says its SHA-256. Raises NoModel where one of these jobs has not ended, none
    succeeded, or its model cannot be had here; ServiceUnreachable; OSError where it cannot be written.
    """
    if not spec.path.pretrain_jobs or run.start_file.is_file():
        return
    records = store.many(spec.path.pretrain_jobs)
    for record in records:
        if not (record.state.final or record.stopped):
            raise NoModel(
                f"job {record.short_id} ({record.name}), whose model it may begin with, has not ended"
            )
    won = [record for record in records if record.state is JobState.SUCCEEDED]
    if not won:
        raise NoModel("none of the jobs whose model it begins with succeeded")
    best = max(won, key=lambda record: (_figure(record), record.id))
    if why := store.keyring.wrong_with_job(best, best.signature):
        raise NoModel(f"the model of job {best.short_id} ({best.name}) is not taken: {why}")
    try:
        sha256 = _copied(best, run)
    except NoModel:
        if bring is None or best.root_id is None or best.root_id != remote_id or not is_job_id(best.id):
            raise
        sha256 = bring(best)
    figure = best.metrics.get(BEST)  # none where it was not validated
    told = {"job": best.id, "name": best.name, "psnr": figure, "sha256": sha256}
    write_json(run.start_file, told)


def _copied(best: JobRecord, run: RunDir) -> str:
    model = _model(best)
    try:
        data = model.read_bytes()
    except OSError as error:
        raise NoModel(f"the model of job {best.short_id} cannot be read: {error.strerror}: {model}") from None
    write_file(run.start_model, data)
    return hashlib.sha256(data).hexdigest()


def _figure(record: JobRecord) -> float:
    value = record.metrics.get(BEST)
    return float(value) if isinstance(value, int | float) else float("-inf")


def _model(record: JobRecord) -> Path:
    run = confined_run(record.id, record.run_dir, record.root_id)
    if run is None:
        raise NoModel(
            f"the model of job {record.short_id} ({record.name}) is on {record.host}, in {record.run_dir}, "
            "and not to be seen from here"
        )
    named = read_object(run.export / "metrics.json").get("model")
    if isinstance(named, str):
        return run.export / Path(named).name
    found = sorted(run.export.glob("*.safetensors"))
    if not found:
        raise NoModel(f"job {record.short_id} ({record.name}) has left no model in {run.export}")
    return found[0]
