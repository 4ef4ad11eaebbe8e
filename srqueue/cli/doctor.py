"""`srqueue doctor`: one line a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from srqueue.stack.health import Finding


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check every layer of this machine; at the first failure say how to repair it. Exit code 1 then."""
    from srqueue.cli.output import print_json
    from srqueue.settings import load_settings
    from srqueue.stack.health import examine

    settings = load_settings()
    findings = examine(settings, report=(lambda _: None) if as_json else _print)
    broken = next((finding for finding in findings if finding.ok is False), None)
    if as_json:
        print_json(findings)
    elif broken is None:
        print("all is well")
    else:
        print(f"repair {broken.layer} first: {broken.repair or 'see above'}")
    if broken is not None:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    word = {True: "OK", False: "FAIL", None: "-"}[finding.ok]
    print(f"{finding.layer:<10} {word:<4}  {finding.text}", flush=True)
