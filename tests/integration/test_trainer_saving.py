"""Checkpoints beside the training, of an attempt that was taken over, and of networks that draw."""

import threading
import time

import pytest
import torch

from srqueue.run.reasons import StopReason
from workers.trainer import beginning, build, saving
from workers.trainer.archs import build_network

BESIDE = {"val__val_freq": 5}


@pytest.fixture
def asynchronous(monkeypatch):
    """Checkpoints of any size are written beside the training, slowly; the threads that wrote."""
    wrote, real = set(), saving.commit

    def commit(*args):
        wrote.add(threading.current_thread())
        time.sleep(0.05)
        return real(*args)

    monkeypatch.setattr(saving, "commit", commit)
    monkeypatch.setattr(saving, "ASYNCHRONOUS_FROM", 0)
    return wrote


def test_checkpoints_beside_the_training_hold_the_state_of_their_iteration(new_job, asynchronous, stop_at):
    job, plain = new_job(40, **BESIDE), new_job(40, "plain", **BESIDE)
    stop_at(job, 1, 17, StopReason.PAUSED)
    assert job.resume(2).reason is StopReason.COMPLETED
    assert asynchronous and threading.main_thread() not in asynchronous

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "ASYNCHRONOUS_FROM", 10**12)
        assert plain.attempt().reason is StopReason.COMPLETED
    assert threading.main_thread() in asynchronous
    assert job.differing(plain) == []
    for name in job.run.checkpoint_names():
        assert job.tensors(name)[0].state["iteration"] == name.iteration
    told = [e for token in (1, 2) for e in job.events("checkpoint", token)]
    assert [e["data"]["name"] for e in told][-3:] == [str(n) for n in job.run.checkpoint_names()[-3:]]
    assert all(f"-it{e['it']}-" in e["data"]["name"] for e in told)
    assert [e["data"]["seq"] for e in told] == list(range(1, len(told) + 1))


def test_the_training_does_not_stand_still_for_a_checkpoint_beside_it(new_job, asynchronous):
    job = new_job(200, val__val_freq=50)
    job.attempt()
    waited = [e["data"]["stalled"] for e in job.events("checkpoint")]
    assert min(waited) < 0.05 <= min(e["data"]["seconds"] for e in job.events("checkpoint"))


def test_a_checkpoint_beside_the_training_that_fails_is_tried_again(new_job, asynchronous, monkeypatch):
    real, calls = saving.commit, []

    def refuse(*args):
        calls.append(1)
        if len(calls) <= 2:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(saving, "commit", refuse)
    job = new_job(40, val__val_freq=10)
    assert job.attempt().reason is StopReason.COMPLETED
    assert [n.iteration for n in job.run.checkpoint_names()] == [30, 40]
    assert [n.seq for n in job.run.checkpoint_names()] == [1, 2]
    assert sum("could not save" in text for text in job.messages()) == 2


def test_an_attempt_that_sees_a_later_one_ends_and_writes_nothing(new_job, monkeypatch):
    job = new_job(40, **BESIDE)
    real = saving.commit

    def commit(*args):
        done = real(*args)
        job.run.write_attempt(7, None)  # another worker has begun
        return done

    monkeypatch.setattr(saving, "commit", commit)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.LEASE_LOST, 10)
    assert [n.iteration for n in job.run.checkpoint_names()] == [5]
    assert any("a later attempt" in text for text in job.messages())


class Dropping(torch.nn.Module):
    """A network that draws while it trains, as those with dropout or stochastic depth do."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(torch.nn.functional.dropout(x, 0.2, self.training))


@pytest.mark.parametrize("micro_batch", [4, 2])
def test_a_network_that_draws_goes_on_exactly(new_job, monkeypatch, stop_at, micro_batch):
    def drawing(spec, scale):
        return Dropping(build_network(spec, scale))

    for module in (build, beginning):
        monkeypatch.setattr(module, "build_network", drawing)
    more = {"train__ema_decay": 0.9, "compute__micro_batch": micro_batch, "compute__precision": "fp32"}
    job, plain, other = (new_job(30, name, **more) for name in ("job", "plain", "other"))
    plain.attempt()
    stop_at(job, 1, 11, StopReason.PAUSED)
    job.resume(2)
    assert job.differing(plain) == []

    # It does draw: without, it ends elsewhere.
    monkeypatch.setattr(Dropping, "forward", lambda self, x: self.net(x))
    other.attempt()
    assert other.differing(plain)
