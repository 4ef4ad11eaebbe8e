"""What was measured is kept, and whether this machine measures unasked."""

import pytest

from srqueue.cli.calibration import calibrate
from srqueue.forecast.kinds import work_text
from srqueue.queue.calibrating import ELSEWHERE, LATER, Calibrating
from srqueue.queue.cell_forecasts import forecast_specs
from srqueue.queue.client import Client
from srqueue.queue.device_speeds import DeviceSpeeds
from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.queue.outlook import outlook

RESULT = {"it_s": 10.0, "validation_s_per_megapixel": 2.0, "device": "a processor", "cuda": False}


@pytest.fixture
def spec(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, 1000, val={"val_freq": 500})


def test_a_measurement_is_kept_for_the_work_on_such_a_device(settings, spec):
    KeptSpeeds(settings).keep(spec, RESULT)
    kept = KeptSpeeds(settings)
    found = kept.speed(spec)
    assert (found.it_s, found.source) == (10.0, "a short measurement") and found.validation_s > 0
    assert kept.speed(spec, cuda=False) == found and kept.speed(spec, cuda=True) is None
    other = spec.model_copy(update={"network_g": spec.network_g.model_copy(update={"num_feat": 12})})
    assert kept.speed(other) is None
    assert KeptSpeeds(settings.model_copy(update={"threads": 7})).speed(spec) is None


def test_a_device_announces_what_was_measured_and_rather_what_it_trained(settings, spec):
    KeptSpeeds(settings).keep(spec, {**RESULT, "cuda": True, "peak_bytes": 3 << 30})
    kept, work = KeptSpeeds(settings), work_text(spec)
    assert kept.peak(spec) == 3 << 30 and kept.of_device("a processor") == {work: 10.0}
    speeds = DeviceSpeeds(settings)
    assert speeds.newest("a processor") == {work: 10.0}
    assert speeds.newest("a processor", slots=2) == speeds.newest("another") == {}
    for number, rate in enumerate((1.0, 2.0, 3.0, 4.0)):
        speeds.note("a processor", 1, f"work {number}", rate)
    speeds.note("a processor", 1, "work 2", 1234.56)
    assert list(speeds.newest("a processor").items()) == [
        ("work 2", 1230.0),
        ("work 3", 4.0),
        ("work 1", 2.0),
    ]
    (settings.home / "device-speeds.json").write_text("[1")
    assert speeds.newest("another") == {}


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"a": 1}'])
def test_a_damaged_file_holds_nothing_and_is_written_anew(settings, spec, text):
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "speeds.json").write_text(text)
    assert KeptSpeeds(settings).speed(spec) is None
    KeptSpeeds(settings).keep(spec, RESULT)
    assert KeptSpeeds(settings).speed(spec) is not None


def test_specs_and_waiting_jobs_are_forecast_by_it(settings, spec):
    client = Client(settings)
    client.submit(spec)
    assert forecast_specs(settings, [spec])[0].seconds is None
    assert outlook(client.store, 1.0).unknown == 1
    KeptSpeeds(settings).keep(spec, RESULT)
    (known,) = forecast_specs(settings, [spec])
    assert known.seconds.middle > 100 and forecast_specs(settings, [spec], kept=False)[0].seconds is None
    found = outlook(client.store, 1.0)
    assert found.unknown == 0 and found.jobs[0].takes == known.seconds


def test_it_measures_unasked_where_it_can_and_nothing_trains(settings, spec):
    assert Calibrating(settings).refusal(spec) is None
    sets = spec.datasets.model_copy(
        update={"train": spec.datasets.train.model_copy(update={"name": "elsewhere"})}
    )
    refused = Calibrating(settings).refusal(spec.model_copy(update={"datasets": sets}))
    assert (refused.why, refused.where) == ("the data set 'elsewhere' is not on this machine", ELSEWHERE)
    on_gpu = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": "cuda"})})
    assert "will train on a GPU" in Calibrating(settings).refusal(on_gpu).why


def test_it_measures_nothing_while_a_job_trains_here(settings, spec, capsys):
    import socket

    client = Client(settings)
    client.submit(spec)
    client.store.claim("w1:1", socket.gethostname(), ["cpu", "any"], 30, {"r": "/runs"})
    assert Calibrating(settings).refusal(spec).where == LATER
    assert calibrate(settings, [spec], None, "one.yaml") is False
    told = capsys.readouterr().err
    assert "a job trains on this machine" in told
    assert "measure it once nothing trains here: srqueue forecast one.yaml --calibrate" in told
    assert calibrate(settings, [spec], False, "one.yaml") is False and capsys.readouterr().err == ""
