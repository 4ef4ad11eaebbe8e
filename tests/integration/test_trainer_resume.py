"""A run that was stopped and goes on is the run that was never stopped."""

import json

import pytest
import torch

from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec, spec_id
from workers.trainer.data.pictures import Pictures
from workers.trainer.loop import Trainer
from workers.trainer.stopping import StopRequest

LOSSES = {
    "l1": [{"type": "l1"}],
    "charbonnier": [{"type": "charbonnier"}],
    "l1+ssim": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}],
}


NETWORKS = {
    "compact": {"type": "compact", "num_feat": 8, "num_conv": 1},
    "nano": {"type": "paragonsr2_nano"},
}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("losses", LOSSES)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_resumed_run_is_the_unbroken_run_bit_for_bit(new_job, network, losses, channels_last, stop_at):
    """Stopped before and after a validation, with every automation, schedule and clipping at work."""
    changes = {
        "network_g": NETWORKS[network],
        "train__losses": LOSSES[losses],
        "train__scheduler": {"type": "cosine"},
        "train__warmup_iter": 3,
        "train__grad_clip": 0.5,
        "train__training_automations": {
            "enabled": True,
            "IntelligentLearningRateScheduler": {"plateau_patience": 6, "improvement_threshold": 1.0},
            "IntelligentEarlyStopping": {"patience": 24},
        },
        "val__val_freq": 6,
        "compute__channels_last": channels_last,
    }
    straight = new_job(24, "straight", **changes)
    straight.attempt()
    broken = new_job(24, "broken", **changes)
    for token, iteration in enumerate((5, 12, 19), 1):
        outcome = stop_at(broken, token, iteration, StopReason.PAUSED)
        assert (outcome.reason, outcome.iteration) == (StopReason.PAUSED, iteration)
    assert broken.resume(4).reason is StopReason.COMPLETED
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    assert one.state["decisions"]  # the automations did something
    differing = [name for name in expected if not torch.equal(expected[name], found[name])]
    assert expected.keys() == found.keys()
    assert differing == []
    others = one.state.keys() - {"seq", "seconds", "energy"}
    assert [key for key in others if one.state[key] != two.state[key]] == []


@pytest.mark.parametrize("lost", ["optim", "ema", "automations"])
def test_each_part_of_the_state_is_needed(new_job, monkeypatch, lost, stop_at):
    """The comparison above would notice any part that a checkpoint forgets."""
    rate = {"plateau_patience": 6, "improvement_threshold": 1.0}
    automations = {
        "enabled": True,
        "IntelligentLearningRateScheduler": rate,
        "IntelligentEarlyStopping": {"enabled": False},
    }
    changes = {"train__training_automations": automations, "val__val_freq": 6, "train__ema_decay": 0.5}
    straight, broken = (new_job(24, name, **changes) for name in ("straight", "broken"))
    straight.attempt()
    stop_at(broken, 1, 14, StopReason.PAUSED)
    real = Trainer.load

    def load(self, tensors, state):
        if lost == "automations":
            state.automations = {}
        kept = {name: t for name, t in tensors.items() if not name.startswith(f"{lost}/")}
        real(self, kept, state)

    monkeypatch.setattr(Trainer, "load", load)
    broken.resume(2)
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    same = expected.keys() == found.keys() and all(torch.equal(expected[n], found[n]) for n in expected)
    assert not (same and one.state["automations"] == two.state["automations"])


def test_a_validation_that_was_interrupted_is_done_after_the_restart(new_job, monkeypatch):
    job = new_job(40, val__val_freq=20)
    stop, real = StopRequest(), Pictures.__getitem__

    def getitem(self, index):
        if len(self) == 1:  # the validation set
            stop.ask(StopReason.DRAINED)
        return real(self, index)

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "__getitem__", getitem)
        assert job.attempt(stop=stop).iteration == 20
    assert job.resume(2).reason is StopReason.COMPLETED
    assert [e["it"] for e in job.events("val", 2)] == [20, 40]


def test_events_of_a_resumed_job_read_as_one_history(new_job, stop_at):
    job = new_job(40, logger__print_freq=10)
    stop_at(job, 1, 25, StopReason.PAUSED)
    job.resume(2)
    trained = [e.it for e in job.run.events() if e.kind == "train"]
    assert trained == [10, 20, 25, 30, 40]
    restored = job.events("phase", 2)[0]["data"]
    assert (restored["phase"], restored["seq"], restored["from_token"]) == ("restored", 2, 1)


def test_a_damaged_newest_checkpoint_is_told_and_the_run_still_ends_the_same(new_job, stop_at):
    straight, broken = new_job(30, "straight", val__val_freq=10), new_job(30, "broken", val__val_freq=10)
    straight.attempt()
    stop_at(broken, 1, 23, StopReason.PAUSED)
    newest = broken.run.checkpoints / str(broken.run.checkpoint_names()[-1]) / "state.safetensors"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    broken.resume(2)
    assert "is damaged" in broken.messages(2)[0]
    expected, found = straight.tensors()[1], broken.tensors()[1]
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_changed_fingerprint_is_an_event_and_a_warning(new_job, stop_at):
    job = new_job(20, compute__channels_last="auto")
    stop_at(job, 1, 5, StopReason.PAUSED)
    assert job.events("fingerprint")[0]["data"]["changed"] == {}
    resolved = json.loads(job.run.resolved_file.read_text())
    resolved["compute"]["channels_last"] = False
    job.run.resolved_file.write_text(json.dumps(resolved))
    job.resume(2)
    assert job.events("fingerprint", 2)[0]["data"]["changed"] == {"channels_last": [True, False]}
    assert "channels_last True -> False" in job.messages(2)[0]
    quiet = job.resume(3)
    assert quiet.reason is StopReason.COMPLETED
    assert job.events("fingerprint", 3) == []


def test_a_checkpoint_is_bound_to_its_spec(new_job, stop_at):
    job = new_job(40)
    stop_at(job, 1, 5, StopReason.PAUSED)
    manifest, _ = job.tensors()
    assert manifest.spec_id == spec_id(JobSpec.model_validate_json(job.run.spec_file.read_text()))
    other = new_job(40, "other", manual_seed=5)
    job.run.spec_file.write_text(other.run.spec_file.read_text())
    assert job.resume(2).reason is StopReason.SPEC_INVALID
