"""Whether pairs on disk are of the scale that a spec asks for."""

from __future__ import annotations

from srqueue.datasets.registry import Registry
from srqueue.errors import SpecError
from srqueue.spec.job import JobSpec


def check_scales(registry: Registry, spec: JobSpec) -> None:
    """Compares a spec's scale with the LR folders of its data sets, where these are registered here.

    Raises SpecError that names the data sets and their scales. LR that is made from HR fits any scale.
    """
    train, val = spec.datasets.train, spec.datasets.val
    used = {train.name: train.identity}
    if val is not None and spec.val.val_enabled and val.name != train.name:
        used[val.name] = val.identity
    wrong = [
        f"{name!r} x{entry.scale}"
        for name, identity in used.items()
        if (entry := registry.find(name)) is not None
        and identity in (None, entry.identity)
        and entry.lr_roots
        and entry.scale not in (None, spec.scale)
    ]
    if wrong:
        raise SpecError(
            f"the spec asks for x{spec.scale}, and the pairs on disk are of {' and '.join(wrong)}",
            where="scale",
            hint="set scale to that of the pairs, or add the HR folder alone under another name: its LR then "
            "fits any scale",
        )
