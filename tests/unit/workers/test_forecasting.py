"""Forecasts are made beside a training, and nothing that goes wrong with them reaches it."""

import json
import logging
import time

import pytest

from srqueue.run.events import Event
from srqueue.run.folder import RunDir
from srqueue.spec.windows import parse_windows
from workers import forecasting
from workers.forecasting import Forecaster


@pytest.fixture
def run(tmp_path):
    return RunDir(tmp_path / "run").create()


@pytest.fixture
def forecaster(run, tiny_spec, monkeypatch):
    monkeypatch.setattr(forecasting, "_FREE_SECONDS", 60.0)  # on a machine that is busy, too
    return Forecaster(tiny_spec(None, 10_000, val={"val_freq": 100}), run, 1)


def events(until, begin=100, token=1):
    for n, it in enumerate(range(begin, until + 1, 100)):
        yield Event(2 * n, it / 50, token, it, "train", {"it_s": 50.0, "lr": 1e-3})
        val = {"val/psnr": 32 - 300 / it, "val/ssim": 0.9, "bicubic/psnr": 28.0, "seconds": 0.1}
        yield Event(2 * n + 1, it / 50, token, it, "val", val)


def kept(run):
    return [json.loads(line) for line in run.forecasts_file.read_text().splitlines()]


def test_each_validation_makes_one_and_it_is_kept(forecaster, run):
    assert forecaster.newest() is None
    forecaster.see(list(events(300)))
    first = forecaster.newest()
    assert first["psnr"] is None and first["end"][0] > first["made"]
    forecaster.see(list(events(800, begin=400)))
    second = forecaster.newest()
    assert 31.6 < second["psnr"][0] < 32.5 and forecaster.newest() is second
    assert [(m["iteration"], m["from"]["validations"], m["v"]) for m in kept(run)] == [
        (300, 3, 1),
        (800, 8, 1),
    ]


def test_a_run_that_is_over_keeps_its_last_forecast(forecaster, run):
    forecaster.see(list(events(9900)))
    last = forecaster.newest()
    forecaster.see(list(events(10_000, begin=10_000)))
    assert forecaster.newest() is last and len(kept(run)) == 1


def test_it_takes_no_more_than_its_share_of_the_time(forecaster, run, monkeypatch):
    monkeypatch.setattr(forecasting, "_FREE_SECONDS", 0.0)
    monkeypatch.setattr(forecasting, "_SHARE", 0.0)
    for until in (500, 600, 700):
        forecaster.see(list(events(until, begin=until)))
        forecaster.newest()
    assert len(kept(run)) == 1  # the first was free, and has used up what there was


def test_a_disk_that_takes_no_line_loses_only_that(forecaster, run):
    run.forecasts_file.mkdir()
    forecaster.see(list(events(800)))
    assert forecaster.newest()["psnr"] is not None


def test_whatever_goes_wrong_ends_the_forecasts_alone(forecaster, monkeypatch, caplog):
    forecaster.see(list(events(800)))
    before = forecaster.newest()

    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(forecasting, "forecast_run", broken)
    log = logging.Logger("own")  # other tests may have silenced the module's
    log.addHandler(caplog.handler)
    monkeypatch.setattr(forecasting, "log", log)
    forecaster.see(list(events(900, begin=900)))
    assert forecaster.newest() is before and forecaster.newest() is before
    assert caplog.text.count("no forecasts of") == 1


def test_what_earlier_attempts_have_written_is_known(run, tiny_spec):
    first = run.write_attempt(1, None)
    lines = [Event(0, 1.0, 1, 0, "phase", {"phase": "started"}), *events(600)]
    first.events_file.write_text("".join(e.line() + "\n" for e in lines))
    second = run.write_attempt(2, None)
    restored = Event(0, 20.0, 2, 600, "phase", {
        "phase": "restored", "from_token": 1, "from_offset": first.events_file.stat().st_size,
    })  # fmt: skip
    second.events_file.write_text(restored.line() + "\n")
    later = Forecaster(tiny_spec(None, 10_000, val={"val_freq": 100}), run, 2)
    later.see([restored, *events(700, begin=700, token=2)])
    assert later.newest()["psnr"] is not None
    assert kept(run)[0]["from"]["validations"] == 7


def test_a_trial_is_forecast_to_its_rung(run, tiny_spec):
    trial = Forecaster(tiny_spec(None, 10_000, val={"val_freq": 100}, stop=["90000 s"]), run, 1, 2000)
    trial.see(list(events(1000)))
    assert trial.newest()["ends_at"] == [2000] * 3 and kept(run)[-1]["until"] == 2000
    last = trial.newest()
    trial.see(list(events(2000, begin=2000)))
    assert trial.newest() is last


def test_what_is_left_is_trained_while_windows_are_open(run, tiny_spec, local_time):
    local_time("UTC")
    now = time.time()
    soon = [time.strftime("%H:%M", time.localtime(now + s)) for s in (2 * 3600, 4 * 3600)]
    spec, of_worker = tiny_spec(None, 10_000, val={"val_freq": 100}), parse_windows("-".join(soon))
    for window, windows in ((["-".join(soon)], ()), ((), of_worker), (["-".join(soon)], of_worker)):
        one = Forecaster(
            spec.model_copy(update={"window": parse_windows(list(window))}), run, 1, None, windows
        )
        one.see(list(events(800)))
        low, middle, high = one.newest()["end"]
        # 9,200 iterations at 50 a second, from two hours on.
        assert low < middle < high and abs(middle - (now + 2 * 3600 + 184)) < 120
