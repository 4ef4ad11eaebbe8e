"""`srqueue campaign`: many trainings from one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import campaign_lines, campaign_verdict, complete, options, search_lines
from srqueue.cli.output import print_json, print_table, say
from srqueue.counting import counted

if TYPE_CHECKING:
    from srqueue.campaign.planning import Planned
    from srqueue.campaign.spec import CampaignSpec
    from srqueue.forecast.running import RunForecast
    from srqueue.store.campaigns import CampaignRecord

app = typer.Typer(help="Queue a matrix of trainings from one file, and compare them.", no_args_is_help=True)

File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A campaign file, or the name of one that comes with srqueue.",
        autocompletion=complete.campaign_files,
    ),
]  # fmt: skip
Name = Annotated[str, typer.Argument(metavar="NAME", help="A campaign.", autocompletion=complete.campaigns)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", help="The data set of every cell.", autocompletion=complete.datasets),
]
Called = Annotated[str | None, typer.Option("--name", help="Another name than the file's.")]


@app.command("new")
def new_campaign(
    file: Annotated[Path, typer.Argument(help="Where to write it; no file is overwritten.")],
    like: Annotated[
        str,
        typer.Option(
            "--like",
            help="Which of the campaigns that come with srqueue.",
            autocompletion=complete.campaign_files,
        ),
    ] = "baseline-then-fidelity",
) -> None:
    """Write a campaign file to begin with."""
    from srqueue.campaign.shipped import shipped_file
    from srqueue.errors import UsageError

    text = shipped_file(like).read_text()
    try:
        with file.open("x") as made:
            made.write(text)
    except FileExistsError:
        raise UsageError(f"{file} exists already", hint="choose another name, or edit that one") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    print(f"wrote {file}")
    say(f"edit it, look at it: srqueue campaign submit {file} --dry-run")


@app.command("submit")
def submit_campaign(
    file: File,
    dataset: Dataset = None,
    changes: options.Set = None,
    name: Called = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget", metavar="RULES", help="What its jobs may spend together: '60h, 6kWh, Sun 22:00'."
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="It is the new version of the campaign of that name.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Queue more than 1,000 cells unasked.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the matrix; queue nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Queue the cells of a campaign that are new or were changed."""
    from srqueue.queue.campaigns import CampaignClient

    path, campaign = _read(file, dataset, changes, name, budget)
    client = CampaignClient(ended=_report)
    if dry_run:
        _print_plan(campaign, client.plan(campaign), as_json)
        return
    _confirm(campaign, yes)
    done = client.submit(campaign, file=path, update=update)
    if as_json:
        print_json(done)
        return
    there = len(done.job_ids) - done.new
    told = f", {there} {'was' if there == 1 else 'were'} there already" if there else ""
    print(f"campaign {done.name}: {done.new} of {len(done.job_ids)} cells queued{told}")
    for line in search_lines.drawn_later(campaign):
        say(line)
    for told, number in done.differs.items():
        which = "1 cell was" if number == 1 else f"{number} cells were"
        say(f"note: {which} there already; {told.removeprefix('its ')}")
    if done.left:
        number, one = len(done.left), done.left[0][-6:].lower()
        has, which = ("has", "it") if number == 1 else ("have", "one of them")
        say(
            f"note: {counted(number, 'job')} of an earlier version of the file {has} not ended and will run, "
            f"too; {which}: srqueue show {one}, or srqueue cancel {one}"
        )
    if client.records.get(done.name).state == "ended":
        say(f"nothing of it is left to do: srqueue campaign report {done.name}")
    else:
        say(f"watch it: srqueue campaign watch {done.name}")


@app.command("ls")
def list_campaigns(as_json: Json = False) -> None:
    """List the campaigns from files, the last first."""
    from srqueue.queue.campaigns import CampaignClient
    from srqueue.store.searches import Searches

    records = CampaignClient().records
    found = records.newest()
    rows = [(record, records.counts(record.name)) for record in found]
    if as_json:
        print_json([campaign_lines.summary(record, counts) for record, counts in rows])
    elif rows:
        ends = campaign_lines.ends_of(records.connection, found)
        searches = Searches(records.connection)
        lines = [
            campaign_lines.row(record, counts, ends.get(record.name, "-"), searches.stopped(record.name))
            for record, counts in rows
        ]
        print_table(campaign_lines.COLUMNS, lines)
    else:
        say("no campaign; queue one: srqueue campaign submit FILE")


@app.command("show")
def show_campaign(name: Name, as_json: Json = False) -> None:
    """One campaign: its stages, why cells are held, and who leads."""
    from srqueue.campaign.verdict import flat
    from srqueue.campaign.verdict.judge import judge
    from srqueue.cli import verdict_lines
    from srqueue.queue import standing
    from srqueue.queue.campaigns import CampaignClient
    from srqueue.queue.outcomes import entries

    client = CampaignClient()
    record = client.records.get(name)
    stages = standing.stages(client.client.store, client.records, record)
    rungs = search_lines.rungs(client.client.store, client.records, record)
    verdict = judge(entries(client.client.store, name))
    if as_json:
        counts = client.records.counts(name)
        print_json(
            {
                **campaign_lines.summary(record, counts),
                "stages": stages,
                "rungs": rungs,
                "spec": record.spec,
                "leaderboards": flat.boards(verdict),
                "remarks": list(verdict.remarks),
            }
        )
        return
    for line in campaign_lines.facts(record, client.records.counts(name)):
        print(line)
    for line in campaign_lines.end(client.client.store, record):
        print(line)
    print()
    print_table(campaign_lines.STAGE_COLUMNS, [campaign_lines.stage_row(stage) for stage in stages])
    if rungs:
        print()
        print_table(search_lines.COLUMNS, [search_lines.row(rung) for rung in rungs])
    for line in search_lines.undrawn(client.client.store, client.records, record):
        print(line)
    for line in campaign_lines.held(client.client.store, record):
        print(line)
    verdict_lines.show(verdict)
    if record.state == "paused":
        say(f"let it go on: srqueue campaign resume {name}")
    elif record.in_vain:
        say(f"try again what failed: srqueue campaign retry {name}")


