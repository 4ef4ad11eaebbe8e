"""Which preset is advised for which hours, pictures and speeds."""

import dataclasses
import json
import socket

import pytest

from srqueue.queue.forecasts import THIS_SPEC, Forecast, Speed, advise, estimated, from_history
from srqueue.run.events import EventWriter
from srqueue.run.folder import RunDir, read_root_id
from srqueue.run.reasons import JobState
from srqueue.spec.derive import PictureStats
from srqueue.spec.expand import DatasetRef, expand
from srqueue.store.record import JobRecord

PHOTOS = DatasetRef("photos", "a" * 64, 2, "photos", "a" * 64)
MANY = PictureStats(pictures=5000, median_width=500, median_height=500)
LEVELS = ("quick", "convenience", "fidelity", "max-fidelity")


def spec(preset, **changes):
    return expand(PHOTOS, preset=preset, overrides=[("changes", changes)] if changes else []).spec


def forecasts(it_s=10.0, validation_s=2.0):
    speed = Speed(it_s, validation_s, "a short measurement", True) if it_s else None
    return [Forecast(name, "", spec(name), speed) for name in LEVELS]


def test_hours_are_iterations_and_validations():
    found = {f.preset: f for f in forecasts(10, 2)}
    assert found["convenience"].hours == pytest.approx((40000 / 10 + 40 * 2) / 3600)
    assert found["max-fidelity"].hours == pytest.approx((100000 / 10 + 500 * 2) / 3600)
    assert found["quick"].validations == 10


def test_without_validation_none_is_counted():
    one = spec("convenience", val={"val_enabled": False})
    assert Forecast("convenience", "", one, Speed(10, 99, "", True)).hours == pytest.approx(40000 / 10 / 3600)


@pytest.mark.parametrize(
    ("hours", "preset"),
    [(1.2, "convenience"), (2.4, "fidelity"), (3.5, "max-fidelity"), (1000, "max-fidelity")],
)
def test_the_longest_that_fits_is_advised(hours, preset):
    assert advise(forecasts(), hours, MANY).preset == preset


def rivals(speeds, architecture=None):
    """Each preset at its own iterations a second, without validations' time."""
    return [
        Forecast(
            name, "", expand(PHOTOS, preset=name, architecture=architecture).spec, Speed(it_s, 0, "", True)
        )
        for name, it_s in speeds.items()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "speeds", "hours", "preset", "why"),
    [
        ("compact", {"convenience": 2, "tuned": 3}, 6, "tuned", "measurements prefer for compact"),
        ("compact", {"convenience": 3, "tuned": 2}, 6, "tuned", "it takes 5.6 h"),
        (None, {"tuned": 3, "convenience": 2, "max-fidelity": 9}, 6, "tuned", "paragonsr2_nano"),
        ("compact", {"convenience": 3, "tuned": 1}, 6, "convenience", "the most iterations"),
        ("edsr", {"convenience": 2, "tuned": 3}, 6, "convenience", "tuned was not measured for edsr"),
        ("edsr", {"convenience": 2, "tuned": 3, "fidelity": 4}, 6, "fidelity", "80000: it takes 5.6 h"),
        ("edsr", {"convenience": 1, "tuned": 3, "fidelity": 1}, 6, "tuned", "not measured for edsr"),
        ("edsr", {"fidelity": 9, "max-fidelity": 9, "convenience": 1}, 6, "max-fidelity", "100000"),
        ("compact", {"convenience": 2, "tuned": 1}, 3, "tuned", "--iterations 10800"),
        ("edsr", {"convenience": 2, "tuned": 1}, 3, "convenience", "--iterations 21600"),
        ("compact", {"quick": 9, "convenience": 2}, 3, "convenience", "--iterations 21600"),
        ("compact", {"quick": 9}, 3, "quick", "the most iterations"),
    ],
)
def test_the_best_that_fits_is_advised_not_the_slowest(architecture, speeds, hours, preset, why):
    advice = advise(rivals(speeds, architecture), hours, MANY)
    assert advice.preset == preset
    assert why in advice.why[-1]


def test_where_nothing_fits_a_shorter_run_is_named():
    advice = advise(forecasts(), 0.5, MANY)
    assert advice.preset == "convenience"
    assert "--iterations 17600" in advice.why[-1]


