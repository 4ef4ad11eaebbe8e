"""Validation pictures of one job: of its run folder where that is here, else the newest from the store."""

from __future__ import annotations

from typing import Any

from srqueue.errors import UsageError
from srqueue.monitor.backend import run_folder
from srqueue.monitor.refusals import NotThere
from srqueue.run.pictures import picture_file, read_pictures
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

_NONE = "no validation has left pictures yet"
_ONLY_NEWEST = "its run folder is on {host}: only the pictures of the newest validation are here"
_GONE = "its run folder is on {host}, and the store has no pictures of it (it keeps them for 7 days)"


def pictures(store: Store, record: JobRecord) -> dict[str, Any]:
    """Crops, iterations there are pictures of, and what is missing of them."""
    run = run_folder(record)
    if run is not None:
        found = read_pictures(run)
        if found is None:
            return {"crops": [], "iterations": [], "note": _NONE}
        return {"crops": _sizes(found.crops), "iterations": list(found.iterations), "note": None}
    stored = store.pictures(record.id)
    if stored is None:
        note = _GONE.format(host=record.host) if record.run_dir else _NONE
        return {"crops": [], "iterations": [], "note": note}
    note = _ONLY_NEWEST.format(host=record.host or "another machine")
    return {"crops": _sizes(stored.crops), "iterations": [stored.iteration], "note": note}


def picture(store: Store, record: JobRecord, crop: int, what: str) -> bytes:
    """One PNG. Raises NotThere."""
    run = run_folder(record)
    try:
        if run is not None:
            return picture_file(run, crop, what).read_bytes()
        stored = store.pictures(record.id)
        if stored is not None:
            key = "model" if what == str(stored.iteration) else what
            return stored.images[f"{crop}/{key}"]
    except (OSError, KeyError, UsageError):
        pass
    raise NotThere("there is no such picture", hint="it may have been thinned out; load the page again")


def _sizes(crops: Any) -> list[dict[str, Any]]:
    return [{"name": c.name, "height": c.height, "width": c.width} for c in crops]
