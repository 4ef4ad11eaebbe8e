"""From an expanded spec to a queued job: what submit, upgrade and extend have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srqueue.datasets import Registry
    from srqueue.settings import Settings
    from srqueue.spec.expand import Expanded
    from srqueue.spec.job import JobSpec


def with_findings(settings: Settings, expanded: Expanded) -> Expanded:
    """`expanded` with what this machine says of its pictures and files, their content included.

    Raises DataError where a data set holds other pictures than the spec names, or trains on what it validates
    on; SpecError where its crop, its scale, a name or a path do not fit what is here.
    """
    from srqueue.datasets import Registry, check_crop, check_scales, check_validation, degradation_notes
    from srqueue.queue.contents import pinned
    from srqueue.queue.places import notes
    from srqueue.queue.weights import check_weights

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


def queue(
    settings: Settings,
    expanded: Expanded,
    *,
    priority: int,
    again: bool,
    wait: bool,
    dry_run: bool,
    as_json: bool,
    campaign: str = "",
) -> None:
    """Queues a job and tells of it; with `dry_run` only prints the spec, with `wait` watches to the end."""
    from srqueue.cli.output import job_summary, print_json, say

    _warn(settings, expanded)
    if dry_run:
        print_spec(expanded, as_json)
        return

    from srqueue.queue.client import Client

    client = Client(settings)
    submitted = client.submit(expanded, priority=priority, again=again, campaign=campaign)
    job = submitted.job
    if as_json and not wait:
        print_json({"new": submitted.new, "job": job_summary(job)})
    elif submitted.new:
        say(f"queued {job.name}")
        print(job.id)
    else:
        joined = f", and belongs to campaign {campaign} now" if campaign else ""
        say(f"the same spec is there as {job.name} ({job.state}){joined}; queue it once more with --again")
        print(job.id)
    if wait:
        from srqueue.cli.live import watch_to_end

        watch_to_end(client.store, job.id, as_json)
    elif submitted.new and not as_json:
        say(f"watch it: srqueue watch {job.short_id}")


def print_spec(expanded: Expanded, as_json: bool) -> None:
    """Prints a spec with the origin of every value."""
    from srqueue.cli.output import print_json
    from srqueue.spec.job import spec_id
    from srqueue.spec.text import annotated_yaml

    spec = expanded.spec.model_dump(mode="json")
    if as_json:
        identity = spec_id(expanded.spec)
        print_json(
            {"spec_id": identity, "spec": spec, "origins": expanded.origins, "notices": expanded.notices}
        )
    else:
        print(annotated_yaml(spec, expanded.origins), end="")


def _glances(registry: Registry, spec: JobSpec) -> list[str]:
    """What a look at the files of both data sets says, where they are the ones that the spec names."""
    from srqueue.datasets.glance import glance

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
    from srqueue.errors import DataError

    if named not in (None, here):
        raise DataError(
            f"the data set {dataset!r} holds other pictures by now than the spec names "
            f"({here[:12]} instead of {str(named)[:12]})",
            hint=f"bring the same pictures back, or submit it anew for {dataset} as it is",
        )


def _warn(settings: Settings, expanded: Expanded) -> None:
    from srqueue.cli.output import say
    from srqueue.stack.folders import low_space

    for notice in (*expanded.notices, *_cpu_note(settings, expanded)):
        say(f"note: {notice}")
    # With a server of somebody else's the training most likely runs on another machine's disk.
    if settings.redis_url is None and (warning := low_space(settings)):
        say(f"warning: {warning}")


def _cpu_note(settings: Settings, expanded: Expanded) -> list[str]:
    """That a preset's crops are a GPU's, where a CPU of this machine will train."""
    from srqueue.gpus import find_gpu
    from srqueue.zero_config import CPU_CROP

    path = "datasets.train.lq_size"
    presets = expanded.origins.get(path, "").startswith("preset ")
    if not presets or expanded.spec.datasets.train.lq_size <= CPU_CROP or settings.redis_url is not None:
        return []
    if find_gpu(settings.device) is not None:
        return []
    return [
        f"no GPU on this machine: with --set {path}={CPU_CROP} a CPU makes several times the steps in the "
        "same time, which gained more in our short runs (`srqueue zero-config` sets it by itself)"
    ]
