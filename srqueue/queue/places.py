"""Files and folders that a spec names by path: the same ones for a worker that starts in another folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from srqueue.errors import SpecError
from srqueue.run.folder import RunDir
from srqueue.spec.expand import Expanded
from srqueue.spec.job import JobSpec

_KEYS = ("pretrain_network_g", "resume_from")
_CALLED = "a checkpoint is a folder such as RUN/checkpoints/ckpt-000003-it1500-t1"


def made_absolute(expanded: Expanded) -> Expanded:
    """`expanded` with absolute paths of what is here by a relative one, or by one with `~`.

    What is not on this machine stays as it is: it may be on the worker's.
    """
    paths, origins = {}, dict(expanded.origins)
    for name in _KEYS:
        key, given = f"path.{name}", getattr(expanded.spec.path, name)
        if not given:
            continue
        found = here(given)
        if found is not None and str(found) != given and not Path(given).is_absolute():
            paths[name] = str(found)
            origin = origins.get(key)
            origins[key] = f"{origin}, made absolute" if origin else "made absolute"
    if not paths:
        return expanded
    path = expanded.spec.path.model_copy(update=paths)
    return replace(expanded, spec=expanded.spec.model_copy(update={"path": path}), origins=origins)


def here(path: str) -> Path | None:
    """The absolute path of a file or folder; None where there is none on this machine, or none to be seen."""
    try:
        found = Path(path).expanduser().absolute()
        return found if found.exists() else None
    except (OSError, RuntimeError):  # no permission, too long a name; nobody's home
        return None


def check_start(spec: JobSpec, *, only_here: bool = False) -> None:
    """Raises SpecError where what a spec begins with is here, but is no such thing; nothing of it is read.

    `only_here`: no other machine will run it, so what is not here is an error too.
    """
    for name, wanted in (("pretrain_network_g", "file of weights"), ("resume_from", "checkpoint folder")):
        key, given = f"path.{name}", getattr(spec.path, name)
        if not given:
            continue
        found = here(given)
        if found is None:
            if only_here:
                raise SpecError(f"there is no {wanted} {given}", where=key)
        elif name == "resume_from" and here(str(found / "manifest.json")) is None:
            raise SpecError(f"{given} is no checkpoint folder", where=key, hint=_instead(found))
        elif name == "pretrain_network_g" and found.is_dir():
            raise SpecError(f"{given} is a folder", where=key, hint="name the .safetensors file in it")


def _instead(folder: Path) -> str:
    """How checkpoints are called, or the newest of the run that was meant."""
    for run in (RunDir(folder), RunDir(folder.parent)):
        if here(str(run.checkpoints)) and (names := run.checkpoint_names()):
            return f"{_CALLED}; the newest of that run: {run.checkpoints / str(names[-1])}"
    return _CALLED


def notes(spec: JobSpec) -> list[str]:
    """What a user should know of paths that lead nowhere on this machine."""
    named = [(f"path.{name}", getattr(spec.path, name)) for name in _KEYS]
    return [
        f"{path} ({key}) is not on this machine: it must be on the worker's"
        for key, path in named
        if path and here(path) is None
    ]
