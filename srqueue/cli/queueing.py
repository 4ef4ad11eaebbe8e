"""An expanded spec is queued and told of: what submit, upgrade and extend have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.spec.expand import Expanded


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
    act: str = "",
) -> None:
    """Queues a job and tells of it; with `dry_run` only prints the spec, with `wait` watches to the end.

    `act`: what the audit trail calls it where it is no plain submit.
    """
    from srqueue.cli.output import job_summary, print_json, say

    _warn(settings, expanded)
    if dry_run:
        print_spec(_settled(settings, expanded), as_json)
        return

    from srqueue.queue.client import Client
    from srqueue.store.acting import called

    client = Client(settings)
    with called(act):
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
        for told in submitted.differs:
            say(f"note: {told}")
        print(job.id)
    if wait:
        from srqueue.cli.live import watch_to_end

        watch_to_end(client.store, job.id, as_json)
    elif submitted.new and not as_json:
        say(f"watch it: srqueue watch {job.short_id}")


def _settled(settings: Settings, expanded: Expanded) -> Expanded:
    """As it would be queued; the queue is only asked where a stop rule names a job."""
    if not expanded.spec.stop:
        return expanded
    from srqueue.queue.placing import with_stops
    from srqueue.queue.stops import Settling
    from srqueue.spec.stop_rules import ReachRule
    from srqueue.store.store import Store

    names = any(isinstance(rule, ReachRule) and rule.job for rule in expanded.spec.stop)
    return with_stops(Settling(settings, Store.connect(settings) if names else None), expanded)


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
