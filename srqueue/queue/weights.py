"""What a file of weights on this machine says of itself, read without torch: its header is JSON."""

from __future__ import annotations

import json
from pathlib import Path

from srqueue.queue.places import here
from srqueue.spec.job import JobSpec
from srqueue.spec.kinship import check_kin

_LARGEST_HEADER = 100_000_000
"""Bytes; what the safetensors library reads at the most."""


def check_weights(spec: JobSpec) -> list[str]:
    """Sentences about the weights that a spec starts from, as the worker will tell them.

    Raises SpecError where the file says that it belongs to another network. A file that is not here, or that
    cannot be read as safetensors, is left to the worker.
    """
    given = spec.path.pretrain_network_g
    file = here(given) if given else None
    metadata = metadata_of(file) if file else None
    if metadata is None:
        return []
    where = f"path.pretrain_network_g: {file}"
    return check_kin(metadata, spec.network_g, spec.scale, spec.path.strict_load_g, where)


def metadata_of(file: Path) -> dict[str, str] | None:
    """The metadata of a safetensors file, empty where it has none; None where it is no such file."""
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= _LARGEST_HEADER:
                return None
            header = json.loads(opened.read(length))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(header, dict):
        return None
    metadata = header.get("__metadata__", {})
    whole = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    return metadata if whole else None
