"""The tables of a campaign's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from srqueue.campaign.verdict.entry import Entry
from srqueue.campaign.verdict.groups import Board, Group, mean_of
from srqueue.campaign.verdict.judge import Verdict
from srqueue.campaign.verdict.paired import Comparison
from srqueue.campaign.verdict.pareto import COSTS, points
from srqueue.report.results import at_moments, moment_text, moments
from srqueue.report.subject import Subject
from srqueue.report.tables import Table, hours, number

MOST_ROWS = 300
"""Of a table for people; CSV and JSON have all."""
_LONG = 10
"""Comparisons of more rows come behind what each hour bought and the fronts."""
BOARD_COLUMNS = (
    "cells that differ in their seed", "seeds", "PSNR (dB)", "± sd", "best (dB)", "over bicubic (dB)", "SSIM",
    "hours", "parameters", "ms a megapixel", "against the leader",
)  # fmt: skip
_MOST_MESSAGE = 300


def campaign_tables(verdict: Verdict, subjects: Mapping[str, Subject]) -> list[Table]:
    """All of them, those that matter most first. `subjects`: of the jobs whose curves are known, by id."""
    found: list[Table | None] = []
    for board, pairs in zip(verdict.boards, verdict.pairs, strict=True):
        compared = comparison_table(board, pairs)
        rest = [bought(board, subjects), front_table(board)]
        long = compared is not None and len(compared.rows) > _LONG
        found += [leaderboard(board, pairs), *([*rest, compared] if long else [compared, *rest])]
    found.append(stopped_table(verdict.stopped))
    return [table for table in found if table is not None and table.rows]


def leaderboard(board: Board, pairs: Sequence[Comparison]) -> Table:
    """Groups by their mean, and what is said of each against the first."""
    leader = board.groups[0] if board.groups else None
    told = {pair.other.label: pair for pair in pairs if pair.better is leader}
    rows = [_group_row(group, told.get(group.label)) for group in board.groups[:MOST_ROWS]]
    return Table(f"Leaderboard on {board.validated}", BOARD_COLUMNS, rows, frozenset(range(1, 10)))


def comparison_table(board: Board, pairs: Sequence[Comparison]) -> Table | None:
    """Every pair that was compared picture by picture; None where there is none but the leader's."""
    if len(board.measured) < 2:
        return None
    rows = [
        [
            pair.better.label, pair.other.label, f"{pair.difference:+.3f}",
            "-" if pair.low is None or pair.high is None else f"{pair.low:+.3f} to {pair.high:+.3f}",
            str(pair.pictures or "-"), "-" if pair.p_holm is None else f"{pair.p_holm:.2g}",
            "-" if pair.seed_half is None else f"± {pair.seed_half:.3f}", pair.why,
        ]
        for pair in pairs
    ]  # fmt: skip
    columns = (
        "better", "other", "difference (dB)", "95 % interval over pictures", "pictures",
        "p (Holm)", "95 % by seeds alone", "verdict",
    )  # fmt: skip
    return Table(f"Paired comparisons on {board.validated}", columns, rows, frozenset(range(2, 7)))


def bought(board: Board, subjects: Mapping[str, Subject]) -> Table | None:
    """What each hour bought: the mean PSNR over seeds at moments, and dB an hour since the one before."""
    known = [(g, [subjects[c.id] for c in g.measured if c.id in subjects]) for g in board.measured]
    groups = [(group, own) for group, own in known if own]
    at = moments([subject for _, own in groups for subject in own])
    if not at:
        return None
    rows = []
    for group, own in groups:
        tables = [at_moments(subject, at) for subject in own]
        cells, last = [], None
        for place, seconds in enumerate(at):
            now = mean_of(v for table in tables if isinstance(v := table[place], float))
            text = "-" if now is None else f"{now:.2f}"
            if now is not None and last is not None:
                text += f" ({(now - last[1]) * 3600 / (seconds - last[0]):+.2f} dB/h)"
            last = last if now is None else (seconds, now)
            cells.append(text)
        rows.append([group.label, str(len(own)), *cells])
    columns = ("cells that differ in their seed", "seeds", *(f"at {moment_text(s)}" for s in at))
    numeric = frozenset(range(1, len(columns)))
    return Table(f"What each hour bought, PSNR in dB on {board.validated}", columns, rows, numeric)


def front_table(board: Board) -> Table | None:
    """What nothing else beats in quality and cost at once."""
    rows = [
        [
            what, point.group.label, _cost(cost, point.cost), f"{point.quality:.2f}",
            point.group.device if cost == "ms_per_megapixel" else "-",
        ]
        for cost, what in COSTS.items()
        for point in points(board.measured, cost)
        if point.front
    ]  # fmt: skip
    columns = ("against", "on the front", "cost", "PSNR (dB)", "timed on")
    return Table(f"Pareto fronts on {board.validated}", columns, rows, frozenset({2, 3}))


def stopped_table(entries: Sequence[Entry]) -> Table | None:
    """What did not train to its end, and why."""
    rows = [
        [
            f"{entry.name} {entry.short_id}", entry.stage, entry.state, entry.reason or "-",
            f"{entry.iterations:,} of {entry.total_iter:,}", number(entry.psnr, 2),
            " ".join(entry.message.split())[:_MOST_MESSAGE],
        ]
        for entry in entries[:MOST_ROWS]
    ]  # fmt: skip
    columns = ("job", "stage", "state", "reason", "iterations", "PSNR (dB)", "why")
    return Table("Stopped before their end", columns, rows, frozenset({4, 5}))


def cells_table(verdict: Verdict) -> Table:
    """Every cell."""
    rows = [
        [
            f"{e.name} {e.short_id}", e.stage, str(e.seed), e.state, number(e.psnr, 3), number(e.ssim, 4),
            "-" if e.hours is None else hours(e.hours), f"{e.iterations:,}", e.validated_text,
        ]
        for e in verdict.entries[:MOST_ROWS]
    ]  # fmt: skip
    columns = ("job", "stage", "seed", "state", "PSNR (dB)", "SSIM", "hours", "iterations", "validated on")
    count = len(verdict.entries)
    which = "All cells" if count <= MOST_ROWS else f"The first {MOST_ROWS} of {count:,} cells"
    return Table(which, columns, rows, frozenset({2, 4, 5, 6, 7}))


def _group_row(group: Group, pair: Comparison | None) -> list[str]:
    of = f"{group.n} of {len(group.cells)}" if group.n < len(group.cells) else str(group.n)
    against = "-" if pair is None else f"{-pair.difference:+.3f} dB: {pair.why}"
    if group.mean is not None and not group.finished:
        against = f"not finished: {group.measured[0].state}"
    return [
        group.label, of, number(group.mean, 3), number(group.sd, 3),
        number(group.best.psnr if group.best else None, 3),
        "-" if group.gain is None else f"{group.gain:+.2f}", number(group.ssim, 4),
        "-" if group.hours is None else hours(group.hours),
        "-" if group.parameters is None else f"{group.parameters:,}", number(group.ms_per_megapixel, 2),
        against,
    ]  # fmt: skip


def _cost(cost: str, value: float) -> str:
    if cost == "hours":
        return hours(value)
    return f"{value:,.0f}" if cost == "parameters" else f"{value:.2f} ms"
