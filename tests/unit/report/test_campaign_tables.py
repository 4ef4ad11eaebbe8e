"""Tables of a campaign out of curves that are written here."""

import statistics

import pytest

from srqueue.campaign.verdict.entry import Entry
from srqueue.campaign.verdict.judge import judge
from srqueue.report.campaign_tables import bought, campaign_tables, leaderboard
from srqueue.report.campaign_texts import as_markdown


@pytest.fixture
def night(subject, told):
    """Two rates with two seeds, twelve hours each; (verdict, subjects)."""
    slopes = {("fast", 1): 0.5, ("fast", 2): 0.7, ("slow", 1): 0.25, ("slow", 2): 0.25}
    subjects, entries = {}, []
    for n, ((rate, seed), slope) in enumerate(slopes.items()):
        job = f"01J0000000000000000000000{n}"
        subjects[job] = subject(id=job, events=told(12, lambda hour, slope=slope: 27.0 + slope * hour))
        entries.append(
            Entry(
                id=job,
                name=f"{rate}_{seed}",
                stage="main",
                axes={"lr": rate, "seed": seed},
                seed=seed,
                psnr=27.0 + 12 * slope,
                bicubic_psnr=27.0,
                seconds=43200.0,
                reason="completed",
            )
        )
    return judge(entries), subjects


def test_what_each_hour_bought_is_the_mean_over_seeds_and_its_slope(night):
    verdict, subjects = night
    table = bought(verdict.boards[0], subjects)
    assert table.columns == (
        "cells that differ in their seed",
        "seeds",
        "at hour 4",
        "at hour 8",
        "at hour 12",
    )
    at = {row[0]: row[1:] for row in table.rows}
    fast = statistics.fmean([27 + 8 * 0.5, 27 + 8 * 0.7])
    assert at["lr fast"] == ["2", "29.40", f"{fast:.2f} (+0.60 dB/h)", "34.20 (+0.60 dB/h)"]
    assert at["lr slow"] == ["2", "28.00", "29.00 (+0.25 dB/h)", "30.00 (+0.25 dB/h)"]


def test_jobs_whose_curves_are_not_known_bought_nothing_that_is_known(night):
    verdict, subjects = night
    assert bought(verdict.boards[0], {}) is None
    one = dict(list(subjects.items())[:1])
    assert [row[:2] for row in bought(verdict.boards[0], one).rows] == [["lr fast", "1"]]


def test_a_leaderboard_says_mean_spread_and_gain(night):
    verdict, _ = night
    first, second = leaderboard(verdict.boards[0], verdict.pairs[0]).rows
    values = [27 + 12 * 0.5, 27 + 12 * 0.7]
    assert first[:6] == [
        "lr fast", "2", f"{statistics.fmean(values):.3f}", f"{statistics.stdev(values):.3f}", "35.400",
        "+7.20",
    ]  # fmt: skip
    assert first[-1] == "-" and second[-1].startswith("-4.200 dB: not known")


def test_all_tables_are_there_and_as_markdown(night):
    verdict, subjects = night
    captions = [table.caption.split(" on ")[0] for table in campaign_tables(verdict, subjects)]
    assert captions == [
        "Leaderboard", "Paired comparisons", "What each hour bought, PSNR in dB", "Pareto fronts",
    ]  # fmt: skip
    text = as_markdown(verdict, subjects)
    assert "lr fast leads with 34.20" in text
    assert "| lr slow | 2 | 28.00 | 29.00 (+0.25 dB/h) | 30.00 (+0.25 dB/h) |" in text
    assert "no figures of single pictures are known" in text
