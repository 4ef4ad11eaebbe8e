"""Which weights are the best: those that early stopping's metric calls so."""

import pytest

from srqueue.run.reasons import StopReason
from workers.trainer.automations import Automations
from workers.trainer.validation import Validator

COURSE = {
    "val/psnr": [20.0, 23.0, 22.0, 21.0],
    "val/ssim": [0.5, 0.6, 0.8, 0.7],
    "val/psnr_rgb": [19.0, 20.0, 20.5, 21.0],
}
OFF = {"enabled": False}


@pytest.fixture
def course(monkeypatch):
    """Validations that find COURSE, and the weights that they were of."""
    seen = []

    def network(self, net, look=None):
        metrics = {name: values[len(seen)] for name, values in COURSE.items()}
        seen.append({name: t.clone() for name, t in net.state_dict().items()})
        return metrics

    monkeypatch.setattr(Validator, "network", network)
    return seen


@pytest.mark.parametrize(
    ("metric", "on", "best"),
    [
        ("val/psnr", True, 1),
        ("val/ssim", True, 2),
        ("val/psnr_rgb", True, 3),
        ("train/loss", True, 1),
        ("val/ssim", False, 1),
    ],
)
def test_the_best_weights_are_the_best_by_what_is_watched(new_job, course, stop_at, metric, on, best):
    stopping = {"enabled": on, "monitor_metric": metric, "patience": 40}
    chosen = {
        "enabled": True,
        "IntelligentLearningRateScheduler": OFF,
        "IntelligentEarlyStopping": stopping,
    }
    job = new_job(40, val__val_freq=10, train__training_automations=chosen)
    stop_at(job, 1, 25, StopReason.PAUSED)
    assert job.resume(2).reason is StopReason.COMPLETED
    manifest, tensors = job.tensors()
    assert manifest.state["best_iteration"] == 10 * (best + 1)
    found = {name: manifest.state["best"][name] for name in COURSE}
    assert found == {name: values[best] for name, values in COURSE.items()}
    for name, weight in course[best].items():
        assert (tensors[f"best/{name}"].reshape(weight.shape) == weight).all()
    told = [e["data"] for token in (1, 2) for e in job.events("val", token)]
    watched = COURSE[metric if on and metric in COURSE else "val/psnr"]
    assert [e["best"] for e in told] == [v == max(watched[: i + 1]) for i, v in enumerate(watched)]
    assert told[-1]["best_psnr"] == COURSE["val/psnr"][best]
    assert told[-1]["best_iteration"] == 10 * (best + 1)


def test_automations_that_are_off_choose_nothing(tiny_spec):
    stopping = {"monitor_metric": "val/ssim"}
    automations = {"enabled": False, "IntelligentEarlyStopping": stopping}
    train = tiny_spec(None, 10, train={"total_iter": 10, "training_automations": automations}).train
    assert Automations(train, ["l1"]).best_by == "val/psnr"
