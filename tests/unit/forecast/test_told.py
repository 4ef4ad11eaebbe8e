"""A stored forecast in words."""

import time

import pytest

from srqueue.forecast.bands import Band, band_of, quantile
from srqueue.forecast.told import Told, clock, plus_minus

NOW = time.mktime((2026, 3, 7, 12, 0, 0, 0, 0, -1))
STORED = {
    "made": NOW, "iteration": 1200, "end": [NOW + 5400, NOW + 7800, NOW + 10200],
    "psnr": [31.36, 31.42, 31.48], "ssim": [0.9, 0.91, 0.92], "ends_at": [8000.0, 9000.0, 10000.0],
}  # fmt: skip


def test_a_forecast_is_told_in_a_sentence():
    told = Told.of({"forecast": STORED})
    assert told.sentence(NOW) == "ends 14:10 ± 40 min at 31.42 ± 0.06 dB"
    assert told.left(NOW) == "2.2 h ± 40 min" and told.quality() == "31.42 ± 0.06 dB"
    later = Told.of({"forecast": {**STORED, "psnr": None}})
    assert later.sentence(NOW) == "ends 14:10 ± 40 min" and later.quality() is None
    assert Told.of({"forecast": {**STORED, "end": None, "psnr": None}}).sentence(NOW) is None


@pytest.mark.parametrize("raw", [None, {}, {"made": "x"}, [1], {"made": None}])
def test_what_is_no_forecast_says_nothing(raw):
    assert Told.of({"forecast": raw}) is None and Told.of({}) is None


def test_bands_that_are_broken_are_left_out():
    assert Told.of({"forecast": {"made": 1.0, "end": [1, 2], "psnr": "x"}}).sentence(NOW) is None


def test_a_day_is_named_where_it_is_another():
    assert clock(NOW + 86400, NOW).split()[1] == "12:00" and len(clock(NOW + 86400, NOW).split()[0]) == 3
    assert clock(NOW + 30 * 86400, NOW).startswith("2026-04-0")


def test_half_a_width_is_never_rounded_to_less():
    assert plus_minus(Band(30.0, 30.001, 30.004)) == "30.00 ± 0.01"


def test_quantiles():
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0 and quantile([1.0, 2.0], 0.25) == 1.25
    band = band_of(range(101))
    assert (band.low, band.middle, band.high) == (10, 50, 90)
    with pytest.raises(ValueError, match="no value"):
        band_of([])
