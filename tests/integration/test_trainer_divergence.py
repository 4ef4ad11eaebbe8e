"""Trainings that go wrong: what is told, what is kept, and where they go back to."""

import json

import pytest
import torch

from srqueue.run.reasons import StopReason
from workers.trainer.data.batches import Batches
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.optimizer import Optimizer

UNGUARDED = {"train__divergence_guard": {"enabled": False}}


@pytest.fixture
def poisoned(monkeypatch):
    """The originals of some samples, by the number that `Batches` is asked for, times a factor."""

    def poison(factors):
        real = Batches.__getitem__

        def getitem(self, sample):
            drawn.append(sample)
            lr, hr = real(self, sample)
            return lr, hr * factors.get(sample, 1.0)

        drawn = []
        monkeypatch.setattr(Batches, "__getitem__", getitem)
        return drawn

    return poison


def test_without_the_guard_a_diverging_run_ends_with_its_last_good_checkpoint(new_job):
    deep = {"type": "compact", "num_feat": 8, "num_conv": 8}
    steep = {"train__optim_g__lr": 10.0, "train__warmup_iter": 300}
    job = new_job(400, network_g=deep, val__val_freq=2, **steep, **UNGUARDED)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DIVERGED
    assert "the loss is" in outcome.message
    assert str(job.run.checkpoint_names()[-1]) in outcome.message
    assert outcome.seq == job.run.checkpoint_names()[-1].seq
    # What validated best before is not lost.
    figures = json.loads((job.run.export / "metrics.json").read_text())
    assert job.run.path.joinpath(outcome.export).is_file()
    assert figures["metrics"]["best/psnr"] == max(e["data"]["val/psnr"] for e in job.events("val"))


@pytest.mark.parametrize(("changes", "times"), [(UNGUARDED, 0), ({}, 2)])
def test_a_loss_that_is_never_a_number_ends_the_run(new_job, monkeypatch, changes, times):
    real = WeightedLosses.forward

    def forward(self, sr, hr):
        loss, parts = real(self, sr, hr)
        return loss, parts * float("nan")

    monkeypatch.setattr(WeightedLosses, "forward", forward)
    job = new_job(logger__print_freq=10, **changes)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DIVERGED
    assert "the loss is nan" in outcome.message
    assert ("after 2 roll-backs" in outcome.message) == bool(times)
    assert outcome.export is None
    assert len(job.events("action")) == times
    first = job.events("train")[0]["data"]
    assert first["loss"] is None
    assert first["losses"] == {"l1": None}


@pytest.mark.parametrize(
    ("changes", "reason", "saved"),
    [(UNGUARDED, StopReason.DIVERGED, [5, 10]), ({}, StopReason.COMPLETED, [0, 5, 10, 15])],
)
def test_weights_that_are_not_finite_are_never_saved(new_job, monkeypatch, changes, reason, saved):
    """The loss was still finite: only the last step broke a weight."""
    real = Optimizer.step

    def step(self, *given):
        real(self, *given)
        step.done += 1
        if step.done == 15:
            with torch.no_grad():
                next(iter(self._names)).view(-1)[0] = float("nan")

    step.done = 0
    monkeypatch.setattr(Optimizer, "step", step)
    job = new_job(15, val__val_freq=5, logger__save_checkpoint_seconds=600, **changes)
    assert job.attempt().reason is reason
    seen = [e["data"]["name"].split("-it")[1] for e in job.events("checkpoint")]
    assert sorted({int(name.split("-")[0]) for name in seen}) == saved
    for name in job.run.checkpoint_names():
        assert all(torch.isfinite(t).all() for t in job.tensors(name)[1].values())


def test_a_run_goes_back_past_what_broke_it(new_job, poisoned):
    """Sample 130 is NaN: the window 100..150 goes wrong, and the run goes on from the validation at 100."""
    drawn = poisoned({130: float("nan")})
    job = new_job(200, val__val_freq=20, logger__print_freq=50)
    assert job.attempt().reason is StopReason.COMPLETED
    assert drawn == [*range(140), *range(140, 240)]  # found by the validation at 140, and 100 done again
    (action,) = job.events("action")
    assert (action["it"], action["data"]["by"]) == (140, "DivergenceGuard")
    assert action["data"]["did"].startswith("went back to iteration 100, on to other samples, at 0.5 of the")
    assert action["data"]["reason"] == "the loss is nan at iteration 140"
    state = job.tensors()[0].state
    assert (state["rollbacks"], state["guard_factor"], state["sample_offset"]) == (1, 0.5, 40)
    assert [d["iteration"] for d in state["decisions"]] == [140]
    rates = [(e["it"], e["data"]["lr"]) for e in job.events("train")]
    assert rates[-1] == (200, 5e-4)
    names = job.run.checkpoint_names()
    assert [n.seq for n in names] == sorted({n.seq for n in names})
    assert [e["it"] for e in job.events("val")] == [20, 40, 60, 80, 100, 120, 120, 140, 160, 180, 200]


