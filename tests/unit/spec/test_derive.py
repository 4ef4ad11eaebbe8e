"""What data, length and optimizer make of a preset's values; what the user set stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SpecError
from srqueue.spec.derive import PictureStats, derive
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.layers import Layers

STOP = "train.training_automations.IntelligentEarlyStopping.patience"
RATE = "train.training_automations.IntelligentLearningRateScheduler.plateau_patience"


def expanded(stats=None, *layers, preset="convenience", scale=2):
    ref = DatasetRef("photos", "a" * 64, scale, "photos", "a" * 64, stats or PictureStats())
    return expand(ref, preset=preset, overrides=[("mine.yaml", layer) for layer in layers])


@pytest.mark.parametrize(
    ("side", "scale", "crop"),
    [
        (0, 2, 64),
        (128, 2, 64),
        (127, 2, 56),
        (100, 2, 48),
        (100, 4, 24),
        (200, 3, 64),
        (78, 2, 32),
        (5, 2, 8),
    ],
)
def test_crops_shrink_to_what_nearly_all_pictures_hold(side, scale, crop):
    found = expanded(PictureStats(pictures=500, p5_side=side), scale=scale)
    assert found.spec.datasets.train.lq_size == crop
    if crop < 64:
        assert found.origins["datasets.train.lq_size"].startswith("derived: 95 %")
        assert str(side) in found.origins["datasets.train.lq_size"]


def test_a_crop_that_the_user_set_stays():
    layer = {"datasets": {"train": {"lq_size": 64}}}
    found = expanded(PictureStats(pictures=500, p5_side=80), layer)
    assert found.spec.datasets.train.lq_size == 64
    assert found.origins["datasets.train.lq_size"] == "mine.yaml"


@pytest.mark.parametrize(
    ("stats", "told"),
    [
        (PictureStats(pictures=9, median_width=999, median_height=999), "only 9 pictures"),
        (PictureStats(pictures=90, median_width=100, median_height=100), "only 0.9 million pixels"),
        (PictureStats(pictures=900, sharpness=0.08), "blurred or enlarged (sharpness 0.08"),
    ],
)
def test_poor_pictures_are_told(stats, told):
    assert any(told in notice for notice in expanded(stats).notices)


@pytest.mark.parametrize(
    "stats",
    [
        PictureStats(),
        PictureStats(pictures=91, median_width=264, median_height=204, sharpness=0.4),
        PictureStats(pictures=900),
    ],
)
def test_good_or_unknown_pictures_are_not_grumbled_at(stats):
    assert not any("pictures" in notice or "pixels" in notice for notice in expanded(stats).notices)


@pytest.mark.parametrize(("total", "each"), [(40_000, 1000), (8_000, 200), (1_000, 50), (300, 50), (30, 30)])
def test_a_shorter_run_validates_often_enough_but_never_all_the_time(total, each):
    found = expanded(None, {"train": {"total_iter": total}})
    assert found.spec.val.val_freq == each


def test_the_interval_that_the_user_set_stays_however_short():
    assert expanded(None, {"train": {"total_iter": 300}, "val": {"val_freq": 7}}).spec.val.val_freq == 7


def test_patience_sees_at_least_two_validations():
    found = expanded(None, {"val": {"val_freq": 3000}})
    stopping = found.spec.train.training_automations
    assert stopping.IntelligentEarlyStopping.patience == 6000
    assert stopping.IntelligentLearningRateScheduler.plateau_patience == 3000
    assert found.origins[STOP] == "derived: at least two validations, one each 3000 iterations"
    own = expanded(None, {"val": {"val_freq": 3000}, "train": {"training_automations": {
        "IntelligentEarlyStopping": {"patience": 500}}}})  # fmt: skip
    assert own.spec.train.training_automations.IntelligentEarlyStopping.patience == 500


@given(st.integers(1, 200_000), st.sampled_from(["quick", "convenience", "fidelity", "max-fidelity"]))
def test_whatever_the_length_the_run_validates_and_nothing_outlasts_it(total, preset):
    found = expanded(None, {"train": {"total_iter": total}}, preset=preset)
    train, each = found.spec.train, found.spec.val.val_freq
    if found.origins["val.val_freq"].startswith(("scaled", "derived")):
        assert each >= min(50, total)
        assert total // each >= min(10, total // 50)
    assert train.warmup_iter < total
    assert train.training_automations.IntelligentEarlyStopping.patience <= max(total, 2000)


def test_milestones_of_a_preset_shrink_with_it():
    layers = Layers()
    layers.lay({"train": {"scheduler": {"type": "multistep", "milestones": [3000, 3500]}}}, "preset x")
    layers.lay({"train": {"total_iter": 40}}, "mine.yaml")
    derive(layers, PictureStats(), 4000)
    assert layers.get("train.scheduler.milestones") == [30, 35]


def test_schedule_free_switches_average_and_schedule_off():
    found = expanded(None, {"train": {"optim_g": {"type": "ScheduleFreeAdamW"}}}, preset="quick")
    assert (found.spec.train.ema_decay, found.spec.train.scheduler.type) == (0, "constant")
    assert found.origins["train.ema_decay"].startswith("derived: ScheduleFreeAdamW")
    assert found.origins["train.scheduler.type"].startswith("derived: ScheduleFreeAdamW")


def test_an_average_that_the_user_wants_beside_schedule_free_is_refused_not_changed():
    layer = {"train": {"optim_g": {"type": "ScheduleFreeAdamW"}, "ema_decay": 0.9}}
    with pytest.raises(SpecError, match="keeps its own average"):
        expanded(None, layer)


def test_the_same_figures_give_the_same_spec_and_every_value_says_why():
    stats = PictureStats(pictures=50, p5_side=90, median_width=200, median_height=200, sharpness=0.1)
    first, second = (expanded(stats, {"train": {"total_iter": 900}}) for _ in range(2))
    assert first == second
    derived = [o for o in first.origins.values() if o.startswith(("derived", "scaled"))]
    assert all(": " in origin or origin == "derived" for origin in derived)


def switched_on(total, **automations):
    return {"train": {"total_iter": total, "training_automations": {"enabled": True, **automations}}}


@pytest.mark.parametrize(("total", "stop", "cut"), [(150, 100, 50), (1500, 300, 1000), (3000, 2000, 1000)])
def test_patiences_that_nobody_set_end_before_a_short_run(total, stop, cut):
    """`quick` sets none: the defaults, 2000 and 1000 iterations, are longer than the first two runs."""
    found = expanded(None, switched_on(total), preset="quick")
    automations = found.spec.train.training_automations
    assert automations.IntelligentEarlyStopping.patience == stop
    assert automations.IntelligentLearningRateScheduler.plateau_patience == cut
    for path, usual in ((STOP, 2000), (RATE, 1000)):
        origin = found.origins.get(path, "default")
        assert origin == "default" if usual <= total else origin.startswith(f"derived: a tenth of {total}")


def test_a_patience_that_is_switched_off_stays_as_it_is():
    off = {"IntelligentEarlyStopping": {"enabled": False}}
    assert STOP not in expanded(None, switched_on(150, **off), preset="quick").origins
    layer = {"train": {"total_iter": 150}}
    assert not {STOP, RATE} & expanded(None, layer, preset="quick").origins.keys()


def test_a_patience_longer_than_the_run_is_refused_where_the_user_set_it():
    layer = switched_on(150, IntelligentLearningRateScheduler={"plateau_patience": 1000})
    with pytest.raises(SpecError, match=r"plateau_patience \(1000\) is longer than train.total_iter \(150\)"):
        expanded(None, layer, preset="quick")


CLIPPING = "train.training_automations.AdaptiveGradientClipping.warmup"
DYNAMIC = "train.dynamic_loss_scheduling.interval"


def automated(total, warmup=None, interval=None):
    clipping = {"enabled": True} | ({"warmup": warmup} if warmup else {})
    dynamic = {"enabled": True} | ({"interval": interval} if interval else {})
    automations = {"enabled": True, "AdaptiveGradientClipping": clipping}
    return {
        "train": {
            "total_iter": total, "training_automations": automations, "dynamic_loss_scheduling": dynamic
        }
    }  # fmt: skip


@given(st.integers(min_value=1, max_value=300))
def test_what_is_switched_on_acts_in_a_short_run_too(total):
    found = expanded(None, automated(total))
    train = found.spec.train
    steps = {
        CLIPPING: train.training_automations.AdaptiveGradientClipping.warmup,
        DYNAMIC: train.dynamic_loss_scheduling.interval,
    }
    for path, first in steps.items():
        assert first == (100 if total > 100 else max(total // 10, 1))
        assert found.origins.get(path, "default").startswith("default" if total > 100 else "derived: ")


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (automated(80, warmup=80), r"AdaptiveGradientClipping.warmup \(80\) must be less than"),
        (automated(80, interval=90), r"dynamic_loss_scheduling.interval \(90\) must be less than"),
    ],
)
def test_waiting_longer_than_the_run_is_refused_where_the_user_set_it(layer, told):
    with pytest.raises(SpecError, match=told):
        expanded(None, layer)


def test_what_is_switched_off_may_wait_as_long_as_it_likes():
    layer = automated(80, warmup=80, interval=90)
    layer["train"]["training_automations"]["AdaptiveGradientClipping"]["enabled"] = False
    layer["train"]["dynamic_loss_scheduling"]["enabled"] = False
    assert expanded(None, layer).spec.train.total_iter == 80


@pytest.mark.parametrize(
    ("name", "key", "told"),
    [
        ("IntelligentEarlyStopping", "patience", "ends the run"),
        ("IntelligentLearningRateScheduler", "plateau_patience", "cuts the rate"),
    ],
)
def test_a_patience_that_ends_before_the_next_validation_is_told(name, key, told):
    layer = {"train": {"training_automations": {name: {key: 500}}}}
    (notice,) = [n for n in expanded(None, layer).notices if "is shorter than val.val_freq (1000)" in n]
    assert notice.startswith(f"{name}.{key} (500 iterations)")
    assert notice.endswith(told)
    assert not [n for n in expanded(None).notices if "is shorter than" in n]
    layer["train"]["training_automations"]["enabled"] = False
    assert not [n for n in expanded(None, layer).notices if "is shorter than" in n]