@app.command("watch")
def watch_campaign(name: Name) -> None:
    """A live table of its jobs; Ctrl-C leaves them alone."""
    from srqueue.cli.watch import watch

    watch(campaign=name)


@app.command("pause")
def pause_campaign(name: Name) -> None:
    """No cell begins any more; those that run are paused, with a checkpoint."""
    _done(_client().pause(name), f"srqueue campaign resume {name}")


@app.command("resume")
def resume_campaign(name: Name) -> None:
    """A paused campaign goes on, exactly."""
    _done(_client().resume(name), f"srqueue campaign watch {name}")


@app.command("cancel")
def cancel_campaign(name: Name) -> None:
    """End it; cells that run export their best weights."""
    _done(_client().cancel(name), f"srqueue campaign retry {name}")


@app.command("retry")
def retry_campaign(name: Name) -> None:
    """Failed and cancelled cells go on from their newest checkpoints."""
    again = _client().retry(name)
    print(f"campaign {name}: {again} cell{'' if again == 1 else 's'} to be tried again")
    if again:
        say(f"next: srqueue campaign watch {name}")


@app.command("rm")
def remove_campaign(
    name: Name,
    jobs: Annotated[bool, typer.Option("--jobs", help="Forget its jobs too; run folders stay.")] = False,
) -> None:
    """Forget a campaign that has ended; its jobs and files stay."""
    _client().remove(name, jobs=jobs)
    print(f"campaign {name}: removed" + (" with its jobs" if jobs else "; its jobs stay: srqueue ls"))


app.command("report")(campaign_verdict.report)
app.command("export")(campaign_verdict.export)


def _client() -> Any:
    from srqueue.queue.campaigns import CampaignClient

    return CampaignClient(ended=_report)


def _report(record: CampaignRecord) -> None:
    """A worker that ends a campaign leaves its report; so does a command."""
    from srqueue.report.page import installed
    from srqueue.settings import load_settings

    settings = load_settings()
    if not (settings.report and installed()):
        return
    from srqueue.report.campaign_files import write_report
    from srqueue.store.store import Store

    say(f"its report: {write_report(Store.connect(settings), settings, record)}")


def _done(record: CampaignRecord, hint: str) -> None:
    print(f"campaign {record.name}: {record.state}")
    say(f"next: {hint}")


def _read(
    file: str,
    dataset: str | None,
    changes: list[str] | None,
    name: str | None,
    budget: str | None = None,
) -> tuple[Path, CampaignSpec]:
    """Where the campaign is, and what it says with the changes of the command line laid into its base."""
    from srqueue.campaign.laying import changed
    from srqueue.campaign.shipped import find
    from srqueue.campaign.spec import campaign_of
    from srqueue.spec.layers import assignment
    from srqueue.spec.reading import read_mapping, read_value

    path = find(file)
    raw = read_mapping(path)
    said: dict[str, Any] = {"dataset": dataset} if dataset else {}
    for text in changes or ():
        key, value = assignment(text)
        said[key] = read_value(value, f"--set {key}")
    raw = changed(raw, said, str(path))
    if name:
        raw["name"] = name
    if budget:
        raw["budget"] = budget
    return path, campaign_of(raw, str(path), path.stem)


def _confirm(campaign: CampaignSpec, yes: bool) -> None:
    import sys

    from srqueue.campaign.cells import ASKED_ABOVE, MOST_CELLS, count
    from srqueue.errors import UsageError

    number = count(campaign)
    if yes or not ASKED_ABOVE < number <= MOST_CELLS:  # more are refused, with --yes as well
        return
    told = f"campaign {campaign.name} has {number:,} cells"
    if not sys.stdin.isatty():
        raise UsageError(told, hint="queue so many with --yes; look at them with --dry-run")
    typer.confirm(f"{told}; queue them?", abort=True)


def _forecasts(plan: tuple[Planned, ...]) -> list[RunForecast]:
    from srqueue.queue.cell_forecasts import forecast_specs
    from srqueue.settings import load_settings

    return forecast_specs(load_settings(), [p.expanded.spec for p in plan])


def _print_plan(campaign: CampaignSpec, plan: tuple[Planned, ...], as_json: bool) -> None:
    if as_json:
        found = _forecasts(plan)
        print_json([campaign_lines.planned(p, f) for p, f in zip(plan, found, strict=True)])
        return
    import time

    from srqueue.cli.budget_lines import one_worker_lines
    from srqueue.cli.forecast_lines import hours_text, searched
    from srqueue.settings import load_settings

    found = _forecasts(plan)
    rows = [campaign_lines.plan_row(p, f) for p, f in zip(plan, found, strict=True)]
    if rows:
        print_table(campaign_lines.PLAN_COLUMNS, rows)
    if total := hours_text(found, searched(campaign)):
        say(total)
    for line in one_worker_lines(
        load_settings(), [p.expanded.spec for p in plan], found, campaign.budget, time.time()
    ):
        say(line)
    most = f"at most {campaign.max_parallel}" if campaign.max_parallel else "all"
    if rows:
        say(f"{len(plan):,} {'cell' if len(plan) == 1 else 'cells'}, {most} at a time; nothing was queued")
    for line in search_lines.drawn_later(campaign):
        say(line)
