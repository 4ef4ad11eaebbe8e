"""Campaigns of tiny cells, and a worker that trains nothing, for tests of what is queued and held."""

from srqueue.campaign.spec import campaign_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason

TINY = {
    "dataset": "tiny", "arch": "compact", "network_g": {"num_feat": 8, "num_conv": 1},
    "datasets.train": {"lq_size": 16, "batch_size": 4}, "train.total_iter": 40, "val.val_freq": 20,
    "train.warmup_iter": 0, "preflight": False, "train.training_automations.enabled": False,
    "train.dynamic_loss_scheduling.enabled": False,
    "compute": {"device": "cpu", "precision": "fp32", "channels_last": False, "threads": 1},
}  # fmt: skip


def night(**raw):
    return campaign_of({"base": TINY, **raw}, "night.yaml", "night")


def states(campaigns, ids):
    return [record.state for record in campaigns.client.store.many(ids)]


def claim(campaigns, name="w"):
    return campaigns.client.store.claim(f"{name}:1", "h", ["cpu", "any"], 30, {"r": "/runs"})


def end(campaigns, claimed, reason=StopReason.COMPLETED):
    return campaigns.client.store.finish(claimed.record.id, claimed.token, Outcome(reason, "", 40))
