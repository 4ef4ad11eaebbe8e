"""The verdict as flat rows and JSON values, for tables of other programs."""

from __future__ import annotations

from typing import Any

from srqueue.campaign.cells import shown
from srqueue.campaign.verdict.entry import Entry
from srqueue.campaign.verdict.groups import SEED_KEYS, Board, Group
from srqueue.campaign.verdict.judge import Verdict
from srqueue.campaign.verdict.paired import Comparison
from srqueue.campaign.verdict.pareto import COSTS, points


def rows(verdict: Verdict) -> list[dict[str, Any]]:
    """A row a cell, all with the same keys: what it is, its axes, what came out of it."""
    axes = axes_of(verdict)
    return [_row(entry, axes) for entry in verdict.entries]


def axes_of(verdict: Verdict) -> list[str]:
    """What cells differ in, but for the seed, in the order of the file."""
    keys = dict.fromkeys(key for entry in verdict.entries for key in entry.axes)
    return [key for key in keys if key not in SEED_KEYS]


def boards(verdict: Verdict) -> list[dict[str, Any]]:
    """Leaderboards with their comparisons and fronts."""
    return [_board(board, pairs) for board, pairs in zip(verdict.boards, verdict.pairs, strict=True)]


def whole(verdict: Verdict) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "verdict": verdict.sentence,
        "winner": verdict.winner.id if verdict.winner else None,
        "remarks": list(verdict.remarks),
        "boards": boards(verdict),
        "cells": rows(verdict),
    }


def _row(entry: Entry, axes: list[str]) -> dict[str, Any]:
    scores = entry.scores
    gain = None if entry.psnr is None or entry.bicubic_psnr is None else entry.psnr - entry.bicubic_psnr
    return {
        "job": entry.id, "name": entry.name, "stage": entry.stage,
        **{key: _plain(entry.axes.get(key, entry.choices.get(key))) for key in axes},
        "seed": entry.seed, "state": entry.state,
        "stop_reason": entry.reason, "psnr": entry.psnr, "ssim": entry.ssim,
        "bicubic_psnr": entry.bicubic_psnr, "gain": gain, "seconds": entry.seconds, "hours": entry.hours,
        "iterations": entry.iterations, "total_iter": entry.total_iter,
        "parameters": scores.parameters if scores else None,
        "ms_per_megapixel": scores.ms_per_megapixel if scores else None,
        "timed_on": scores.device if scores else "", "validated_on": entry.validated_text,
        "message": entry.message,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """A value that fits into a cell of a table."""
    return value if isinstance(value, str | int | float | None) else shown(value)


def _board(board: Board, pairs: tuple[Comparison, ...]) -> dict[str, Any]:
    fronts = {cost: points(board.measured, cost) for cost in COSTS}
    noise = board.noise
    return {
        "validated_on": board.validated,
        "seed_sd": noise[0] if noise else None,
        "groups": [_group(group) for group in board.groups],
        "comparisons": [_pair(pair) for pair in pairs],
        "pareto": {
            cost: [{"group": p.group.label, cost: p.cost, "psnr": p.quality} for p in found if p.front]
            for cost, found in fronts.items()
        },
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "group": group.label, "stage": group.stage, "seeds": group.n, "psnr": group.mean, "sd": group.sd,
        "best_psnr": group.best.psnr if group.best else None,
        "best_job": group.best.id if group.best else None,
        "gain": group.gain, "ssim": group.ssim, "hours": group.hours, "parameters": group.parameters,
        "ms_per_megapixel": group.ms_per_megapixel, "timed_on": group.device, "finished": group.finished,
        "jobs": [cell.id for cell in group.cells],
    }  # fmt: skip


def _pair(pair: Comparison) -> dict[str, Any]:
    return {
        "better": pair.better.label, "other": pair.other.label, "difference": pair.difference,
        "low": pair.low, "high": pair.high, "pictures": pair.pictures, "p": pair.p,
        "p_seeds": pair.p_seeds, "p_holm": pair.p_holm,
        "seeds": list(pair.seeds), "seeds_agree": pair.seeds_agree, "seed_half": pair.seed_half,
        "claim": pair.claim, "why": pair.why,
    }  # fmt: skip
