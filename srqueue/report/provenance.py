"""Where a result comes from: what one needs to get it again, and to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import srqueue
from srqueue.report.subject import Subject


def provenance(subject: Subject) -> list[tuple[str, str]]:
    """(what, value) of what is known; the rest is left out."""
    first = subject.fingerprints[0] if subject.fingerprints else {}
    rows = [
        ("job", subject.id),
        ("spec id", subject.spec_id),
        ("training data", _data(subject, "train")),
        ("validation data", _data(subject, "val")),
        ("seed", _text(subject.value("manual_seed"))),
        ("start", _start(subject)),
        ("machine", ", ".join(dict.fromkeys(t.where for t in subject.tries if t.where))),
        ("device", _text(first.get("device"))),
        ("torch", _text(first.get("torch"))),
        ("CUDA, cuDNN", _pair(first)),
        ("arithmetic", _arithmetic(first)),
        ("inference timed on", subject.scores.device if subject.scores else ""),
        ("attempts", _text(len(subject.tries) or None)),
        ("energy", _energy(subject)),
        ("report by", f"srqueue {srqueue.__version__}"),
    ]
    rows += [("changed arithmetic", told) for told in fingerprint_changes(subject)]
    return [(what, value) for what, value in rows if value]


def fingerprint_changes(subject: Subject) -> list[str]:
    """What of the numerics changed on the way: the last digits are then not those of an unbroken run."""
    found = []
    for marks in subject.fingerprints:
        changed = marks.get("changed")
        if isinstance(changed, Mapping) and changed:
            found.append(", ".join(f"{key} {_arrow(pair)}" for key, pair in changed.items()))
    return found


def _data(subject: Subject, part: str) -> str:
    name, identity = subject.value(f"datasets.{part}.name"), subject.value(f"datasets.{part}.identity")
    if not name:
        return ""
    share = ", its held-out share" if part == "val" and name == subject.value("datasets.train.name") else ""
    return f"{name}{share}, content {identity or 'unknown'}"


def _start(subject: Subject) -> str:
    for path in ("path.resume_from", "path.pretrain_network_g"):
        if subject.value(path):
            content = subject.value("path.pretrain_sha256")
            return f"{subject.value(path)}" + (f", SHA-256 {content}" if content else "")
    return "random weights"


def _energy(subject: Subject) -> str:
    """What its trainers told."""
    if subject.energy is None:
        return ""
    hours, trained = subject.energy.hours, subject.history.hours
    partly = not subject.energy.whole and hours < 0.95 * trained
    return subject.energy.text() + (f", in {hours:.2f} of {trained:.2f} hours" if partly else "")


def _pair(marks: Mapping[str, Any]) -> str:
    return f"{marks['cuda']}, {marks.get('cudnn') or '?'}" if marks.get("cuda") else ""


def _arithmetic(marks: Mapping[str, Any]) -> str:
    keys = (
        "precision",
        "instructions",
        "threads",
        "micro_batch",
        "channels_last",
        "compile",
        "mode",
        "devices",
    )
    return ", ".join(f"{key} {marks[key]}" for key in keys if marks.get(key) is not None)


def _arrow(pair: Any) -> str:
    return " -> ".join(map(str, pair)) if isinstance(pair, list) else str(pair)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
