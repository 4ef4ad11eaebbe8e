"""The automations in whole attempts."""

import pytest

from srqueue.run.reasons import StopReason

OFF = {"enabled": False}


def automations(**parts):
    return {
        "enabled": True,
        "IntelligentLearningRateScheduler": OFF,
        "IntelligentEarlyStopping": OFF,
        **parts,
    }


def test_early_stopping_ends_the_run_and_says_why(new_job):
    stopping = {"patience": 20, "min_improvement": 50}
    chosen = automations(IntelligentEarlyStopping=stopping)
    job = new_job(100, val__val_freq=10, train__training_automations=chosen)
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.STOPPED_EARLY, 30)
    assert "has not gained" in job.events("action")[-1]["data"]["reason"]
    assert outcome.export
    again = job.resume(2)
    assert (again.reason, again.iteration) == (StopReason.STOPPED_EARLY, 30)


@pytest.mark.parametrize(("lr", "reason"), [(1e-12, "stopped_early"), (3e-3, "completed")])
def test_the_training_loss_can_be_watched(new_job, lr, reason):
    """It falls where something is learnt, and stays where nothing is; the noise of batches is averaged."""
    stopping = {"patience": 90, "min_improvement": 1e-3, "monitor_metric": "train/loss"}
    chosen = automations(IntelligentEarlyStopping=stopping)
    job = new_job(150, val__val_freq=30, train__training_automations=chosen, train__optim_g__lr=lr)
    assert job.attempt().reason == StopReason(reason)
    told = [e["data"]["train/loss"] for e in job.events("val")]
    assert all(0 < loss < 0.1 for loss in told)


def test_the_training_loss_is_that_of_every_iteration_since_the_last_validation(new_job, stop_at):
    losses = [{"type": "l1", "loss_weight": 2.0}, {"type": "ssim", "loss_weight": 0.5}]
    job = new_job(24, val__val_freq=8, logger__print_freq=1, train__losses=losses)
    stop_at(job, 1, 13, StopReason.PAUSED)
    job.resume(2)
    single = {e.it: e.data["loss"] for e in job.run.events() if e.kind == "train"}
    for e in (e for e in job.run.events() if e.kind == "val"):
        mean = sum(single[i] for i in range(e.it - 7, e.it + 1)) / 8
        assert e.data["train/loss"] == pytest.approx(mean, rel=1e-12)


def test_a_cut_lowers_the_rate_that_is_reported(new_job):
    rate = {"plateau_patience": 10, "improvement_threshold": 1.0}
    chosen = automations(IntelligentLearningRateScheduler=rate)
    still = {"train__optim_g__lr": 1e-12, "val__val_freq": 10, "logger__print_freq": 10}
    job = new_job(40, train__training_automations=chosen, **still)
    job.attempt()
    rates = {e["it"]: e["data"]["lr"] for e in job.events("train")}
    assert rates == {10: 1e-12, 20: 1e-12, 30: 5e-13, 40: 2.5e-13}
    actions = [(e["it"], e["data"]["did"]) for e in job.events("action")]
    assert actions[0] == (20, "lowered the learning rate from 1 to 0.5 of its schedule")


WSD = {
    "train__scheduler": {"type": "wsd", "decay_share": 0.2},
    "train__training_automations": automations(
        IntelligentEarlyStopping={"patience": 20, "min_improvement": 50},
        IntelligentLearningRateScheduler={"plateau_patience": 10, "improvement_threshold": 1.0},
    ),
    "val__val_freq": 10,
    "logger__print_freq": 1,
}


