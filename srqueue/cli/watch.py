"""`srqueue watch`: look at a job, a campaign or all that runs until nothing more happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.verbs import AsJson

if TYPE_CHECKING:
    from srqueue.errors import UsageError
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store


def watch(
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB|CAMPAIGN]",
            help="Id, end of an id (4 characters or more) or name of a job, or a campaign; all that runs.",
        ),
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", "-c", help="This campaign, where a job has its name.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the PSNR of the job as a curve.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch a job, a campaign or all that runs until it ends or is paused; Ctrl-C leaves the jobs alone."""
    from srqueue.cli.live import watch_to_end
    from srqueue.cli.plot import check_plot
    from srqueue.errors import UsageError
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    if plot:
        check_plot()
    if job and campaign:
        raise UsageError("a job and a campaign are named", hint="name one of them")
    store = Store.connect(load_settings())
    found = _job_of(store, job) if job else None
    if found is not None:
        watch_to_end(store, found, as_json, plot)
        return
    name = campaign or job
    if plot:
        raise UsageError("a plot is of one job", where="--plot", hint="name one: srqueue watch JOB --plot")
    if campaign and not store.count(campaign=campaign):
        raise _no_campaign(store, campaign)
    _watch_several(store, name, as_json)


def _job_of(store: Store, name: str) -> str | None:
    """The id of the job that is meant, or None for the campaign of this name; where both fit it is told."""
    from srqueue.cli.output import say
    from srqueue.errors import UsageError
    from srqueue.store.record import SeveralJobs

    is_campaign = bool(store.count(campaign=name))
    try:
        found = store.resolve(name)
    except SeveralJobs:
        if not is_campaign:
            raise
        say(f"{name!r} names a campaign and several jobs: this is the campaign; a job has its id")
        return None
    except UsageError as error:
        if is_campaign:
            return None
        near = _no_campaign(store, name).hint or ""
        if not near.startswith("did you mean") or (error.hint or "").startswith("did you mean"):
            raise
        raise UsageError(f"there is no job or campaign {name!r}", hint=near) from None
    if is_campaign:
        say(f"{name!r} names a job and a campaign: this is the job; the campaign: srqueue watch -c {name}")
    return found


def _no_campaign(store: Store, name: str) -> UsageError:
    from srqueue.errors import UsageError, did_you_mean

    hint = did_you_mean(name, [known for known, _ in store.campaigns(1000)])
    return UsageError(f"there is no campaign {name!r}", where="--campaign", hint=hint)


def _watch_several(store: Store, campaign: str | None, as_json: bool) -> None:
    from srqueue.cli.output import job_summary, print_json, say
    from srqueue.cli.watch_many import watch_many
    from srqueue.run.reasons import JobState, StopReason

    watched = watch_many(store, campaign, as_json)
    records = tuple(watched.sorted())
    if as_json:
        print_json([job_summary(record) for record in records])
    else:
        print(_summary(records))
    if watched.rests:
        say(watched.rests)
    at_rungs = (
        watched.file is not None and watched.file.state == "ended"
    )  # what its search stopped is no failure
    for record in records:
        stopped = at_rungs and record.state is JobState.PAUSED and record.reason is StopReason.RUNG
        if record.state is not JobState.SUCCEEDED and not stopped:
            raise typer.Exit(1)


def _summary(records: tuple[JobRecord, ...]) -> str:
    from collections import Counter

    from srqueue.cli.job_table import counts_text

    return counts_text(Counter(record.state.value for record in records)) or "no job runs or waits"
