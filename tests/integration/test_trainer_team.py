"""Two processes share each batch of a job: the same samples, exact resume, and nobody is left behind."""

import os
import signal

import psutil
import pytest
import torch

from srqueue.run.reasons import StopReason
from workers.trainer.team.exchange import part
from workers.trainer.team.leader import Team

pytestmark = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has no two processes")

TWO = {"compute__devices": 2}


def followers():
    found = []
    for process in psutil.Process().children(recursive=True):
        if "workers.trainer.team" in process.cmdline():
            found.append(process)
    return found


def test_every_crop_is_one_devices():
    for crops in range(1, 20):
        for count in range(1, min(crops, 6) + 1):
            parts = [part(crops, count, rank) for rank in range(count)]
            assert [i for p in parts for i in range(p.start, p.stop)] == list(range(crops))
            assert max(p.stop - p.start for p in parts) - min(p.stop - p.start for p in parts) <= 1


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_two_processes_train_on_the_batches_of_one(new_job, precision):
    more = {
        "compute__precision": precision,
        "train__losses": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.3}],
        "datasets__train__batch_size": 5,
        "compute__micro_batch": 3,  # what overflows in fp16 depends on the crops at once: three of five here
        "train__grad_clip": 0.5,
    }
    one, two = new_job(12, "one", **more), new_job(12, "two", **more, **TWO)
    assert one.attempt().reason is two.attempt().reason is StopReason.COMPLETED
    (_, expected), (_, found) = one.tensors(), two.tensors()
    for name, tensor in expected.items():
        if name.startswith("model/"):
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-4)
    losses = [[e["data"]["loss"] for e in job.events("train")] for job in (one, two)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert two.events("fingerprint")[0]["data"]["devices"] == 2
    assert followers() == []


def test_it_goes_on_exactly_with_as_many_and_says_where_they_are_fewer(new_job, stop_at, monkeypatch):
    straight, broken = (new_job(16, name, **TWO) for name in ("straight", "broken"))
    straight.attempt()
    assert stop_at(broken, 1, 7, StopReason.PAUSED).iteration == 7
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    assert stop_at(broken, 2, 7 + 2, StopReason.PAUSED).iteration == 9
    changed = broken.events("fingerprint", 2)[0]["data"]["changed"]
    assert changed == {"devices": [2, 1]}
    assert "1 of 2 devices train here" in " ".join(broken.messages(2))
    monkeypatch.undo()
    again = new_job(16, "again", **TWO)
    assert stop_at(again, 1, 7, StopReason.PAUSED).iteration == 7
    assert again.resume(2).reason is StopReason.COMPLETED
    assert again.differing(straight) == []


def test_a_follower_that_dies_ends_the_attempt_and_is_named(new_job, monkeypatch):
    job, real = new_job(200, **TWO), Team.give_out

    def give_out(self, lr, *more):
        (follower,) = followers()
        if job.run.checkpoint_names():
            os.kill(follower.pid, signal.SIGKILL)
        return real(self, lr, *more)

    monkeypatch.setattr(Team, "give_out", give_out)
    outcome = job.attempt()
    assert outcome.reason is StopReason.CRASHED
    assert "process 1 of the 2 of this job ended: status -9" in outcome.message
    assert followers() == []
    monkeypatch.undo()
    assert job.resume(2).reason is StopReason.COMPLETED
