"""`srqueue arch`: the networks, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import complete
from srqueue.cli.output import print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(help="List the networks and what they cost; look at one.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Scale = Annotated[int, typer.Option("--scale", min=2, max=4, help="2, 3 or 4.")]


@app.command("ls")
def list_architectures(scale: Scale = 2, as_json: Json = False) -> None:
    """List the networks: parameters, multiply-adds at 1280x720 output, receptive field.

    Any network of the spandrel library can be named as spandrel:NAME.
    """
    from srqueue.spec.presets import architecture_names, load_preset

    names = architecture_names()
    found = _describe(names, scale)
    if as_json:
        print_json({name: _without(figures, "tensors") for name, figures in found.items()})
        return
    rows = [[*_row(name, found[name]), load_preset(name, "architectures").description] for name in names]
    print_table(["NAME", "PARAMETERS", "MULTIPLY-ADDS", "SEES", "WHAT IT IS"], rows)


@app.command("show")
def show_architecture(
    name: Annotated[str, typer.Argument(help="An architecture.", autocompletion=complete.architectures)],
    scale: Scale = 2,
    as_json: Json = False,
) -> None:
    """Show one network: its arguments, its figures, where its parameters are."""
    from srqueue.spec.networks import network_arguments
    from srqueue.spec.presets import load_architecture

    preset = load_architecture(name)
    figures = _describe([name], scale)[name]
    network = preset.tree["network_g"]
    arguments = network_arguments(network)
    if as_json:
        print_json({"name": name, "network_g": network, "arguments": arguments, **figures})
        return
    _, parameters, multiply_adds, sees = _row(name, figures)
    rows = {
        "name": name,
        "what it is": preset.description,
        "type": network["type"],
        "parameters": f"{parameters}, and {figures['frozen']:,} that are not trained",
        "multiply-adds": f"{multiply_adds} for 1280x720 pixels of output",
        "sees": sees,
        "measured rates": ", ".join(f"{o} {rate:g}" for o, rate in preset.measured.items()) or "-",
    }
    for key, value in rows.items():
        print(f"{key:<15} {value}")
    for part, count in figures["parts"].items():
        print(f"  {part:<20} {count:,}")
    print("arguments, each to change with --set network_g.ARGUMENT=VALUE")
    width = max(len(key) for key in arguments)
    for key, argument in arguments.items():
        print(f"  {key:<{width}}  {_given(argument)}; {argument['description']}")


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    field, work = figures["receptive_field"], figures["multiply_adds"]
    seen = [f"{field}x{field} px" if field else "not measured", *figures["sees"]]
    return [name, f"{figures['parameters']:,}", f"{work / 1e9:,.1f} G" if work else "-", ", ".join(seen)]


def _given(argument: dict[str, Any]) -> str:
    import json

    value, default = (json.dumps(argument[key]) for key in ("value", "default"))
    return value if value == default or argument["default"] is None else f"{value} (by default {default})"


def _without(figures: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in figures.items() if k != key}


def _describe(names: Sequence[str], scale: int) -> dict[str, dict[str, Any]]:
    from srqueue.cli.network_figures import network_figures
    from srqueue.settings import load_settings
    from srqueue.spec.presets import load_architecture

    networks = {name: load_architecture(name).tree["network_g"] for name in names}
    return network_figures(load_settings(), networks, scale)
