"""Curves in a terminal."""

import math

import pytest

from srqueue.cli.curve_lines import Curves
from srqueue.cli.plot import plot
from srqueue.cli.sparkline import evenly, sparkline
from srqueue.run.events import Event


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ([], 10, ""),
        ([1.0], 10, "▄"),
        ([5, 5, 5], 10, "▄▄▄"),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, "▁▂▃▄▅▆▇█"),
        ([0, 0, 8, 8], 2, "▁█"),
        ([3, math.nan, 1, math.inf], 10, "█▁"),
        (range(1000), 4, "▁▃▆█"),
        ([1, 2], 0, ""),
    ],
)
def test_a_sparkline_rises_with_its_values(values, width, drawn):
    assert sparkline(list(values), width) == drawn


def test_a_curve_whose_early_reports_were_thinned_keeps_its_shape():
    at = [1, 2, 4, 8, 16, 32, 64, *range(100, 1001, 10)]
    drawn = evenly(at, [float(it) for it in at], 10)
    assert len(drawn) == 10
    assert all(abs(value - (100 * i + 50)) < 30 for i, value in enumerate(drawn))
    assert evenly([1, 2], [5.0, 6.0], 10) == [5.0, 6.0]
    assert evenly([0, 1, 2, 100], [1.0, 1.0, 1.0, 9.0], 3) == [1.0, 1.0, 9.0]


def run(validations, first=0):
    for n, psnr in enumerate(validations, 1):
        it = first + 100 * n
        yield Event(0, n, 1, it, "train", {"loss": 1 / n, "it_s": 50.0})
        yield Event(0, n, 1, it, "val", {"val/psnr": psnr, "bicubic/psnr": 29.5})


def seen(events):
    curves = Curves()
    for event in events:
        curves.see(event)
    return curves


def test_each_figure_is_a_line_with_where_it_began_and_is(validations=(30.0, 31.0, 31.5)):
    psnr, loss, it_s = seen(run(validations)).lines(6)
    assert psnr == "PSNR  ▁▆█     30.00 to 31.50 dB"
    assert loss == "loss  █▃▁     1.0000 to 0.3333"
    assert it_s.endswith("50.0 to 50.0")


def test_one_value_is_no_curve():
    assert seen(run([30.0])).lines(6) == []
    assert plot(seen(run([30.0])).history, 60, 10) == ""


def test_what_is_trained_again_is_drawn_once():
    again = Event(0, 9, 2, 100, "phase", {"phase": "restored"})
    curves = seen([*run([30.0, 20.0, 25.0]), again, *run([31.0], first=100)])
    assert curves.history.curves["val/psnr"].values == [30.0, 31.0]


def test_weeks_of_reports_are_held_as_few_and_the_curve_stays_whole():
    curves = seen(Event(0, n, 1, n, "train", {"loss": 1.0}) for n in range(1, 40_000))
    its = curves.history.curves["loss"].it
    assert len(its) <= 4000 and its[0] < 100 and its[-1] == 39_999


def test_a_plot_has_no_colours_and_shows_the_level_of_bicubic():
    pytest.importorskip("plotext")
    drawn = plot(seen(run([30.0, 31.0, 31.5])).history, 60, 10)
    assert "\x1b" not in drawn
    assert drawn.splitlines()[0].strip() == "PSNR (dB) over iterations, level: bicubic"
    assert "31.5" in drawn and "29.5" in drawn and "─────" in drawn.splitlines()[-3]
    assert max(map(len, drawn.splitlines())) <= 60
