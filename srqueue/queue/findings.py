"""What this machine says of an expanded spec before it is queued: of its pictures and files."""

from __future__ import annotations

from dataclasses import replace

from srqueue.datasets import Registry, check_crop, check_scales, check_validation, degradation_notes
from srqueue.datasets.glance import glance
from srqueue.errors import DataError
from srqueue.queue.contents import pinned
from srqueue.queue.places import notes
from srqueue.queue.weights import check_weights
from srqueue.settings import Settings
from srqueue.spec.expand import Expanded
from srqueue.spec.job import JobSpec


def with_findings(settings: Settings, expanded: Expanded) -> Expanded:
    """`expanded` with what this machine says of its pictures and files, their content included.

    Raises DataError where a data set holds other pictures than the spec names, or trains on what it validates
    on; SpecError where its crop, its scale, a name or a path do not fit what is here.
    """
    registry = Registry(settings)
    expanded = pinned(registry, expanded)
    spec = expanded.spec
    train = spec.datasets.train
    entry = registry.find(train.name)
    notices = list(expanded.notices)
    check_scales(registry, spec)
    if entry is None:
        notices.append(f"the data set {train.name!r} is not on this machine: it must be on the worker's")
    else:
        _same_pictures(train.identity, entry.identity, train.name)
        check_validation(registry, spec)
        notices.append(check_crop(registry, entry, train.lq_size, spec.scale) or "")
        notices += _glances(registry, spec)
    notices += degradation_notes(registry, spec)
    notices += notes(spec) + check_weights(spec)
    return replace(expanded, notices=tuple(filter(None, notices)))


def _glances(registry: Registry, spec: JobSpec) -> list[str]:
    """What a look at the files of both data sets says, where they are the ones that the spec names."""
    used = {spec.datasets.train.name: spec.datasets.train.identity}
    if (val := spec.datasets.val) is not None and spec.val.val_enabled:
        used.setdefault(val.name, val.identity)
    entries = [
        entry
        for name, identity in used.items()
        if (entry := registry.find(name)) is not None and identity in (None, entry.identity)
    ]
    return [told for entry in entries for told in glance(registry, entry)]


def _same_pictures(named: str | None, here: str, dataset: str) -> None:
    if named not in (None, here):
        raise DataError(
            f"the data set {dataset!r} holds other pictures by now than the spec names "
            f"({here[:12]} instead of {str(named)[:12]})",
            hint=f"bring the same pictures back, or submit it anew for {dataset} as it is",
        )
