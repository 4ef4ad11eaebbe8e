"""What earlier runs tell of those that have not begun."""

from datetime import UTC, datetime

import pytest

from srqueue.forecast.bands import Band
from srqueue.forecast.earlier import Earlier, Ended, before_start
from srqueue.forecast.timing import Speed
from srqueue.spec.expand import DatasetRef, expand

PHOTOS = DatasetRef("photos", "a" * 64, 2, "photos", "a" * 64)


def spec(seed=0, preset="convenience", **changes):
    layer = {"manual_seed": seed, **changes}
    return expand(PHOTOS, preset=preset, overrides=[("test", layer)]).spec


def ran(psnr=31.0, it_s=20.0, device="GPU one", cuda=True, **changes):
    return Ended("cc0 1a2b3c", spec(**changes), 40_000, it_s, 2.0, psnr, 0.9, device, cuda)


def test_without_history_nothing_is_said():
    found = before_start(spec(), Earlier())
    assert (found.seconds, found.psnr, found.ssim) == (None, None, None)
    lent = before_start(spec(), Earlier(), known=Speed(10.0, 0.0, "a short measurement", True))
    assert lent.seconds.middle == pytest.approx(4000) and lent.made_from["speed"] == "a short measurement"


def test_another_seed_is_the_best_witness():
    earlier = Earlier.of([ran(31.0, seed=1), ran(31.1, seed=2), ran(35.0, train={"optim_g": {"lr": 1e-5}})])
    found = before_start(spec(3), earlier)
    assert found.psnr.low < 31.0 < 31.1 < found.psnr.high and found.psnr.half < 0.3
    assert found.made_from["quality"] == "2 runs of the same kind"
    assert found.seconds.middle == pytest.approx(40_000 / 20 + 40 * 2)
    assert found.seconds.low < found.seconds.middle < found.seconds.high


def test_a_similar_run_says_less():
    same = before_start(spec(), Earlier.of([ran()]))
    similar = before_start(spec(), Earlier.of([ran(train={"optim_g": {"lr": 1e-5}})]))
    assert similar.psnr.half > same.psnr.half and "same network" in similar.made_from["quality"]
    far = before_start(spec(train={"total_iter": 400_000}), Earlier.of([ran()]))
    assert far.psnr is None and far.seconds is not None
    assert before_start(spec(preset="tuned"), Earlier.of([ran()])).psnr is None


def test_speeds_of_the_same_device_count():
    earlier = Earlier.of(
        [ran(it_s=5.0, device="Old CPU", cuda=False), ran(it_s=50.0), ran(it_s=20.0, device="GPU two")]
    )
    assert earlier.speed(spec(), cuda=True, devices=["GPU one"]).it_s == 50.0
    assert earlier.speed(spec(), cuda=False).it_s == 5.0
    assert earlier.speed(spec(), cuda=True, devices=["GPU three"]).doubt > 0.5
    assert earlier.speed(spec(preset="quick")) is None


def test_the_speed_of_a_team_is_not_that_of_one():
    team = {"compute": {"devices": 2}}
    earlier = Earlier.of([ran(it_s=38.0, **team)])
    assert before_start(spec(), earlier).seconds is None
    assert before_start(spec(**team), earlier).seconds is not None


def test_one_that_failed_tells_of_its_speed_alone():
    found = before_start(spec(), Earlier.of([ran(psnr=None)]))
    assert found.psnr is None and found.seconds is not None


def test_a_rule_or_a_rung_shortens_it_and_its_quality_is_not_that_of_its_kind():
    earlier = Earlier.of([ran()])
    found = before_start(spec(stop=["20000 it"]), earlier)
    assert found.seconds.middle == pytest.approx(20_000 / 20 + 20 * 2)
    assert found.ends_at.middle == 20_000 and "same network" in found.made_from["quality"]
    assert before_start(spec(), earlier, rung=4_000).seconds.middle == pytest.approx(4_000 / 20 + 4 * 2)
    whole = before_start(spec(stop=["90000 s"]), earlier)
    assert whole.ends_at is None and "same kind" in whole.made_from["quality"]


def test_clocks_cap_the_time():
    earlier, at = Earlier.of([ran()]), datetime(2026, 12, 1, 8, tzinfo=UTC)
    capped = before_start(spec(stop=["600 s"]), earlier)
    assert capped.seconds.high == 600 and capped.ends_at.middle == pytest.approx(40_000 * 600 / 2080, abs=1)
    moment = before_start(spec(stop=[at.isoformat(sep=" ")]), earlier, now=at.timestamp() - 60)
    assert moment.seconds == Band(60, 60, 60)


def test_validations_of_other_pictures_say_nothing():
    val = {"val": {"name": "other", "identity": "b" * 64}}
    other, own = ran(datasets=val), ran()
    found = before_start(spec(), Earlier.of([other]))
    assert found.seconds.middle == pytest.approx(40_000 / 20)
    assert "without validations" in found.made_from["speed"]
    slow = Ended(**{**vars(other), "validation_s": 60.0})
    assert before_start(spec(), Earlier.of([slow, own])).seconds.middle == pytest.approx(40_000 / 20 + 40 * 2)
