"""`srqueue presets ls|show|diff`: what a preset holds."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli import complete

app = typer.Typer(no_args_is_help=True, help="List, show and compare presets.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A preset.", autocompletion=complete.presets)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("ls")
def list_presets(as_json: AsJson = False) -> None:
    """List presets and architectures."""
    from srqueue.cli.output import print_json, print_table
    from srqueue.spec.presets import architecture_names, load_preset, preset_names

    presets = [load_preset(name) for name in preset_names()]
    networks = [load_preset(name, "architectures") for name in architecture_names()]
    if as_json:
        kinds = {"presets": presets, "architectures": networks}
        print_json({k: [{"name": p.name, "description": p.description} for p in v] for k, v in kinds.items()})
        return
    print_table(["PRESET", "WHAT IT IS FOR"], [[p.name, p.description] for p in presets])
    print()
    print_table(["ARCHITECTURE", "WHAT IT IS"], [[p.name, p.description] for p in networks])


@app.command("show")
def show_preset(name: Name, as_json: AsJson = False) -> None:
    """Show a preset, with everything it extends."""
    from srqueue.cli.output import print_json
    from srqueue.spec.presets import load_preset
    from srqueue.spec.text import annotated_yaml

    preset = load_preset(name)
    if as_json:
        print_json(preset)
        return
    print(f"# {preset.name}: {preset.description}")
    print(annotated_yaml(preset.tree, preset.origins), end="")


@app.command("diff")
def diff_presets(
    a: Annotated[str, typer.Argument(metavar="A", help="A preset.", autocompletion=complete.presets)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another.", autocompletion=complete.presets)],
    as_json: AsJson = False,
) -> None:
    """Show which values differ between two presets."""
    from srqueue.cli.output import print_json, print_table
    from srqueue.spec.layers import leaves
    from srqueue.spec.presets import load_preset
    from srqueue.spec.text import scalar

    first, second = (dict(leaves(load_preset(name).tree)) for name in (a, b))
    keys = [key for key in {**first, **second} if first.get(key, _MISSING) != second.get(key, _MISSING)]
    if as_json:
        print_json({key: {a: first.get(key), b: second.get(key)} for key in keys})
    elif not keys:
        print(f"{a} and {b} hold the same values")
    else:
        shown = [[k, *(scalar(t[k]) if k in t else "(default)" for t in (first, second))] for k in keys]
        print_table(["KEY", a, b], shown)


_MISSING = object()
