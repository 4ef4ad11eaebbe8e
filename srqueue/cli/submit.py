"""`srqueue submit`: queue a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import complete

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.spec.expand import Expanded

_LEVELS = "How good, how long (one of)"
_CHANGES = "Changes to the preset"


def submit(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="A registered data set.", autocompletion=complete.datasets),
    ],
    convenience: Annotated[
        bool, typer.Option("--convenience", help="The default.", rich_help_panel=_LEVELS)
    ] = False,
    fidelity: Annotated[
        bool, typer.Option("--fidelity", help="Longer and better.", rich_help_panel=_LEVELS)
    ] = False,
    max_fidelity: Annotated[
        bool, typer.Option("--max-fidelity", help="The best there is.", rich_help_panel=_LEVELS)
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", help="Any preset.", rich_help_panel=_LEVELS, autocompletion=complete.presets
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            "--arch",
            help="Another architecture than the preset's.",
            rich_help_panel=_CHANGES,
            autocompletion=complete.architectures,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One value, such as train.optim_g.lr=5e-5 (repeatable).",
            rich_help_panel=_CHANGES,
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config", metavar="FILE", help="YAML with values (repeatable).", rich_help_panel=_CHANGES
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", help="Short for --set train.total_iter=N.", rich_help_panel=_CHANGES),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Short for --set manual_seed=N.", rich_help_panel=_CHANGES),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the job.")] = None,
    priority: Annotated[int, typer.Option("--priority", min=0, max=9, help="0 to 9, 9 first.")] = 5,
    again: Annotated[
        bool, typer.Option("--again", help="Also where the same spec was queued before.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it to its end.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the full spec and where every value comes from.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Queue a training on a data set."""
    from srqueue.cli.output import job_summary, print_json, say
    from srqueue.settings import load_settings

    flags = {"convenience": convenience, "fidelity": fidelity, "max-fidelity": max_fidelity}
    chosen = _one_preset([level for level, given in flags.items() if given], preset)
    settings = load_settings()
    expanded = _expand(
        settings, dataset, chosen, arch, config or [], _as_sets(changes, iterations, seed), name
    )
    _warn(settings, expanded)
    if dry_run:
        _print_spec(expanded, as_json)
        return

    from srqueue.queue.client import Client

    client = Client(settings)
    submitted = client.submit(expanded, priority=priority, again=again)
    job = submitted.job
    if as_json and not wait:
        print_json({"new": submitted.new, "job": job_summary(job)})
    elif submitted.new:
        say(f"queued {job.name}")
        print(job.id)
    else:
        say(f"the same spec is {job.state} already as {job.name}; queue it once more with --again")
        print(job.id)
    if wait:
        from srqueue.cli.live import watch_to_end

        watch_to_end(client, job.id, as_json)
    elif submitted.new and not as_json:
        say(f"watch it: srqueue watch {job.short_id}")


def _one_preset(levels: list[str], preset: str | None) -> str:
    from srqueue.errors import UsageError

    given = [*levels, *([preset] if preset else [])]
    if len(given) > 1:
        raise UsageError("more than one preset is asked for", where=", ".join(given), hint="give one of them")
    return given[0] if given else "convenience"


def _as_sets(changes: list[str] | None, iterations: int | None, seed: int | None) -> list[tuple[str, str]]:
    """(origin, assignment) of every flag that sets a value."""
    short = [("--iterations", "train.total_iter", iterations), ("--seed", "manual_seed", seed)]
    return [
        *((f"flag {flag}", f"{key}={value}") for flag, key, value in short if value is not None),
        *(("flag --set", text) for text in changes or ()),
    ]


def _expand(
    settings: Settings,
    dataset: str,
    preset: str,
    arch: str | None,
    config: list[Path],
    sets: list[tuple[str, str]],
    name: str | None,
) -> Expanded:
    """The complete spec, its crops checked against the pictures. Every error of a spec appears here."""
    from dataclasses import replace

    from srqueue.datasets import Registry, check_crop, dataset_ref
    from srqueue.run.folder import check_name
    from srqueue.spec.expand import expand, set_value
    from srqueue.spec.reading import read_mapping

    registry = Registry(settings)
    if name is not None:
        check_name(name, "a job")
    ref = dataset_ref(registry, dataset)
    overrides = [(f"file {path}", read_mapping(path)) for path in config]
    overrides += [(origin, set_value(text)) for origin, text in sets]
    expanded = expand(ref, preset=preset, architecture=arch, overrides=overrides, name=name)
    train = expanded.spec.datasets.train
    small = check_crop(registry, registry.get(train.name), train.lq_size, expanded.spec.scale)
    notices = [*expanded.notices, *([small] if small else [])]
    start = expanded.spec.path.pretrain_network_g
    if start and not Path(start).expanduser().is_file():
        notices.append(
            f"{start} (path.pretrain_network_g) is not on this machine: it must be on the worker's"
        )
    return replace(expanded, notices=tuple(notices))


def _warn(settings: Settings, expanded: Expanded) -> None:
    from srqueue.cli.output import say
    from srqueue.stack.folders import low_space

    for notice in expanded.notices:
        say(f"note: {notice}")
    # With a server of somebody else's the training most likely runs on another machine's disk.
    if settings.redis_url is None and (warning := low_space(settings)):
        say(f"warning: {warning}")


def _print_spec(expanded: Expanded, as_json: bool) -> None:
    from srqueue.cli.output import print_json
    from srqueue.cli.spec_text import annotated_yaml
    from srqueue.spec.job import spec_id

    spec = expanded.spec.model_dump(mode="json")
    if as_json:
        identity = spec_id(expanded.spec)
        print_json(
            {"spec_id": identity, "spec": spec, "origins": expanded.origins, "notices": expanded.notices}
        )
    else:
        print(annotated_yaml(spec, expanded.origins), end="")
