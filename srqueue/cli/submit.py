"""`srqueue submit`: queue a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import complete, options

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.spec.expand import Expanded

Changes = Sequence[tuple[str, Mapping[str, Any]]]


def submit(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="A registered data set; with --spec it takes the place of the spec's.",
            autocompletion=complete.datasets,
        ),
    ] = None,
    convenience: Annotated[
        bool, typer.Option("--convenience", help="The default.", rich_help_panel=options.LEVELS)
    ] = False,
    fidelity: options.Fidelity = False,
    max_fidelity: options.MaxFidelity = False,
    preset: options.Preset = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            "--spec",
            metavar="FILE",
            help="A complete spec, as --dry-run and zero-config print it.",
            rich_help_panel=options.LEVELS,
        ),
    ] = None,
    arch: options.Arch = None,
    changes: options.Set = None,
    stop: options.Stop = None,
    window: options.Window = None,
    gpu_memory: options.GpuMemory = None,
    gpus: options.Gpus = None,
    require: options.Require = None,
    host: options.Host = None,
    label: options.Label = None,
    config: options.Config = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations", help="Short for --set train.total_iter=N.", rich_help_panel=options.CHANGES
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Short for --set manual_seed=N.", rich_help_panel=options.CHANGES),
    ] = None,
    preflight: Annotated[
        bool | None,
        typer.Option(
            "--preflight/--no-preflight",
            help="Try everything for a minute first; fidelity and longer do.",
            rich_help_panel=options.CHANGES,
        ),
    ] = None,
    name: options.Name = None,
    priority: options.Priority = 5,
    campaign: options.Campaign = None,
    again: options.Again = False,
    wait: options.Wait = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Queue a training on a data set."""
    from srqueue.cli.needs import needs_of
    from srqueue.cli.queueing import queue
    from srqueue.queue.findings import with_findings
    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings

    levels = {"convenience": convenience, "fidelity": fidelity, "max-fidelity": max_fidelity}
    chosen = options.one_preset(levels, preset, "")
    settings = load_settings()
    if name is not None:
        check_name(name, "a job")
    if campaign is not None:
        check_name(campaign, "a campaign")
    needs = needs_of(gpu_memory, gpus, require, host, label)
    layers = options.overrides(
        config,
        changes,
        iterations=("train.total_iter", iterations),
        seed=("manual_seed", seed),
        preflight=("preflight", preflight),
        stop=("stop", stop or None),
        window=("window", window or None),
        gpus=("compute.devices", gpus),
    )
    layers += [(f"flag --{flag}", {"needs": {key: value}}) for flag, (key, value) in needs.items()]
    if spec is not None:
        _only_a_spec(chosen, arch)
        expanded = _from_file(settings, spec, dataset, layers, name)
    else:
        expanded = _from_preset(settings, dataset, chosen or "convenience", arch, layers, name)
    expanded = with_findings(settings, expanded)
    queue(
        settings,
        expanded,
        priority=priority,
        again=again,
        wait=wait,
        dry_run=dry_run,
        as_json=as_json,
        campaign=campaign or "",
    )


def _from_preset(
    settings: Settings, dataset: str | None, preset: str, arch: str | None, layers: Changes, name: str | None
) -> Expanded:
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.errors import UsageError
    from srqueue.spec.expand import expand

    if dataset is None:
        raise UsageError(
            "no data set is named", hint="srqueue submit DATASET, or --spec FILE; see: srqueue dataset ls"
        )
    ref = dataset_ref(Registry(settings), dataset)
    return expand(ref, preset=preset, architecture=arch, overrides=layers, name=name)


def _from_file(
    settings: Settings, file: Path, dataset: str | None, layers: Changes, name: str | None
) -> Expanded:
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.spec.complete import complete as completed
    from srqueue.spec.reading import read_mapping

    ref = dataset_ref(Registry(settings), dataset) if dataset else None
    return completed(read_mapping(file), f"file {file}", dataset=ref, overrides=layers, name=name)


def _only_a_spec(preset: str, arch: str | None) -> None:
    from srqueue.errors import UsageError

    if preset or arch:
        raise UsageError(
            "--spec is complete: no preset and no architecture goes with it",
            where=preset or f"--arch {arch}",
            hint="change single values with --set or --config",
        )
