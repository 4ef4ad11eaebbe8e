"""The table of commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer

from srqueue import __version__

START, JOBS, LOOK, MACHINE = "Start here", "Jobs", "Presets, data sets, models", "This machine"

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@dataclass(frozen=True)
class Command:
    """`module` of this package has its function (called like it, if not said), or an `app` of commands."""

    name: str
    module: str
    panel: str
    group: bool = False
    passes_on: bool = False
    function: str | None = None

    def join(self, app: typer.Typer) -> None:
        """Imports the module and adds the command."""
        module = import_module(f"srqueue.cli.{self.module}")
        if self.group:
            app.add_typer(module.app, name=self.name, rich_help_panel=self.panel)
            return
        function = getattr(module, self.function or self.name.replace("-", "_"))
        more: dict[str, Any] = {"context_settings": _PASS_ON} if self.passes_on else {}
        app.command(self.name, rich_help_panel=self.panel, **more)(function)


COMMANDS = (
    Command("demo", "demo", START),
    Command("submit", "submit", START),
    Command("campaign", "campaign", START, group=True),
    Command("recommend", "recommend", START),
    Command("zero-config", "zero_config", START),
    Command("doctor", "doctor", START),
    Command("ls", "ls", JOBS),
    Command("show", "show", JOBS),
    Command("explain", "explain", JOBS),
    Command("forecast", "forecast", JOBS),
    Command("plan", "plan", JOBS),
    Command("watch", "watch", JOBS),
    Command("logs", "logs", JOBS),
    Command("report", "report", JOBS),
    Command("pause", "verbs", JOBS),
    Command("resume", "verbs", JOBS),
    Command("cancel", "verbs", JOBS),
    Command("retry", "verbs", JOBS),
    Command("upgrade", "upgrade", JOBS),
    Command("extend", "extend", JOBS),
    Command("needs", "needs", JOBS),
    Command("rm", "rm", JOBS),
    Command("recover", "recover", JOBS),
    Command("pull", "pull", JOBS),
    Command("presets", "presets", LOOK, group=True),
    Command("arch", "arch", LOOK, group=True),
    Command("dataset", "dataset", LOOK, group=True),
    Command("import", "import_", LOOK, function="import_redux"),
    Command("train", "train", LOOK),
    Command("upscale", "upscale", LOOK, passes_on=True),
    Command("export", "export", LOOK),
    Command("up", "stack", MACHINE),
    Command("down", "stack", MACHINE),
    Command("status", "stack", MACHINE),
    Command("top", "top", MACHINE),
    Command("notify", "notify", MACHINE),
    Command("audit", "audit", MACHINE),
    Command("signing", "signing", MACHINE, group=True),
    Command("quota", "quota", MACHINE, group=True),
    Command("drain", "drain", MACHINE),
    Command("migrate", "migrate", MACHINE),
    Command("server", "server", MACHINE),
    Command("worker", "worker", MACHINE, passes_on=True),
    Command("flower", "flower", MACHINE, passes_on=True),
    Command("load-scripts", "load_scripts", MACHINE),
    Command("verify-resume", "verify_resume", MACHINE),
    Command("version", "version", MACHINE),
)


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """All commands; where `arguments` begin with one only that, since to import the others takes time."""
    named = [command for command in COMMANDS if [command.name] == list(arguments[:1])]
    app = typer.Typer(
        name="srqueue",
        help="Queue super-resolution trainings: one command in, a trained model and a report out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_srqueue)
    for command in named or COMMANDS:
        command.join(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"srqueue {__version__}")
        raise typer.Exit


def _srqueue(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Queue super-resolution trainings: one command in, a trained model and a report out."""