def test_few_pictures_are_not_trained_on_for_days():
    advice = advise(forecasts(), 1000, PictureStats(pictures=7))
    assert advice.preset == "convenience"
    assert "learn them by heart" in advice.why[0]


def test_without_a_limit_both_are_explained():
    advice = advise(forecasts(), None, MANY)
    assert advice.preset == "convenience"
    assert "upgrade" in advice.why[-1]
    assert "times as long" in advice.why[-1]


def test_without_a_speed_no_hours_are_promised():
    assert [f.hours for f in forecasts(None)] == [None] * 4
    assert advise(forecasts(None), 5, MANY).preset is None
    assert advise(forecasts(None), None, MANY).preset == "convenience"


def test_another_crop_of_the_same_network_is_estimated_by_its_pixels():
    known = [(spec("convenience"), Speed(10, 2, "job abc", True))]
    half = spec("fidelity", datasets={"train": {"lq_size": 32, "batch_size": 32}})
    speed = estimated(half, known)
    assert (speed.it_s, speed.measured, speed.source) == (pytest.approx(20), False, "estimated from job abc")
    assert estimated(spec("quick"), known) is None, "another network"


@pytest.fixture
def record(tmp_path):
    """A job of this machine that reported its speed."""
    run = RunDir(tmp_path / "runs" / ("01" * 13)).create()
    run.resolved_file.write_text(json.dumps({"compute": {"device": "cpu"}}))
    events = EventWriter(run.write_attempt(1, None).events_file, 1)
    events.write("phase", 0, phase="started")
    for it, it_s in enumerate((8.0, 12.0, 10.0, 11.0, 9.0)):
        events.write("train", it, it_s=it_s)
    events.write("val", 5, seconds=3.0)
    events.close()
    return JobRecord(
        id="01" * 13, name="one", state=JobState.SUCCEEDED, spec=spec("fidelity").model_dump(mode="json"),
        origins={}, spec_id="", priority=5, device_class="any", created=0, updated=0,
        host=socket.gethostname(), run_dir=str(run.path), root_id=read_root_id(tmp_path / "runs"),
    )  # fmt: skip


def test_a_jobs_own_reports_are_the_best_measurement(record):
    found = from_history(spec("convenience"), [record], "cpu")
    assert (found.it_s, found.validation_s, found.measured) == (10.0, 3.0, True)
    assert record.short_id in found.source


@pytest.mark.parametrize(
    "change",
    [
        {"host": "elsewhere"},
        {"run_dir": None},
        {"run_dir": "/nowhere"},
        {"spec": {}},
        {"spec": spec("quick").model_dump(mode="json")},
    ],
)
def test_other_work_and_other_machines_say_nothing(record, change):
    assert from_history(spec("convenience"), [dataclasses.replace(record, **change)], "cpu") is None


def test_another_device_says_nothing(record):
    assert from_history(spec("convenience"), [record], "cuda") is None


def with_own(total_iter):
    speed = Speed(10.0, 0.0, "a short measurement", True)
    own = spec("convenience", train={"total_iter": total_iter})
    return [Forecast(THIS_SPEC, "", own, speed), *forecasts(10, 0)]


def test_a_spec_of_ones_own_competes():
    assert advise(with_own(90_000), 2.6, MANY).preset == THIS_SPEC  # fidelity has 80,000
    assert advise(with_own(90_000), 2.4, MANY).preset == "fidelity"
    assert advise(with_own(90_000), 1000, MANY).preset == "max-fidelity"


def test_a_spec_of_ones_own_is_neither_shortened_nor_upgraded_to():
    short = advise(with_own(20_000), 0.2, MANY)
    assert short.preset == "convenience" and "convenience with --iterations 7200" in short.why[-1]
    free = advise(with_own(900_000), None, MANY)
    assert free.preset == "convenience" and "up to max-fidelity" in free.why[-1]
    assert advise(with_own(20_000), None, MANY).preset == THIS_SPEC


def test_what_other_pictures_took_to_validate_is_left_out(record):
    other = spec("convenience", datasets={"val": {"name": "other", "identity": "b" * 64}})
    found = from_history(other, [record], "cpu")
    assert (found.it_s, found.validation_s) == (10.0, 0.0) and "without validations" in found.source
