"""Adds a data set to this machine's registry."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from srqueue.datasets.entry import DatasetEntry, read_entry
from srqueue.datasets.leaks import check_leak
from srqueue.datasets.names import first_five
from srqueue.datasets.registry import Registry
from srqueue.datasets.tools import run_tool, say_on_stderr
from srqueue.errors import ConflictError, UsageError
from srqueue.run.atomic import fsync_dir
from srqueue.run.folder import check_name
from srqueue.run.listing import Listing, thumbnails_file
from srqueue.settings import Settings

SAMPLE = "sample"
Folder = Path | str
_MEASURED = ("median_width", "median_height", "p5_side", "sharpness", "pair_psnr")


def add(
    settings: Settings,
    name: str,
    hr: Folder | Sequence[Folder],
    lr: Folder | Sequence[Folder] | None = None,
    scale: int | None = None,
    val: str | None = None,
    hold_out: Sequence[str] | None = None,
    licence: str | None = None,
    source: str | None = None,
    replace: bool = False,
    tell: Callable[[str], None] = say_on_stderr,
) -> DatasetEntry:
    """Looks at every picture under `hr` (and `lr`), writes the listing and registers it as `name`.

    Each may be several folders: then the first of `lr` belongs to the first of `hr`, and so on. Returns the
    stored entry; the old one, `added` included, where nothing changed. `val` names another data set to
    validate on; else exactly the pictures `hold_out` are held out, else 1 % (1 to 100) by a hash of the path.
    `tell` is warned of pairs that show different things, or are moved against each other, and of pictures
    that are nearly validated on. Pictures are never moved or changed. Raises UsageError, DataError (also
    where pictures of `val` would be trained on) or ConflictError.
    """
    registry = Registry(settings)
    before = registry.find(check_name(name, "a data set"))
    hr_roots, lr_roots = _folders(hr), _folders(lr)
    _check_folders(hr_roots, lr_roots)
    _check_arguments(registry, name, scale, val, hold_out)
    if before and not replace and (before.hr_roots, before.lr_roots) != (hr_roots, lr_roots):
        raise _taken(before)

    listing_file = registry.listing_file(name)
    listing_file.parent.mkdir(parents=True, exist_ok=True)
    staged = listing_file.with_name(f".{name}.{secrets.token_hex(6)}.json")
    request = {
        "name": name,
        "hr": hr_roots,
        "lr": lr_roots,
        "scale": scale,
        "hold_share": val is None,
        "hold_out": list(hold_out) if hold_out else None,
        "previous": str(listing_file),
        "out": str(staged),
        "val_listing": str(registry.listing_file(val)) if val else None,
    }
    try:
        found = run_tool("add", request, tell)
        _check_scales(registry, val, found["scale"])
        if val is not None:
            check_leak(Listing.read(staged), Listing.read(registry.listing_file(val)))
        same = before is not None and before.identity == found["identity"]
        raw = {
            "hr": hr_roots[0] if len(hr_roots) == 1 else hr_roots,
            "lr": (lr_roots[0] if len(lr_roots) == 1 else lr_roots) or None,
            "val": val,
            # Not said again about the same pictures: stays as it was said.
            "licence": before.licence if before and same and licence is None else licence,
            "source": before.source if before and same and source is None else source,
            "added": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **found,
        }
        entry = read_entry(name, raw, "workers.data_tools")
        if before and changed(entry, added=before.added) == before:
            entry = before
        elif before and _as_unmeasured(entry, before) == before:
            entry = changed(entry, added=before.added)  # the same, measured by an older version
        elif before and not replace:
            raise _taken(before)
        with registry.changing() as entries:
            if entries.get(name) != before:
                raise ConflictError(
                    f"data set {name!r} was changed by somebody else meanwhile", hint="add it again"
                )
            thumbnails_file(staged).replace(thumbnails_file(listing_file))
            staged.replace(listing_file)
            fsync_dir(listing_file.parent)
            entries[name] = entry
    finally:
        staged.unlink(missing_ok=True)
        thumbnails_file(staged).unlink(missing_ok=True)
    return entry


def add_sample(settings: Settings, tell: Callable[[str], None] = say_on_stderr) -> DatasetEntry:
    """Registers `sample`: CC0 and public-domain photographs out of scikit-image's wheel, without a download.

    They are written as PNG under the state folder; `astronaut` and `coffee` are held out. Doing it again
    mends what is missing. Raises UsageError where the user gave that name to pictures of his own.
    """
    folder = Path(os.path.realpath(settings.home / "datasets" / SAMPLE))
    before = Registry(settings).find(SAMPLE)
    if before and before.hr != str(folder):
        raise UsageError(
            f"{SAMPLE!r} already names other pictures",
            where=first_five(before.hr_roots),
            hint=f"srqueue dataset rm {SAMPLE}, and add them under another name",
        )
    made = run_tool("sample", {"folder": str(folder)}, tell)
    return add(
        settings,
        SAMPLE,
        folder,
        hold_out=made["hold_out"],
        licence=made["licence"],
        source=made["source"],
        replace=True,
        tell=tell,
    )


def _as_unmeasured(entry: DatasetEntry, before: DatasetEntry) -> DatasetEntry:
    """`entry` without what `before` does not know: older versions did not measure so much."""
    unknown: dict[str, Any] = {name: 0 for name in _MEASURED if not getattr(before, name)}
    return changed(entry, added=before.added, **unknown)


def _folders(given: Folder | Sequence[Folder] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return tuple(map(_absolute, [given] if isinstance(given, Path | str) else given))


def _check_folders(hr: tuple[str, ...], lr: tuple[str, ...]) -> None:
    """Raises UsageError where they do not fit together, or a picture would be found in two of them."""
    if not hr:
        raise UsageError("a data set needs a folder of originals", hint="give --hr FOLDER")
    if lr and len(lr) != len(hr):
        raise UsageError(
            f"there are {len(hr)} HR and {len(lr)} LR folders",
            hint="give as many --lr as --hr, in the same order, or none",
        )
    every = [Path(folder) for folder in (*hr, *lr)]
    for number, one in enumerate(every):
        for other in every[:number]:
            if one.is_relative_to(other) or other.is_relative_to(one):
                which = "the HR and the LR folder" if (number >= len(hr)) else "two folders"
                raise UsageError(
                    f"{which} are the same, or one lies inside the other",
                    where=first_five([str(other), str(one)]),
                    hint="put HR and LR pictures into two folders beside each other",
                )


def _absolute(folder: Path | str) -> str:
    """`folder` without links, so that a link that is turned elsewhere later changes no data set."""
    try:
        path = os.path.realpath(Path(folder).expanduser())
        path.encode()  # the registry is UTF-8 text; names of pictures inside may be any bytes
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the folder {str(folder)!r} cannot be used: {error}") from None
    return path


def _check_arguments(
    registry: Registry, name: str, scale: int | None, val: str | None, hold_out: Sequence[str] | None
) -> None:
    if scale is not None and scale not in (2, 3, 4):
        raise UsageError(f"the scale is 2, 3 or 4, not {scale}")
    for other in registry.names():
        # Listings are files named after the data set, and many file systems take a and A for one.
        if other != name and other.casefold() == name.casefold():
            raise UsageError(f"{name!r} differs from the data set {other!r} by upper and lower case only")
    if val is None:
        return
    if hold_out:
        raise UsageError("either validate on another data set or hold pictures out, not both")
    if val == name:
        raise UsageError(f"{name!r} cannot be validated on itself", hint="without --val a share is held out")
    _check_scales(registry, val, scale)


def _check_scales(registry: Registry, val: str | None, scale: int | None) -> None:
    fixed = registry.get(val).scale if val else None
    if fixed and scale and fixed != scale:
        raise UsageError(f"{val!r} is of scale {fixed}, this data set of scale {scale}")


def _taken(entry: DatasetEntry) -> UsageError:
    return UsageError(
        f"there is a data set {entry.name!r} already, with other pictures or settings",
        where=first_five(entry.hr_roots),
        hint="take another name, or replace it with --replace",
    )