def test_with_wsd_stopping_starts_the_decay(new_job, stop_at):
    """Cuts at 20 and 30 and 40 restart the stopper; after the floor of the cuts it begins the decay."""
    straight, broken = new_job(200, "straight", **WSD), new_job(200, "broken", **WSD)
    outcome = straight.attempt()
    actions = {e["it"]: e["data"]["did"] for e in straight.events("action")}
    begun = max(actions)
    assert actions[begun] == "started the decay of the learning rate"
    assert (outcome.reason, outcome.iteration) == (StopReason.STOPPED_EARLY, begun + 40)
    assert f"stopped early: no more gain at iteration {begun}" in outcome.message
    rates = {e["it"]: e["data"]["lr"] for e in straight.events("train")}
    assert rates[begun] == pytest.approx(1e-4)  # cut four times, to the floor of 0.1
    assert rates[begun + 20] == pytest.approx(0.5e-4)
    assert rates[begun + 40] == 0
    assert straight.events("val")[-1]["it"] == begun + 40
    for token, iteration in ((1, begun - 3), (2, begun + 15)):
        stop_at(broken, token, iteration, StopReason.PAUSED)
    assert broken.resume(3).iteration == begun + 40
    assert straight.differing(broken) == []
    again = straight.resume(2)
    assert (again.reason, again.iteration) == (StopReason.STOPPED_EARLY, begun + 40)


def test_a_wsd_run_that_reaches_its_own_decay_is_completed(new_job):
    quiet = automations(IntelligentEarlyStopping={"patience": 40, "min_improvement": 50})
    job = new_job(50, **{**WSD, "train__training_automations": quiet})
    outcome = job.attempt()
    assert (outcome.reason, outcome.iteration) == (StopReason.COMPLETED, 50)
    assert job.events("action") == []


TWO = [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.05}]


def test_loss_weights_move_toward_their_share_of_the_gradient(new_job, stop_at):
    dynamic = {"enabled": True, "interval": 4, "momentum": 0.5}
    changes = {"train__losses": TWO, "train__dynamic_loss_scheduling": dynamic, "logger__print_freq": 4}
    straight, broken = (new_job(24, name, val__val_freq=12, **changes) for name in ("straight", "broken"))
    straight.attempt()
    told = straight.events("action")
    assert told[0]["data"]["by"] == "DynamicLossScheduling"
    assert told[0]["data"]["did"].startswith("moved the loss weights: ssim 0.05 -> ")
    assert "0.05 is wanted" in told[0]["data"]["reason"]
    last = straight.events("train")[-1]["data"]
    assert last["weights"]["l1"] == 1
    assert 0.005 <= last["weights"]["ssim"] <= 0.5
    expected = last["losses"]["l1"] + last["weights"]["ssim"] * last["losses"]["ssim"]
    assert last["loss"] == pytest.approx(expected)
    for token, iteration in ((1, 6), (2, 13)):
        stop_at(broken, token, iteration, StopReason.PAUSED)
    broken.resume(3)
    assert straight.differing(broken) == []
    fixed = new_job(24, "fixed", val__val_freq=12, train__losses=TWO)
    fixed.attempt()
    assert straight.differing(fixed)


def test_dynamic_loss_scheduling_does_nothing_with_a_single_loss(new_job):
    dynamic = new_job(8, "dynamic", train__dynamic_loss_scheduling={"enabled": True, "interval": 1})
    plain = new_job(8, "plain")
    dynamic.attempt()
    plain.attempt()
    assert dynamic.differing(plain) == []
    assert dynamic.events("action") == dynamic.messages() == []


def test_adaptive_clipping_is_reported_and_resumed_bit_for_bit(new_job, stop_at):
    clipping = automations(AdaptiveGradientClipping={"enabled": True, "factor": 1.05, "warmup": 3})
    changes = {"train__training_automations": clipping, "train__grad_clip": 0.25, "logger__print_freq": 1}
    straight, broken = new_job(16, "straight", **changes), new_job(16, "broken", **changes)
    straight.attempt()
    told = [(e["data"]["clip"], e["data"]["grad_norm"]) for e in straight.events("train")]
    assert [clip for clip, _ in told[:3]] == [0.25] * 3
    assert all(clip != 0.25 for clip, _ in told[3:])
    clipped = [i for i, (clip, norm) in enumerate(told[3:], 4) if norm > clip]
    assert [e["it"] for e in straight.events("action")] == clipped != []
    for token, iteration in ((1, 2), (2, 9)):
        stop_at(broken, token, iteration, StopReason.PAUSED)
    broken.resume(3)
    assert straight.differing(broken) == []
    assert {"clip/average", "clip/steps"} <= straight.tensors()[1].keys()
