"""`srqueue zero-config`: a complete training config from folders of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srqueue.cli import options


def zero_config(
    gt: Annotated[Path, typer.Option("--gt", metavar="DIR", help="Folder of the originals.")],
    lq: Annotated[
        Path | None,
        typer.Option("--lq", metavar="DIR", help="Folder of the small pictures; without it they are made."),
    ] = None,
    val_gt: Annotated[
        Path | None,
        typer.Option(
            "--val-gt", metavar="DIR", help="Originals to validate on; without it a share is held out."
        ),
    ] = None,
    val_lq: Annotated[
        Path | None, typer.Option("--val-lq", metavar="DIR", help="Small pictures to validate on.")
    ] = None,
    preset: options.Preset = None,
    arch: options.Arch = None,
    config: options.Config = None,
    changes: options.Set = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say beside every value where it comes from.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of to stdout.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Look at pictures and GPU, and print a complete config.

    `srqueue submit --spec FILE` and `srqueue train FILE` take it.
    """
    from srqueue.cli.output import print_json, say
    from srqueue.cli.writing import write_or_print
    from srqueue.spec.text import annotated_yaml, plain_yaml
    from srqueue.zero_config import plan

    layers = options.overrides(config, changes)
    planned = plan(arch, gt, lq, val_gt, val_lq, preset=preset or "convenience", overrides=layers)
    for notice in planned.notices:
        say(f"note: {notice}")
    spec = planned.spec.model_dump(mode="json")
    if as_json and out is None:
        print_json({"spec": spec, "origins": planned.origins, "notices": planned.notices})
        return
    text = annotated_yaml(spec, planned.origins) if explain else plain_yaml(spec)
    write_or_print(text, out)
    if out is not None:
        if as_json:
            print_json({"file": str(out), "spec": spec, "origins": planned.origins})
        say(f"train it: srqueue submit --spec {out}, or without the queue: srqueue train {out}")
