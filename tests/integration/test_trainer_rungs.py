"""An attempt that may train only to a rung ends there, measured and saved, and goes on exactly."""

from functools import partialmethod

import pytest

from srqueue.run.folder import RunDir
from srqueue.run.reasons import StopReason
from workers.trainer.data.pictures import Pictures
from workers.trainer.stopping import StopRequest

CHANGES = {
    "val__val_freq": 6,
    "train__scheduler": {"type": "cosine"},
    "train__training_automations": {
        "enabled": True,
        "IntelligentLearningRateScheduler": {"plateau_patience": 6, "improvement_threshold": 1.0},
        "IntelligentEarlyStopping": {"patience": 12},
    },
}


@pytest.fixture
def to(monkeypatch):
    """Attempts at a job that may train to an iteration."""
    write = RunDir.write_attempt

    def attempt(job, token, until, stop=None):
        monkeypatch.setattr(RunDir, "write_attempt", partialmethod(write, until=until))
        names = job.run.checkpoint_names()
        return job.attempt(token, names[-1] if names else None, stop)

    return attempt


def test_through_two_rungs_it_is_the_unbroken_run_bit_for_bit(new_job, to):
    straight, climbing = new_job(24, "straight", **CHANGES), new_job(24, "climbing", **CHANGES)
    straight.attempt()
    for token, rung in ((1, 6), (2, 18)):
        outcome = to(climbing, token, rung)
        assert (outcome.reason, outcome.iteration) == (StopReason.RUNG, rung)
        assert climbing.tensors()[0].state["validated"] == rung
        assert outcome.metrics["val/psnr"] == climbing.events("val", token)[-1]["data"]["val/psnr"]
        assert outcome.export is None
    assert to(climbing, 3, None).reason is StopReason.COMPLETED
    assert climbing.differing(straight) == []
    (one, _), (two, _) = straight.tensors(), climbing.tensors()
    assert one.state["decisions"]
    assert [k for k in one.state.keys() - {"seq", "seconds", "energy"} if one.state[k] != two.state[k]] == []


def test_who_stands_at_its_rung_already_says_so_at_once_and_saves_nothing(new_job, to):
    job = new_job(24, **CHANGES)
    to(job, 1, 6)
    names = job.run.checkpoint_names()
    for token, rung in ((2, 6), (3, 3)):
        outcome = to(job, token, rung)
        assert (outcome.reason, outcome.iteration, outcome.seq) == (StopReason.RUNG, 6, names[-1].seq)
        assert outcome.metrics["val/psnr"] == job.events("val", 1)[-1]["data"]["val/psnr"]
    assert job.run.checkpoint_names() == names


def test_the_end_is_the_end_and_no_rung(new_job, to):
    assert to(new_job(12, **CHANGES), 1, 12).reason is StopReason.COMPLETED


def test_it_does_not_stop_at_a_rung_before_it_is_measured_there(new_job, to, monkeypatch):
    job, stop, real = new_job(24, **CHANGES), StopRequest(), Pictures.__getitem__

    def getitem(self, index):
        if len(self) == 1:  # the validation set
            stop.ask(StopReason.PAUSED)
        return real(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "__getitem__", getitem)
        assert to(job, 1, 6, stop).reason is StopReason.PAUSED
    assert job.tensors()[0].state["validated"] == 0
    assert to(job, 2, 6).reason is StopReason.RUNG
    assert job.tensors()[0].state["validated"] == 6
