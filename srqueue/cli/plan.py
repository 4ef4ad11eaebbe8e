"""`srqueue plan`: what fits into this weekend?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import complete, options

if TYPE_CHECKING:
    from srqueue.queue.hours import HoursPlan

COLUMNS = ("#", "ID", "NAME", "BEGINS", "TAKES", "PSNR AT THE END", "EXPECTED GAIN", "PRIORITY")


def plan(
    campaign: Annotated[
        str | None,
        typer.Argument(
            metavar="[CAMPAIGN]", help="Only cells of this campaign.", autocompletion=complete.campaigns
        ),
    ] = None,
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=100_000, help="How long the workers that are up have.")
    ] = 60.0,
    apply: Annotated[bool, typer.Option("--apply", help="Set priorities so that it comes so.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Say which waiting jobs fit into so many hours, and in what order, for the best expected result."""
    import time

    from srqueue.cli.forecast_lines import rung_remarks
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.counting import counted, span
    from srqueue.queue.client import Client
    from srqueue.queue.hours import plan_hours, priorities

    client = Client()
    found = plan_hours(client.store, hours, time.time(), campaign)
    wanted = priorities(found)
    if apply:
        for job_id, priority in wanted.items():
            client.set_priority(job_id, priority)
    if as_json:
        print_json(_as_dict(found, wanted, apply))
        return
    rows = _rows(found, wanted)
    if rows:
        print_table(COLUMNS, rows)
    last = max((c.slot.end for c in found.choice.order), default=0.0)
    ends = f", and end after {span(last)}" if rows else ""
    waiting = len(found.jobs) + len(found.unknown)
    print(f"{counted(len(rows), 'job')} of {waiting} that wait fit into {hours:g} h{ends}")
    if found.unknown:
        lacking = counted(len(found.unknown), "job")
        say(f"note: of {lacking} no speed is known: srqueue forecast JOB --calibrate")
    if found.left_out:
        say(f"note: {found.left_out:,} jobs further back are left out")
    for remark in rung_remarks(found.to_rung, found.at_rungs):
        say(remark)
    if wanted and not apply:
        named = f" {campaign}" if campaign else ""
        say(
            f"the priorities of {counted(len(wanted), 'job')} would change: "
            f"srqueue plan{named} --hours {hours:g} --apply"
        )
    elif wanted:
        say(f"set the priorities of {counted(len(wanted), 'job')}")


def _rows(found: HoursPlan, wanted: dict[str, int]) -> list[list[str]]:
    from srqueue.counting import span
    from srqueue.forecast.told import plus_minus

    rows = []
    for place, chosen in enumerate(found.choice.order, 1):
        record, psnr = found.jobs[chosen.id], found.psnr.get(chosen.id)
        now = record.priority
        priority = f"{now} -> {wanted[chosen.id]}" if chosen.id in wanted else str(now)
        rows.append(
            [
                *(str(place), record.short_id, record.name, f"in {span(chosen.slot.begin)}"),
                *(span(chosen.slot.end - chosen.slot.begin), f"{plus_minus(psnr)} dB" if psnr else "-"),
                *(f"{chosen.gain:+.2f} dB", priority),
            ]
        )
    return rows


def _as_dict(found: HoursPlan, wanted: dict[str, int], applied: bool) -> dict[str, Any]:
    jobs = [
        {
            "id": c.id, "name": found.jobs[c.id].name, "begins_s": round(c.slot.begin, 1),
            "ends_s": round(c.slot.end, 1), "expected_gain_db": round(c.gain, 4),
            "psnr": found.psnr[c.id].row(3) if c.id in found.psnr else None,
            "priority": wanted.get(c.id, found.jobs[c.id].priority),
        }
        for c in found.choice.order
    ]  # fmt: skip
    return {
        "hours": found.hours, "fit": jobs, "do_not_fit": list(found.choice.rest), "applied": applied,
        "without_speed": [r.id for r in found.unknown], "left_out": found.left_out,
        "to_rung": found.to_rung, "at_rungs": found.at_rungs,
    }  # fmt: skip
