"""The campaigns that come with srqueue."""

from __future__ import annotations

from pathlib import Path

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.presets import presets_folder


def find(given: str) -> Path:
    """A campaign file: a path, or the name of one that comes with srqueue. Raises SpecError."""
    path = Path(given).expanduser()
    if path.is_file():
        return path
    if given in shipped():
        return shipped_file(given)
    known = [*shipped(), *(str(p) for p in sorted(path.parent.glob("*.yaml"))[:100])]
    raise SpecError(f"there is no campaign file {given!r}", hint=did_you_mean(given, known))


def shipped_file(name: str) -> Path:
    """The file of one of them. Raises SpecError with did-you-mean."""
    if name not in shipped():
        raise SpecError(f"no campaign {name!r} comes with srqueue", hint=did_you_mean(name, shipped()))
    return _folder() / f"{name}.yaml"


def shipped() -> list[str]:
    """Their names, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def _folder() -> Path:
    return presets_folder() / "campaigns"
