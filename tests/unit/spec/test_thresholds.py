"""min_improvement is a gain in the unit of the metric that is watched."""

import pytest

from srqueue.spec.expand import DatasetRef, expand

PATH = "train.training_automations.IntelligentEarlyStopping.min_improvement"


def stopping(preset="convenience", **changes):
    automations = {"enabled": True, "IntelligentEarlyStopping": changes}
    ref = DatasetRef("photos", "a" * 64, 2, "photos", "a" * 64)
    layer = {"train": {"training_automations": automations}}
    found = expand(ref, preset=preset, overrides=[("mine.yaml", layer)])
    spec = found.spec.train.training_automations.IntelligentEarlyStopping
    return spec.min_improvement, found.origins.get(PATH)


@pytest.mark.parametrize(
    ("preset", "metric", "expected"),
    [
        ("convenience", "val/ssim", 0.001 * 0.005),
        ("fidelity", "val/ssim", 0.0005 * 0.005),
        ("convenience", "train/loss", 0.001 * 0.0015),
        ("quick", "val/ssim", 0.001 * 0.005),  # which says nothing itself: the default is in dB too
    ],
)
def test_what_a_preset_gives_in_decibels_is_translated(preset, metric, expected):
    value, origin = stopping(preset, monitor_metric=metric)
    assert value == pytest.approx(expected)
    assert origin.startswith("derived: ") and metric in origin


@pytest.mark.parametrize("metric", ["val/psnr", "val/psnr_rgb"])
def test_decibels_stay_decibels(metric):
    assert stopping(monitor_metric=metric) == (0.001, "preset convenience")


def test_what_the_user_says_is_in_the_users_unit():
    assert stopping(monitor_metric="val/ssim", min_improvement=0.002) == (0.002, "mine.yaml")
