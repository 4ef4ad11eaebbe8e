"""Options that several commands share, and the changes to a spec that they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from srqueue.cli import complete

LEVELS = "How good, how long (one of)"
CHANGES = "Changes to the preset"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the job.")]
Priority = Annotated[int, typer.Option("--priority", min=0, max=9, help="0 to 9, 9 first.")]
Campaign = Annotated[str | None, typer.Option("--campaign", help="Name of the campaign that it is one of.")]
Again = Annotated[bool, typer.Option("--again", help="Also where the same spec was queued before.")]
Wait = Annotated[bool, typer.Option("--wait", help="Watch it to its end.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the full spec and where every value comes from.")
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="Any preset.", rich_help_panel=LEVELS, autocompletion=complete.presets),
]
Fidelity = Annotated[bool, typer.Option("--fidelity", help="Longer and better.", rich_help_panel=LEVELS)]
MaxFidelity = Annotated[
    bool, typer.Option("--max-fidelity", help="The best there is.", rich_help_panel=LEVELS)
]
Arch = Annotated[
    str | None,
    typer.Option(
        "--arch",
        help="Another architecture than the preset's.",
        rich_help_panel=CHANGES,
        autocompletion=complete.architectures,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One value, such as train.optim_g.lr=5e-5 (repeatable).",
        rich_help_panel=CHANGES,
    ),
]
Stop = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="RULE",
        help="What ends it: 18h, 6kWh, 'Sun 22:00', '< 0.02 dB in 2h', 'val/psnr > 31.5', "
        "'val/psnr > job:ID + 0.1', 20000it, '3.50 EUR' (repeatable; whichever comes first).",
        rich_help_panel=CHANGES,
    ),
]
Window = Annotated[
    list[str] | None,
    typer.Option(
        "--window",
        metavar="FROM-TO",
        help="When it may run, by its worker's clock: 22:00-07:00, 'Sat,Sun 0:00-24:00' (repeatable).",
        rich_help_panel=CHANGES,
    ),
]
PLACE = "Where it runs"

GpuMemory = Annotated[
    str | None,
    typer.Option("--gpu-memory", metavar="SIZE", help="Of one GPU at least: 12GB.", rich_help_panel=PLACE),
]
Gpus = Annotated[
    int | None,
    typer.Option(
        "--gpus", min=1, max=64, help="GPUs that share its batches, on one machine.", rich_help_panel=PLACE
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        "--require",
        metavar="FEATURE",
        help="bf16, fp16, tf32, fp8, tensor-cores, or a compute capability: cc8.0 (repeatable).",
        rich_help_panel=PLACE,
    ),
]
Host = Annotated[str | None, typer.Option("--host", help="The machine it runs on.", rich_help_panel=PLACE)]
Label = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="KEY=VALUE",
        help="What its worker was given with --label (repeatable).",
        rich_help_panel=PLACE,
    ),
]
Config = Annotated[
    list[Path] | None,
    typer.Option("--config", metavar="FILE", help="YAML with values (repeatable).", rich_help_panel=CHANGES),
]


def one_preset(levels: Mapping[str, bool], preset: str | None, default: str) -> str:
    """The one preset that was asked for. Raises UsageError where there is more than one."""
    from srqueue.errors import UsageError

    given = [*(level for level, asked in levels.items() if asked), *([preset] if preset else [])]
    if len(given) > 1:
        raise UsageError("more than one preset is asked for", where=", ".join(given), hint="give one of them")
    return given[0] if given else default


def overrides(
    config: Sequence[Path] | None, changes: Sequence[str] | None, **short: tuple[str, Any]
) -> list[tuple[str, Mapping[str, Any]]]:
    """(origin, partial spec) of files, then short flags, then `--set`: later ones win.

    `short`: flag without its dashes -> (dotted path, value); None was not given.
    """
    from srqueue.spec.expand import set_value
    from srqueue.spec.layers import set_path
    from srqueue.spec.reading import read_mapping

    found: list[tuple[str, Mapping[str, Any]]] = [(f"file {p}", read_mapping(p)) for p in config or ()]
    for flag, (path, value) in short.items():
        if value is not None:
            layer: dict[str, Any] = {}
            set_path(layer, path, value)
            found.append((f"flag --{flag}", layer))
    return found + [("flag --set", set_value(text)) for text in changes or ()]
