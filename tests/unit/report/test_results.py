"""Results and the paper's table, out of event lines."""

import csv
import io
import json

from srqueue.report.energy import Energy, energy_of
from srqueue.report.plots import MOST_POINTS, drawings, spread
from srqueue.report.results import at_moments, moment_text, moments, preset, result
from srqueue.report.subject import Try
from srqueue.report.tables import quality_over_time
from srqueue.report.texts import as_csv, as_json, as_markdown
from srqueue.run.events import Event


def test_quality_is_read_at_the_papers_hours(subject, told):
    convenience = subject("convenience", told(12, lambda hour: 27.0 + hour / 4))
    fidelity = subject("fidelity", told(30, lambda hour: 27.0 + hour / 8))
    at = moments([convenience, fidelity])
    assert [moment_text(s) for s in at] == ["hour 8", "hour 12", "hour 16", "hour 20", "hour 24", "hour 30"]
    assert at_moments(convenience, at) == [29.0, 30.0, "ended", "ended", "ended", "ended"]
    assert at_moments(fidelity, at) == [28.0, 28.5, 29.0, 29.5, 30.0, 30.75]


def test_the_table_has_hours_iterations_quality_and_why_it_stopped(subject):
    table = quality_over_time(
        [subject(origins={"train.total_iter": "preset convenience", "scale": "default"})]
    )
    assert table.columns[:7] == ("job", "preset", "hours", "iterations", "PSNR (dB)", "SSIM", "stop reason")
    assert [c.removeprefix("PSNR at ") for c in table.columns[7:]] == ["hour 4", "hour 8", "hour 12"]
    (row,) = table.rows
    assert row[1:7] == [
        "convenience",
        "12.0 h",
        "12,000",
        "30.00",
        "0.8000",
        "completed: all iterations done",
    ]
    assert row[7:] == ["28.00", "29.00", "30.00"]


def test_a_run_that_goes_on_has_not_ended(subject):
    running = subject(state="running", reason="", message="")
    assert at_moments(running, [4 * 3600, 16 * 3600]) == [28.0, "-"]
    assert result(running).stop_reason == "running"


def test_short_runs_are_read_at_minutes(subject):
    events = [Event(0, 0, 1, 0, "phase", {"phase": "started"})]
    events += [Event(i, 20.0 * i, 1, 10 * i, "val", {"val/psnr": 30.0 + i}) for i in range(1, 10)]
    short = subject(events=events)
    at = moments([short])
    assert [moment_text(s) for s in at][-2:] == ["minute 1", "minute 2"]
    assert at_moments(short, at)[-2:] == [33.0, 36.0] and at_moments(short, at)[0] == "-"


def test_the_best_and_the_gain_are_those_of_the_exported_weights_where_known(subject):
    figures = {"best/psnr": 31.0, "best/ssim": 0.9, "bicubic/psnr": 27.5, "best/iteration": 9000.0}
    row = result(subject(figures=figures))
    assert (row.psnr, row.ssim, row.gain, row.best_iteration) == (31.0, 0.9, 3.5, 9000)
    assert result(subject()).gain == 3.0


def test_the_preset_is_the_one_that_most_values_came_from(subject):
    origins = {
        "a": "preset quick",
        "b": "preset fidelity for span",
        "c": "preset fidelity",
        "d": "flag --set",
    }
    assert preset(subject(origins=origins)) == "fidelity"
    assert preset(subject()) == ""


def test_energy_is_power_over_time_also_of_what_was_trained_again():
    def reading(t, token, watts):
        return Event(0, t, token, 1, "train", {"gpu_watts": watts})

    assert energy_of([Event(0, 0, 1, 1, "train", {"loss": 1.0})]) is None
    kwh, hours, *_ = energy_of([reading(0, 1, 300), reading(600, 1, 300), reading(90_000, 2, 100)])
    assert (round(kwh, 6), round(hours, 4)) == (0.05, 0.1667), "not for the day between the attempts"
    kwh, *_ = energy_of([reading(0, 1, 9), reading(60, 1, 60), reading(5000, 1, 100)])
    assert round(kwh * 3.6e6) == 3600, "nor for a gap in which nothing was heard"


def test_energy_is_the_last_that_each_attempt_told_also_of_one_that_was_lost():
    def told(t, token, kwh, estimated=0.0):
        data = {"attempt_kwh": kwh, "attempt_kwh_estimated": estimated, "gpu_watts": 99.0}
        return Event(0, t, token, 1, "train", data)

    events = [told(0, 1, 0.1), told(60, 1, 0.3, 0.1), told(5000, 2, 0.2), told(5060, 2, 0.5, 0.1)]
    found = energy_of(events, {"price": 0.5, "currency": "EUR"})
    assert (found.kwh, found.estimated, found.cost) == (0.8, 0.2, 0.4)
    assert found.text() == "0.8 kWh, 0.2 kWh of it estimated, 0.40 EUR"
    assert Energy(0.8, 1.0, 0.8).text() == "0.8 kWh, estimated"
    assert Energy(0.8, 1.0).text() == "0.8 kWh, measured"


def test_a_long_curve_is_thinned_and_keeps_both_ends(subject):
    events = [Event(i, float(i), 1, i, "train", {"loss": 1.0 + i}) for i in range(1, 5001)]
    (plot,) = drawings([subject(events=events)])
    (line,) = plot["lines"]
    assert len(line["it"]) == MOST_POINTS and (line["it"][0], line["it"][-1]) == (1, 5000)
    assert spread(3, 5) == [0, 1, 2]


def test_csv_has_a_line_a_job_and_no_formula(subject):
    text = as_csv([subject("=cmd()"), subject("b")])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["job"] for row in rows] == ["'=cmd()", "b"]
    assert float(rows[1]["psnr"]) == 30.0 and float(rows[1]["psnr_at_14400_s"]) == 28.0


def test_json_has_attempts_provenance_and_remarks(subject):
    tries = [Try(token=1, where="w1 on here", reason="crashed", iteration=70)]
    told = json.loads(as_json([subject(tries=tries), subject("b", identity="d" * 64)]))
    first = told["jobs"][0]
    assert first["attempts"][0]["reason"] == "crashed" and first["provenance"]["seed"] == "7"
    assert "not validated on the same pictures" in told["remarks"][0]
    assert told["differences"]["datasets.val.identity"] == ["a" * 64, "d" * 64]


def test_markdown_cells_cannot_break_out(subject):
    text = as_markdown([subject("a|b<script>")])
    assert "a\\|b&lt;script&gt;" in text and "<script>" not in text
