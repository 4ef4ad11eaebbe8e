"""`srqueue forecast`: when does it end, and how good will it be?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import options

if TYPE_CHECKING:
    from srqueue.queue.outlook import JobOutlook
    from srqueue.settings import Settings
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store


def forecast(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB|CAMPAIGN|FILE]",
            help="A job, a campaign, a file of a spec or a campaign; without it all that waits and runs.",
        ),
    ] = None,
    calibrate: Annotated[
        bool | None,
        typer.Option(
            "--calibrate/--no-calibrate",
            help="Time what no job has done yet on this machine, some seconds each; by itself where it can.",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Say when trainings will end and how good they will be, with 80 % bands.

    Of a running job from its own curve and speed; of others from earlier jobs of the same network, crops and
    device, and the queue before them.
    """
    from srqueue.settings import load_settings

    settings = load_settings()
    if what is None:
        _whole_queue(settings, as_json)
    elif Path(what).suffix in (".yaml", ".yml") or Path(what).is_file():
        _file(settings, Path(what), calibrate, as_json)
    else:
        _named(settings, what, calibrate, as_json)


def _whole_queue(settings: Settings, as_json: bool) -> None:
    import time

    from srqueue.cli import forecast_lines
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.queue.outlook import outlook
    from srqueue.store.store import Store

    found = outlook(Store.connect(settings), now := time.time())
    if as_json:
        print_json(forecast_lines.outlook_dict(found, now))
        return
    if not found.jobs:
        print("nothing waits or runs")
        for remark in forecast_lines.rung_remarks(0, found.at_rungs):
            say(remark)
        return
    print_table(forecast_lines.COLUMNS, [forecast_lines.row(job, now) for job in found.jobs])
    print("\n" + forecast_lines.total("your", found, now))
    for remark in forecast_lines.remarks(found, now):
        say(remark)


def _named(settings: Settings, name: str, calibrate: bool | None, as_json: bool) -> None:
    from srqueue.errors import UsageError
    from srqueue.store.campaigns import Campaigns
    from srqueue.store.store import Store

    store = Store.connect(settings)
    try:
        record = store.get(store.resolve(name))
    except UsageError:
        if not store.count(campaign=name) and Campaigns(store.connection).find(name) is None:
            raise
        _campaign(store, name, as_json)
        return
    _job(settings, store, record, calibrate, as_json)


def _campaign(store: Store, name: str, as_json: bool) -> None:
    import time

    from srqueue.cli import forecast_lines
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.queue.outlook import of_campaign

    found = of_campaign(store, name, now := time.time())
    if as_json:
        print_json({"campaign": name, **forecast_lines.outlook_dict(found, now)})
        return
    if not found.jobs and not found.left_out:
        print(f"campaign {name}: no job of it waits or runs")
        for remark in forecast_lines.rung_remarks(0, found.at_rungs):
            say(remark)
        return
    print_table(forecast_lines.COLUMNS, [forecast_lines.row(job, now) for job in found.jobs])
    print("\n" + forecast_lines.total(f"campaign {name}:", found, now))
    for remark in forecast_lines.remarks(found, now):
        say(remark)


def _job(settings: Settings, store: Store, record: JobRecord, calibrate: bool | None, as_json: bool) -> None:
    import time

    from srqueue.cli import forecast_lines
    from srqueue.cli.output import print_json
    from srqueue.queue.outlook import outlook

    now = time.time()
    if record.state.final:
        found: dict[str, Any] = forecast_lines.ended(record)
        if as_json:
            print_json(found)
            return
        for line in forecast_lines.ended_lines(record, found):
            print(line)
        return
    played = outlook(store, now, [record.id])
    (job,) = played.jobs or (forecast_lines.alone(record),)
    if job.end is None and not job.unpaid and record.state != "running" and _timed(settings, job, calibrate):
        played = outlook(store, now, [record.id])
        (job,) = played.jobs or (job,)
    if as_json:
        print_json(forecast_lines.job_dict(job, now))
        return
    for line in forecast_lines.job_lines(job, now, left_out=bool(played.left_out)):
        print(line)


def _timed(settings: Settings, job: JobOutlook, asked: bool | None) -> bool:
    """Whether the work of a job was measured, of which nothing is known, or that once more."""
    from srqueue.cli.calibration import calibrate
    from srqueue.queue.kept_speeds import SOURCE
    from srqueue.spec.job import JobSpec

    if job.takes is not None and not (asked and job.speed == SOURCE):
        return False
    return calibrate(settings, [JobSpec.model_validate(job.job.spec)], asked, job.job.short_id)


def _file(settings: Settings, file: Path, calibrate: bool | None, as_json: bool) -> None:
    import time

    from srqueue.cli import forecast_lines
    from srqueue.cli.budget_lines import one_worker_lines
    from srqueue.cli.calibration import calibrate as timed
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.queue.cell_forecasts import forecast_specs
    from srqueue.spec.reading import read_mapping
    from srqueue.spec.stop_rules import Rule

    raw, more, budget = read_mapping(file), "", tuple[Rule, ...]()
    if {"matrix", "stages", "base"} & raw.keys():
        from srqueue.campaign.spec import campaign_of
        from srqueue.queue.campaigns import CampaignClient

        campaign = campaign_of(raw, str(file), file.stem)
        planned = CampaignClient().plan(campaign)
        specs, labels = [p.expanded.spec for p in planned], [p.cell.label for p in planned]
        more, budget = forecast_lines.searched(campaign), campaign.budget
    else:
        from srqueue.queue.findings import with_findings
        from srqueue.spec.complete import complete

        specs = [with_findings(settings, complete(raw, f"file {file}")).spec]
        labels = [specs[0].name]
    found = forecast_specs(settings, specs)
    untimed = forecast_specs(settings, specs, kept=False) if calibrate else found
    lacking = [spec for spec, one in zip(specs, untimed, strict=True) if one.seconds is None]
    if timed(settings, lacking, calibrate, str(file)):
        found = forecast_specs(settings, specs)
    if as_json:
        rows = [forecast_lines.spec_dict(label, one) for label, one in zip(labels, found, strict=True)]
        print_json(rows if len(rows) > 1 else rows[0])
        return
    rows_ = [forecast_lines.spec_row(label, one) for label, one in zip(labels, found, strict=True)]
    print_table(forecast_lines.SPEC_COLUMNS, rows_)
    if total := forecast_lines.hours_text(found, more):
        say(total)
    for line in one_worker_lines(settings, specs, found, budget, time.time()):
        say(line)
