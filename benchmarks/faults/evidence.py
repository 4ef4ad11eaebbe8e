"""What a run folder proves, read without the product's own verification."""

import fcntl
import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch

from srqueue.run.folder import CheckpointName, RunDir

NOT_COMPARED = ("seq", "seconds", "energy")
"""Of the state: the number of saves and the wall time are not the training's result."""


def whole(folder: Path) -> bool:
    """Whether a checkpoint's payload has the size and SHA-256 that its manifest says, and the name."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        payload = (folder / "state.safetensors").read_bytes()
    except (OSError, ValueError):
        return False
    digest = hashlib.sha256(payload).hexdigest()
    return (manifest["name"], manifest["bytes"], manifest["sha256"]) == (folder.name, len(payload), digest)


def whole_ones(run: RunDir) -> list[CheckpointName]:
    """Checkpoints that are whole, oldest first."""
    return [name for name in run.checkpoint_names() if whole(run.checkpoints / str(name))]


def differences(run: RunDir, twin: RunDir) -> tuple[int, list[str]]:
    """(tensors compared, what differs between a run and its undisturbed twin), in words."""
    found: list[str] = []
    ours, theirs = run.checkpoint_names()[-1], twin.checkpoint_names()[-1]
    if ours.iteration != theirs.iteration:
        found.append(f"ended at iteration {ours.iteration}, the twin at {theirs.iteration}")
    files = {
        "checkpoint": (
            run.checkpoints / str(ours) / "state.safetensors",
            twin.checkpoints / str(theirs) / "state.safetensors",
        ),
        "export": (_model(run), _model(twin)),
    }
    compared = 0
    for part, (own, other) in files.items():
        one, two = safetensors.torch.load_file(own), safetensors.torch.load_file(other)
        compared += len(two)
        found += [f"{part}: {k}" for k in sorted(one.keys() | two.keys()) if not _same(one, two, k)]
    one, two = _state(run, ours), _state(twin, theirs)
    found += [f"state: {k}" for k in sorted(one.keys() | two.keys()) if one.get(k) != two.get(k)]
    return compared, found


def same_validations(run: RunDir, twin: RunDir) -> bool:
    """Whether the histories of validations are equal, but for the seconds they took."""
    return _validations(run) == _validations(twin)


def history_faults(run: RunDir, print_freq: int, total: int, lines_lost: bool) -> list[str]:
    """What is wrong with the joined event lines: doubled, out of order, missing.

    `lines_lost`: the disk was full meanwhile, which loses lines and nothing else.
    """
    events = list(run.events())
    found = []
    for kind in ("train", "val"):
        its = [e.it for e in events if e.kind == kind]
        if doubled := [it for it, count in Counter(its).items() if count > 1]:
            found.append(f"{kind} events doubled at {doubled[:5]}")
        if its != sorted(its):
            found.append(f"{kind} events out of order")
    last = max((e.it for e in events), default=0)
    told = {e.it for e in events if e.kind == "train"}
    missing = [it for it in range(print_freq, min(last, total) + 1, print_freq) if it not in told]
    if missing and not lines_lost:
        found.append(f"train events missing at {missing[:5]}")
    seqs = [e.data["seq"] for e in events if e.kind == "checkpoint"]
    if any(b <= a for a, b in pairwise(seqs)):
        found.append(f"the numbers of checkpoints do not rise: {seqs}")
    return found


def litter(run: RunDir) -> list[str]:
    """What must not be left behind by a run that ended."""
    found = [f"half a checkpoint: {p.name}" for p in run.checkpoints.glob("tmp-*")]
    found += [f"temporary file: {p.name}" for p in run.path.rglob(".*.tmp")]
    if run.reserve_file.exists():
        found.append("the reserve file")
    if run.lock_file.exists():
        with run.lock_file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append("the run's lock is still held")
    return found


def _same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], key: str) -> bool:
    a, b = one.get(key), two.get(key)
    if a is None or b is None or a.dtype != b.dtype or a.shape != b.shape:
        return False
    return torch.equal(a.reshape(-1).view(torch.uint8), b.reshape(-1).view(torch.uint8))


def _model(run: RunDir) -> Path:
    return next(run.export.glob("*.safetensors"))


def _state(run: RunDir, name: CheckpointName) -> dict:
    state = json.loads((run.checkpoints / str(name) / "manifest.json").read_bytes())["state"]
    return {key: value for key, value in state.items() if key not in NOT_COMPARED}


def _validations(run: RunDir) -> list[tuple[int, dict]]:
    found = [(e.it, e.data) for e in run.events() if e.kind == "val"]
    return [(it, {k: v for k, v in told.items() if k != "seconds"}) for it, told in found]
