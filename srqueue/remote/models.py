"""The model that a job has left in the remote folder, for another job that begins with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from srqueue.errors import DataError
from srqueue.remote.folder import RemoteFolder, unlimited
from srqueue.remote.pulling import Listed, bring, newest_results
from srqueue.run.parsing import from_json

LARGEST_MODEL = 8 << 30
"""Bytes. What claims more is not brought."""
_LARGEST_FIGURES = 16 << 20
_FIGURES = "export/metrics.json"


def bring_model(
    remote: RemoteFolder, job_id: str, to: Path, took: Callable[[int], None] = unlimited
) -> Listed:
    """Brings the model that the job's newest results name to the file `to`; it has that name once it is whole
    and verified. Raises DataError where there is none (yet), or it does not hold; RemoteUnreachable; OSError.
    """
    name_of, files = newest_results(remote, job_id)
    models = {file.path: file for file in files if file.path.endswith(".safetensors")}
    models = {path: file for path, file in models.items() if path.startswith("export/")}
    figures = next((f for f in files if f.path == _FIGURES and f.bytes <= _LARGEST_FIGURES), None)
    named = _named(remote.read(name_of(_FIGURES))) if figures else None
    if named is not None and f"export/{named}" in models:
        model = models[f"export/{named}"]
    elif models:
        model = models[min(models)]
    else:
        raise DataError(f"job {job_id} has left no model in the remote folder", where=remote.url)
    if model.bytes > LARGEST_MODEL:
        raise DataError(f"its model has {model.bytes:,} bytes, more than any of ours", where=remote.url)
    bring(remote, name_of(model.path), Listed(to.name, model.bytes, model.sha256), to.parent, took)
    return model


def _named(text: bytes) -> str | None:
    """The name of the model's file, as the export noted it."""
    try:
        value: Any = from_json(text)
    except ValueError:
        return None
    named = value.get("model") if isinstance(value, dict) else None
    return PurePosixPath(named).name if isinstance(named, str) else None