def test_a_spike_is_gone_back_from_too(new_job, poisoned):
    """The last five samples of a window are 100 times too bright: the mean is finite, and far off."""
    poisoned(dict.fromkeys(range(245, 250), 100.0))
    job = new_job(300, val__val_freq=100)
    assert job.attempt().reason is StopReason.COMPLETED
    (action,) = job.events("action")
    assert action["it"] == 250
    assert "went back to iteration 200" in action["data"]["did"]
    assert "times the usual" in action["data"]["reason"]


def test_a_spike_is_no_reason_without_the_guard(new_job, poisoned):
    poisoned(dict.fromkeys(range(245, 250), 100.0))
    assert new_job(260, val__val_freq=130, **UNGUARDED).attempt().reason is StopReason.COMPLETED


def test_before_the_first_anchor_the_run_begins_again(new_job, poisoned):
    poisoned({3: float("inf")})
    job = new_job(60, logger__save_checkpoint_seconds=600)
    assert job.attempt().reason is StopReason.COMPLETED
    assert "went back to iteration 0" in job.events("action")[0]["data"]["did"]
    assert [e["data"]["name"].split("-")[2] for e in job.events("checkpoint")] == ["it0", "it30", "it60"]


def test_the_next_roll_back_after_the_last_one_ends_the_run(new_job, poisoned):
    poisoned(dict.fromkeys(range(60, 2000), float("nan")))
    job = new_job(200, val__val_freq=20, train__divergence_guard={"max_rollbacks": 1})
    outcome = job.attempt()
    assert outcome.reason is StopReason.DIVERGED
    assert outcome.message.startswith("the loss is nan at iteration 50, after 1 roll-backs")
    assert len(job.events("action")) == 1


ONCE = {"val__val_freq": 20, "train__ema_decay": 0.9, "train__scheduler": {"type": "cosine"}}


@pytest.mark.parametrize("stops", [(95, 133, 145), (140, 101, 102), (139, 150, 199)])
def test_a_run_that_goes_back_is_resumed_bit_for_bit(new_job, poisoned, stop_at, stops):
    """Stopped before, within, at the end of and after what goes wrong; a stop within saves nothing."""
    poisoned({130: float("nan")})
    straight, broken = new_job(200, "straight", **ONCE), new_job(200, "broken", **ONCE)
    straight.attempt()
    for token, iteration in enumerate(stops, 1):
        assert stop_at(broken, token, iteration, StopReason.PAUSED).reason is StopReason.PAUSED
    assert broken.resume(4).reason is StopReason.COMPLETED
    assert straight.differing(broken) == []
    one, two = straight.tensors()[0].state, broken.tensors()[0].state
    timed = ("seq", "seconds", "energy")
    assert {k: v for k, v in one.items() if k not in timed} == {
        k: v for k, v in two.items() if k not in timed
    }


def test_what_is_printed_and_when_it_is_saved_changes_nothing(new_job, poisoned):
    poisoned({130: float("nan"), 171: float("nan")})
    quiet = new_job(200, "quiet", logger__print_freq=1000, logger__save_checkpoint_seconds=600, **ONCE)
    loud = new_job(200, "loud", logger__print_freq=3, logger__save_checkpoint_seconds=1, **ONCE)
    quiet.attempt()
    loud.attempt()
    assert quiet.differing(loud) == []
    assert quiet.tensors()[0].state["decisions"] == loud.tensors()[0].state["decisions"] != []


def test_a_damaged_refuge_is_set_aside_and_the_one_before_it_taken(new_job, poisoned, stop_at):
    poisoned({130: float("nan")})
    job = new_job(200, **ONCE)
    stop_at(job, 1, 115, StopReason.PAUSED)
    (refuge,) = (n for n in job.run.checkpoint_names() if n.iteration == 100)
    (job.run.checkpoints / str(refuge) / "state.safetensors").write_bytes(b"")
    assert job.resume(2).reason is StopReason.COMPLETED
    assert f"checkpoint {refuge} is damaged" in job.messages(2)[0]
    assert "went back to iteration 80" in job.events("action", 2)[0]["data"]["did"]
