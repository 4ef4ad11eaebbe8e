"""`srqueue upgrade`: a longer preset, warm from a finished run's model."""

from __future__ import annotations

from srqueue.cli import options
from srqueue.cli.verbs import JobRef


def upgrade(
    job: JobRef,
    fidelity: options.Fidelity = False,
    max_fidelity: options.MaxFidelity = False,
    preset: options.Preset = None,
    changes: options.Set = None,
    config: options.Config = None,
    name: options.Name = None,
    priority: options.Priority = 5,
    again: options.Again = False,
    wait: options.Wait = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Queue a longer training that starts from a finished job's model; fidelity where nothing is said.

    Data set, network, scale and seed are the job's, everything else is the preset's.
    """
    from srqueue.cli.queueing import queue
    from srqueue.queue.client import Client
    from srqueue.queue.findings import with_findings
    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings

    chosen = options.one_preset({"fidelity": fidelity, "max-fidelity": max_fidelity}, preset, "fidelity")
    if name is not None:
        check_name(name, "a job")
    settings = load_settings()
    layers = options.overrides(config, changes)
    expanded = Client(settings).upgrade(job, chosen, overrides=layers, name=name)
    queue(
        settings,
        with_findings(settings, expanded),
        priority=priority,
        again=again,
        wait=wait,
        dry_run=dry_run,
        as_json=as_json,
        act=f"upgrade of {job}",
    )
