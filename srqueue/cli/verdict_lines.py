"""The leaderboards of a campaign in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srqueue.cli.output import print_table

if TYPE_CHECKING:
    from srqueue.campaign.verdict.groups import Board, Group
    from srqueue.campaign.verdict.judge import Verdict
    from srqueue.campaign.verdict.paired import Comparison

COLUMNS = ("GROUP", "SEEDS", "PSNR", "SD", "BEST", "GAIN", "HOURS", "MS/MP", "AGAINST THE LEADER")
MOST_ROWS = 20


def show(verdict: Verdict) -> None:
    """Prints each board with figures, and what must not be compared."""
    for board, pairs in zip(verdict.boards, verdict.pairs, strict=True):
        if not board.measured:
            continue
        told = {pair.other.label: pair for pair in pairs if pair.better is board.measured[0]}
        print(f"\nleaderboard on {board.validated}")
        print_table(COLUMNS, [_row(group, told.get(group.label)) for group in board.measured[:MOST_ROWS]])
        _more(board)
    for remark in verdict.remarks:
        print(f"note: {remark}")


def _more(board: Board) -> None:
    if (more := len(board.measured) - MOST_ROWS) > 0:
        print(f"and {more} more: srqueue campaign report")


def _row(group: Group, pair: Comparison | None) -> list[str]:
    figures = (group.mean, group.sd, group.best.psnr if group.best else None)
    told = "-" if pair is None else f"{-pair.difference:+.3f} dB: {pair.why}"
    return [
        group.label, str(group.n), *("-" if value is None else f"{value:.3f}" for value in figures),
        "-" if group.gain is None else f"{group.gain:+.2f}",
        "-" if group.hours is None else f"{group.hours:.2f}",
        "-" if group.ms_per_megapixel is None else f"{group.ms_per_megapixel:.1f}",
        told if group.finished else f"not finished: {group.measured[0].state}",
    ]  # fmt: skip
