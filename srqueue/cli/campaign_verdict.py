"""`srqueue campaign report` and `export`: what came out of a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import complete

if TYPE_CHECKING:
    from srqueue.report.campaign_page import CampaignFindings

Name = Annotated[str, typer.Argument(metavar="NAME", help="A campaign.", autocompletion=complete.campaigns)]
File = Path | None


def report(
    name: Name,
    out: Annotated[
        File, typer.Option("--out", metavar="FILE", help="Write the HTML there, else beside the run folders.")
    ] = None,
    csv: Annotated[File, typer.Option("--csv", metavar="FILE", help="Write a row a cell; - prints.")] = None,
    as_json: Annotated[
        File, typer.Option("--json", metavar="FILE", help="Write the whole verdict; - prints.")
    ] = None,
    markdown: Annotated[
        File, typer.Option("--markdown", metavar="FILE", help="Write the tables; - prints.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the HTML in a browser.")] = False,
) -> None:
    """Report a campaign: leaderboard, what is more than noise, Pareto fronts, what each hour bought.

    One HTML file that works offline; with --csv, --json or --markdown tables instead, unless --out or --open.
    """
    from srqueue.cli.output import say
    from srqueue.report import campaign_texts
    from srqueue.report.campaign_page import findings
    from srqueue.settings import load_settings
    from srqueue.store.campaigns import Campaigns
    from srqueue.store.store import Store

    settings = load_settings()
    store = Store.connect(settings)
    found = findings(store, Campaigns(store.connection).get(name))
    for remark in found.verdict.remarks:
        say(f"warning: {remark}")
    if csv is not None:
        _put(csv, campaign_texts.as_csv(found.verdict))
    if as_json is not None:
        _put(as_json, campaign_texts.as_json(found.verdict, name, found.subjects))
    if markdown is not None:
        _put(markdown, campaign_texts.as_markdown(found.verdict, found.subjects))
    if out is not None or open_it or not any((csv, as_json, markdown)):
        _show(found, out or settings.campaign_report(name), open_it)
    say(found.verdict.sentence)


def export(
    name: Name,
    out: Annotated[
        Path, typer.Argument(metavar="[OUT]", help="A folder, or a .safetensors file that is not there yet.")
    ] = Path(),
) -> None:
    """Copy the winner's model, and a card that says what it is and how good.

    As ONNX it is written by `srqueue export MODEL OUT.onnx`.
    """
    from srqueue.queue.outcomes import verdict_on
    from srqueue.report.campaign_files import export_winner
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    for file in export_winner(store, name, verdict_on(store, name), out):
        print(file)


def _show(found: CampaignFindings, target: Path, open_it: bool) -> None:
    from srqueue.report.campaign_page import campaign_page

    page = campaign_page(found)
    _put(target, page)
    if open_it:
        import webbrowser

        webbrowser.open(target.absolute().as_uri())


def _put(target: Path, text: str) -> None:
    from srqueue.errors import SrqueueError, UsageError
    from srqueue.run.atomic import write_file

    if str(target) == "-":
        print(text, end="")
        return
    if target.exists() and (target.is_symlink() or not target.is_file()):
        raise UsageError("that is no plain file", where=str(target), hint="choose another")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, text.encode())
    except OSError as error:
        raise SrqueueError(f"cannot write the report: {error.strerror}", where=str(target)) from None
    print(target)
