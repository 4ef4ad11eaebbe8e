"""The table of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue import __version__
from srqueue.cli import (
    arch,
    dataset,
    demo,
    doctor,
    drain,
    explain,
    export,
    extend,
    flower,
    import_,
    logs,
    ls,
    presets,
    recommend,
    recover,
    rm,
    server,
    show,
    stack,
    submit,
    train,
    upgrade,
    upscale,
    verbs,
    verify_resume,
    version,
    watch,
    worker,
    zero_config,
)

app = typer.Typer(
    name="srqueue",
    help="Queue super-resolution trainings: one command in, a trained model and a report out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

START, JOBS, LOOK, MACHINE = "Start here", "Jobs", "Presets, data sets, models", "This machine"

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app.command("demo", rich_help_panel=START)(demo.demo)
app.command("submit", rich_help_panel=START)(submit.submit)
app.command("recommend", rich_help_panel=START)(recommend.recommend)
app.command("zero-config", rich_help_panel=START)(zero_config.zero_config)
app.command("doctor", rich_help_panel=START)(doctor.doctor)
app.command("ls", rich_help_panel=JOBS)(ls.ls)
app.command("show", rich_help_panel=JOBS)(show.show)
app.command("explain", rich_help_panel=JOBS)(explain.explain)
app.command("watch", rich_help_panel=JOBS)(watch.watch)
app.command("logs", rich_help_panel=JOBS)(logs.logs)
app.command("pause", rich_help_panel=JOBS)(verbs.pause)
app.command("resume", rich_help_panel=JOBS)(verbs.resume)
app.command("cancel", rich_help_panel=JOBS)(verbs.cancel)
app.command("retry", rich_help_panel=JOBS)(verbs.retry)
app.command("upgrade", rich_help_panel=JOBS)(upgrade.upgrade)
app.command("extend", rich_help_panel=JOBS)(extend.extend)
app.command("rm", rich_help_panel=JOBS)(rm.rm)
app.command("recover", rich_help_panel=JOBS)(recover.recover)
app.add_typer(presets.app, name="presets", rich_help_panel=LOOK)
app.add_typer(arch.app, name="arch", rich_help_panel=LOOK)
app.add_typer(dataset.app, name="dataset", rich_help_panel=LOOK)
app.command("import", rich_help_panel=LOOK)(import_.import_redux)
app.command("train", rich_help_panel=LOOK)(train.train)
app.command("upscale", rich_help_panel=LOOK, context_settings=_PASS_ON)(upscale.upscale)
app.command("export", rich_help_panel=LOOK)(export.export)
app.command("up", rich_help_panel=MACHINE)(stack.up)
app.command("down", rich_help_panel=MACHINE)(stack.down)
app.command("status", rich_help_panel=MACHINE)(stack.status)
app.command("drain", rich_help_panel=MACHINE)(drain.drain)
app.command("server", rich_help_panel=MACHINE)(server.server)
app.command("worker", rich_help_panel=MACHINE, context_settings=_PASS_ON)(worker.worker)
app.command("flower", rich_help_panel=MACHINE, context_settings=_PASS_ON)(flower.flower)
app.command("verify-resume", rich_help_panel=MACHINE)(verify_resume.verify_resume)
app.command("version", rich_help_panel=MACHINE)(version.version)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"srqueue {__version__}")
        raise typer.Exit


@app.callback()
def _srqueue(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere.")] = False,
) -> None:
    """Queue super-resolution trainings: one command in, a trained model and a report out."""
