"""path.resume_from with other losses than those of the other run."""

import itertools
import json

import pytest

from srqueue.run.reasons import StopReason
from workers.trainer.checkpoint import digest_of

FIRST = [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}]
DYNAMIC = {"train__dynamic_loss_scheduling": {"enabled": True, "interval": 5}}
OTHERS = [
    [{"type": "l1"}],
    [{"type": "l1"}, {"type": "fft", "loss_weight": 0.05}],
    [{"type": "ssim", "loss_weight": 0.05}, {"type": "l1"}],
    [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.5}],
    [*FIRST, {"type": "l2"}],
]


@pytest.fixture
def newest(new_job):
    """Makes a run with FIRST; the folder of its newest checkpoint."""

    def make(**changes):
        job = new_job(12, "first", train__losses=FIRST, **changes)
        assert job.attempt().reason is StopReason.COMPLETED
        return job.run.checkpoints / str(job.run.checkpoint_names()[-1])

    return make


def as_early_versions_wrote_it(folder):
    """Without the losses."""
    file = folder / "manifest.json"
    body = json.loads(file.read_text())
    del body["digest"], body["trained"]["losses"]
    file.write_text(json.dumps({"digest": digest_of(body), **body}))


@pytest.mark.parametrize("losses", OTHERS)
def test_weights_that_were_found_for_other_losses_are_spec_invalid(new_job, newest, losses):
    job = new_job(24, train__losses=losses, **DYNAMIC, path__resume_from=str(newest(**DYNAMIC)))
    outcome = job.attempt()
    assert outcome.reason is StopReason.SPEC_INVALID
    assert "the losses of the checkpoint are l1 1, ssim 0.05, the spec's are " in outcome.message
    assert "path.resume_from" in outcome.message
    assert job.run.checkpoint_names() == []


@pytest.mark.parametrize(("before", "now"), [({}, {}), (DYNAMIC, {}), ({}, DYNAMIC)])
@pytest.mark.parametrize("losses", [OTHERS[0], OTHERS[-1]])
def test_without_such_weights_the_losses_may_change(new_job, newest, before, now, losses):
    job = new_job(24, train__losses=losses, **now, path__resume_from=str(newest(**before)))
    assert job.attempt().reason is StopReason.COMPLETED


def test_a_checkpoint_that_does_not_say_its_losses_is_told_by_their_number(new_job, newest):
    folder = newest(**DYNAMIC)
    as_early_versions_wrote_it(folder)
    same = new_job(24, "same", train__losses=FIRST, **DYNAMIC, path__resume_from=str(folder))
    assert same.attempt().reason is StopReason.COMPLETED
    fewer = new_job(24, "fewer", train__losses=FIRST[:1], **DYNAMIC, path__resume_from=str(folder))
    # With one loss there is nothing to schedule, but what the checkpoint holds is still of two.
    assert "are 2 in number, the spec's are l1 1" in fewer.attempt().message


def test_what_the_other_losses_gave_is_no_measure_of_these(new_job, stop_at):
    """A thousand times the loss is no explosion, and its mean is not mixed with the one before."""
    first = new_job(300, "first", val__val_freq=100, logger__save_checkpoint_seconds=3600)
    stop_at(first, 1, 155, StopReason.PAUSED)
    folder = first.run.checkpoints / str(first.run.checkpoint_names()[-1])
    large = {"train__losses": [{"type": "l1", "loss_weight": 1000.0}], "val__val_freq": 260}
    job = new_job(260, train__optim_g__lr=1e-6, **large, path__resume_from=str(folder))
    assert job.attempt().reason is StopReason.COMPLETED
    assert job.events("action") == []
    (told,) = (e["data"]["train/loss"] for e in job.events("val"))
    reports = [(155, 0.0), *((e["it"], e["data"]["loss"]) for e in job.events("train"))]
    sums = [(now - before) * loss for (before, _), (now, loss) in itertools.pairwise(reports)]
    assert told == pytest.approx(sum(sums) / (260 - 155), rel=1e-6)
