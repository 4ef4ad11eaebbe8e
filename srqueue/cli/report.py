"""`srqueue report`: what came out of trainings, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srqueue.report.finding import Found
    from srqueue.report.subject import Subject


def report(
    jobs: Annotated[
        list[str],
        typer.Argument(
            metavar="JOB...|CAMPAIGN",
            help="Ids, ends of ids, names, a campaign, or paths of run folders (these need no Redis).",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there; without it a name is found.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="The curves alone, as a picture.")
    ] = None,
    hours: Annotated[bool, typer.Option("--hours", help="With --png: over hours, not iterations.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the results as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print results and provenance as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard's event files instead.")
    ] = False,
    to: Annotated[
        str | None, typer.Option("--to", metavar="wandb|mlflow", help="Log them to W&B or MLflow instead.")
    ] = None,
) -> None:
    """Report one training, or compare several, in one HTML file that works offline.

    It has curves, tables, pictures to wipe between, the spec, and where all of it comes from.
    """
    from srqueue.errors import UsageError
    from srqueue.report.finding import find
    from srqueue.settings import load_settings

    asked = {
        "--png": png is not None, "--csv": as_csv, "--json": as_json, "--markdown": as_markdown,
        "--tensorboard": tensorboard, "--to": to is not None,
    }  # fmt: skip
    given = [name for name, wanted in asked.items() if wanted]
    if len(given) > 1:
        raise UsageError("more than one kind of report is asked for", where=", ".join(given))
    if hours and png is None:
        raise UsageError("--hours goes with --png", where="--hours", hint="--png FILE --hours")
    if to not in (None, "wandb", "mlflow"):
        raise UsageError(f"there is no {to!r} to log to", where="--to", hint="take wandb or mlflow")
    if out is not None and given and given[0] in ("--png", "--tensorboard", "--to"):
        raise UsageError(f"--out does not go with {given[0]}", hint="--png takes a file itself")
    title, found = find(jobs, load_settings())
    subjects = [f.subject for f in found]
    if png is not None:
        _write_png(subjects, png, "hours" if hours else "it")
    elif tensorboard:
        _write_tensorboard(found)
    elif to is not None:
        _send(found, to)
    elif given:
        _print(subjects, given[0], out)
    else:
        _write_page(found, title, out)


def _write_page(found: Sequence[Found], title: str, out: Path | None) -> None:
    from srqueue.cli.output import say
    from srqueue.report.comparable import remarks
    from srqueue.report.page import page

    subjects = [f.subject for f in found]
    for remark in remarks(subjects):
        say(f"warning: {remark}")
    target = out or _default(found, title)
    _write(target, page(subjects, title).encode())


def _default(found: Sequence[Found], title: str) -> Path:
    """In the run folder of one job that is here, else where the user stands."""
    if len(found) == 1 and found[0].run is not None:
        return found[0].run.report
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in title).strip(".-")
    return Path(f"report-{safe or 'srqueue'}.html")


def _write_png(subjects: Sequence[Subject], target: Path, over: Literal["it", "hours"]) -> None:
    from srqueue.report.png import png

    _write(target, png(subjects, over))


def _write(target: Path, data: bytes) -> None:
    from srqueue.errors import SrqueueError, UsageError
    from srqueue.run.atomic import write_file

    if target.exists() and (target.is_symlink() or not target.is_file()):
        raise UsageError("that is no plain file", where=str(target), hint="choose another")
    try:
        write_file(target, data)
    except OSError as error:
        raise SrqueueError(f"cannot write the report: {error.strerror}", where=str(target)) from None
    print(target)


def _write_tensorboard(found: Sequence[Found]) -> None:
    from srqueue.errors import SrqueueError
    from srqueue.report.tensorboard import write_tensorboard

    for each in found:
        folder = each.run.tensorboard if each.run else Path("tensorboard") / each.subject.id
        try:
            print(write_tensorboard(each.subject, folder))
        except OSError as error:
            raise SrqueueError(f"cannot write: {error.strerror}", where=str(folder)) from None


def _send(found: Sequence[Found], to: str) -> None:
    from srqueue.report.mlflow import to_mlflow
    from srqueue.report.wandb import to_wandb

    for each in found:
        folder = each.run.path if each.run else Path()
        if to == "wandb":
            print(to_wandb(each.subject, folder))
        else:
            print(to_mlflow(each.subject, Path("mlruns")))


def _print(subjects: Sequence[Subject], form: str, out: Path | None) -> None:
    from srqueue.report.texts import as_csv, as_json, as_markdown

    text = {"--csv": as_csv, "--json": as_json, "--markdown": as_markdown}[form](subjects)
    if out is None:
        print(text, end="")
    else:
        _write(out, text.encode())
