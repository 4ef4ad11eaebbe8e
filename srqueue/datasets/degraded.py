"""What degradations of the training crops leave out, in words."""

from __future__ import annotations

from srqueue.datasets.registry import Registry
from srqueue.spec.job import JobSpec


def degradation_notes(registry: Registry, spec: JobSpec) -> list[str]:
    """Sentences about LR that is not what the network is trained on; none where nothing is degraded."""
    train, val = spec.datasets.train, spec.datasets.val
    degraded = train.degradations
    notes = []
    entry = registry.find(train.name)
    if entry is not None and entry.lr_roots and degraded.before:
        notes.append(
            f"datasets.train.degradations.before makes LR anew from HR: the LR folder of {train.name!r} "
            "is not trained on; list the steps under `after` to keep it"
        )
    if val is not None and spec.val.val_enabled and (degraded.before or degraded.after):
        seen = registry.find(val.name)
        if seen is None:
            lr = f"the LR of {val.name!r} as it is, or on clean bicubic LR where it has none"
        elif seen.lr_roots:
            lr = f"the LR folder of {val.name!r} as it is"
        else:
            lr = "clean bicubic LR"
        notes.append(
            f"datasets.train.degradations change what is trained on only: validation measures on {lr}; "
            "for figures of degraded pictures, register pairs with such LR and name them in datasets.val.name"
        )
    return notes
