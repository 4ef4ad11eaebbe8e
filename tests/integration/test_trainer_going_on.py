"""path.resume_from: a run that goes on from the checkpoint of another run."""

import json

import pytest

from srqueue.run.listing import Listing, identity_of
from srqueue.run.reasons import StopReason

MANY = {
    "val__val_freq": 8,
    "train__grad_clip": 0.5,
    "train__losses": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}],
    "train__dynamic_loss_scheduling": {"enabled": True, "interval": 5},
}


def newest(job):
    return str(job.run.checkpoints / str(job.run.checkpoint_names()[-1]))


def test_a_run_that_goes_on_is_the_longer_run_bit_for_bit(new_job, stop_at):
    straight, first = new_job(40, "straight", **MANY), new_job(24, "first", **MANY)
    straight.attempt()
    first.attempt()
    longer = new_job(40, "longer", **MANY, path__resume_from=newest(first))
    stop_at(longer, 1, 31, StopReason.PAUSED)
    assert f"goes on from iteration 24 of another run: {newest(first)}" in longer.messages()[0]
    assert longer.events("phase")[0]["data"]["phase"] == "started"
    outcome = longer.resume(2)
    assert (outcome.reason, outcome.iteration) == (StopReason.COMPLETED, 40)
    assert longer.run.checkpoint_names()[0].seq == 1
    assert straight.differing(longer) == []
    one, two = straight.tensors()[0].state, longer.tensors()[0].state
    assert [key for key in one if one[key] != two[key] and key not in ("seq", "seconds", "energy")] == []


def test_what_ended_the_other_run_does_not_end_this_one(new_job):
    stopping = {
        "enabled": True,
        "IntelligentEarlyStopping": {"patience": 20, "min_improvement": 50},
        "IntelligentLearningRateScheduler": {"enabled": False},
    }
    changes = {"val__val_freq": 10, "train__training_automations": stopping}
    wsd = {"train__scheduler": {"type": "wsd", "decay_share": 0.1}}
    first = new_job(100, "first", **changes, **wsd)
    assert first.attempt().iteration == 40
    longer = new_job(200, "longer", **changes, **wsd, path__resume_from=newest(first))
    outcome = longer.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.STOPPED_EARLY, 60 + 20)
    assert [e["it"] for e in longer.events("action")] == [60]  # its own patience, from 40 on


def test_another_metric_is_not_compared_with_the_old_one(new_job):
    def watching(metric):
        return {
            "enabled": True,
            "IntelligentEarlyStopping": {"patience": 20, "monitor_metric": metric},
            "IntelligentLearningRateScheduler": {"enabled": False},
        }

    first = new_job(20, "first", val__val_freq=10, train__training_automations=watching("val/psnr"))
    first.attempt()
    changes = {"val__val_freq": 10, "train__training_automations": watching("val/ssim")}
    longer = new_job(30, "longer", **changes, path__resume_from=newest(first))
    longer.attempt()
    watched = longer.tensors()[0].state["automations"]["stopping"]["plateau"]
    assert watched["reference"] == longer.events("val")[-1]["data"]["val/ssim"] < 1
    assert watched["since"] == 30


def test_a_moving_average_begins_with_the_weights_where_there_was_none(new_job):
    first = new_job(10, "first", train__ema_decay=0.0)
    first.attempt()
    longer = new_job(11, "longer", path__resume_from=newest(first), train__optim_g__lr=1e-12)
    longer.attempt()
    tensors, before = longer.tensors()[1], first.tensors()[1]
    for name, weight in before.items():
        if name.startswith("model/"):
            assert (tensors[name.replace("model/", "ema/")] - weight).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network_g": {"type": "compact", "num_feat": 9, "num_conv": 1}},
            "the network of the checkpoint, a compact, is not the spec's: "
            "num_feat is 8 in the checkpoint, 9 in the spec\n",
        ),
        (
            {"network_g": {"type": "paragonsr2_nano"}},
            "the network of the checkpoint is a compact, the spec's is a paragonsr2_nano\n",
        ),
        ({"scale": 3}, "the scale of the checkpoint is 2, the spec's is 3"),
        ({"train__optim_g": {"type": "Adam", "lr": 1e-3}}, "the optimizer of the checkpoint is AdamW"),
        ({"total_iter": 10}, "nothing is left to do"),
    ],
)
def test_what_does_not_fit_is_spec_invalid(new_job, changes, message):
    first = new_job(10, "first")
    first.attempt()
    other = new_job(**{"total_iter": 20, "name": "other", "path__resume_from": newest(first), **changes})
    outcome = other.attempt()
    assert outcome.reason is StopReason.SPEC_INVALID
    assert message in outcome.message
    assert "  where: path.resume_from\n  hint: " in outcome.message
    assert other.run.checkpoint_names() == []


def test_another_network_is_told_by_its_shapes_where_the_manifest_does_not_say(new_job):
    """Checkpoints of early versions."""
    first = new_job(10, "first")
    first.attempt()
    rewrite_manifest(first, trained={})
    changes = {"network_g": {"type": "compact", "num_feat": 9, "num_conv": 1}}
    other = new_job(20, "other", path__resume_from=newest(first), **changes)
    assert "of another network" in other.attempt().message
    same = new_job(20, "same", path__resume_from=newest(first))
    assert same.attempt().reason is StopReason.COMPLETED


def rewrite_manifest(job, **changes):
    from workers.trainer.checkpoint import digest_of

    file = job.run.checkpoints / str(job.run.checkpoint_names()[-1]) / "manifest.json"
    body = {**json.loads(file.read_text()), **changes}
    del body["digest"]
    file.write_text(json.dumps({"digest": digest_of(body), **body}))


def test_other_pictures_are_spec_invalid(new_job, own_pictures):
    first = new_job(10, "first")
    first.attempt()
    (own_pictures / "b.png").write_bytes((own_pictures / "held_out.png").read_bytes())
    other = new_job(20, "other", path__resume_from=newest(first))
    listing = Listing.read(own_pictures.parent / "tiny.json")
    assert listing.identity == identity_of(listing.pictures, None)
    outcome = other.attempt()
    assert outcome.reason is StopReason.SPEC_INVALID
    assert "on other pictures" in outcome.message


def test_a_checkpoint_that_is_gone_is_waited_for(new_job, tmp_path):
    job = new_job(20, path__resume_from=str(tmp_path / "runs/none/checkpoints/ckpt-000001-it5-t1"))
    assert job.attempt().reason is StopReason.ROOT_MISSING


def test_such_a_run_that_goes_wrong_goes_back_to_where_it_began(new_job, monkeypatch):
    from workers.trainer.data.batches import Batches

    first = new_job(24, "first")
    first.attempt()
    real = Batches.__getitem__

    def getitem(self, sample):
        lr, hr = real(self, sample)
        return lr, hr * (float("nan") if sample == 30 else 1)

    monkeypatch.setattr(Batches, "__getitem__", getitem)
    longer = new_job(48, "longer", path__resume_from=newest(first), val__val_freq=40)
    assert longer.attempt().reason is StopReason.COMPLETED
    assert "went back to iteration 24" in longer.events("action")[0]["data"]["did"]
