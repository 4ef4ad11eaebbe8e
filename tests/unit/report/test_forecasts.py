"""Forecasts beside what came of them."""

import json

from srqueue.forecast.kept import forecasts_of, newest_of
from srqueue.report.forecasts import forecasts
from srqueue.report.subject import Try
from srqueue.run.folder import RunDir


def kept(iteration, psnr, end=(90.0, 100.0, 110.0)):
    return {"v": 1, "made": 50.0, "iteration": iteration, "end": list(end), "psnr": psnr, "ssim": None}


def test_what_was_kept_is_read_and_broken_lines_are_left_out(tmp_path):
    run = RunDir(tmp_path)
    assert forecasts_of(run) == ()
    lines = [json.dumps(kept(10, None)), "{broken", json.dumps({"other": 1}), json.dumps(kept(20, [1, 2, 3]))]
    run.forecasts_file.write_text("\n".join(lines))
    assert [f["iteration"] for f in forecasts_of(run)] == [10, 20]
    assert newest_of(run)["psnr"] == [1, 2, 3] and "v" not in newest_of(run)


def test_a_few_are_shown_with_what_came(subject):
    made = [kept(it, [31.0, 31.5, 32.0]) for it in range(10, 1000, 10)]
    ended = subject(
        forecasts=made, reason="completed", figures={"best/psnr": 31.8},
        tries=[Try(token=1, ended=120.0)],
    )  # fmt: skip
    ended.history.iteration = 1000
    table = forecasts(ended)
    assert [row[0] for row in table.rows] == ["100", "250", "500", "750", "990"]
    assert table.rows[0][1:4] == ["31.500 ± 0.500", "31.800", "yes"] and table.rows[0][7] == "above"
    assert forecasts(subject(forecasts=())) is None


def test_of_one_that_goes_on_nothing_is_said_to_have_come(subject):
    table = forecasts(subject(forecasts=[kept(10, None)], reason=""))
    assert table.rows[0][1:4] == ["-", "-", "-"] and table.rows[0][6:] == ["-", "-"]


def test_what_was_foreseen_of_a_rung_is_not_held_against_what_came_beyond(subject):
    made = [{**kept(10, None), "until": 50}, {**kept(60, None), "until": None}]
    ended = subject(forecasts=made, reason="completed")
    ended.history.iteration = 100
    assert [row[0] for row in forecasts(ended).rows] == ["60"]
    ended.history.iteration = 50
    assert "10" in [row[0] for row in forecasts(ended).rows]
