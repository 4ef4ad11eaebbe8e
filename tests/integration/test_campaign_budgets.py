"""Budgets of campaigns: what is spent together ends what runs, with its best weights, and holds the rest."""

import json
import time
from pathlib import Path

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.cli.running import run as srqueue
from srqueue.errors import SpecError, UsageError
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.stewarding import tend
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason

S = JobState
TINY = {
    "dataset": "tiny", "arch": "compact", "network_g": {"num_feat": 8, "num_conv": 1},
    "datasets.train": {"lq_size": 16, "batch_size": 4}, "train.total_iter": 200_000, "val.val_freq": 50,
    "train.warmup_iter": 0, "preflight": False, "train.training_automations.enabled": False,
    "train.dynamic_loss_scheduling.enabled": False, "logger.print_freq": 20,
    "compute": {"device": "cpu", "precision": "fp32", "channels_last": False, "threads": 1},
}  # fmt: skip


@pytest.fixture
def campaigns(settings, tiny_dataset):
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


def night(budget, **raw):
    return campaign_of({"base": TINY, "budget": budget, **raw}, "night.yaml", "night")


def claim(campaigns):
    return campaigns.client.store.claim("w:1", "h", ["cpu", "any"], 30, {"r": "/runs"})


def states(campaigns, ids):
    return [record.state for record in campaigns.client.store.many(ids)]


def age(campaigns, job, seconds):
    """As if it had been claimed so much earlier."""
    store = campaigns.client.store
    store.connection.redis.hincrbyfloat(store.keys.job(job), "claimed", -seconds)


def test_what_runs_is_asked_to_finish_and_what_waits_is_held(campaigns):
    done = campaigns.submit(night("60h", matrix={"seed": [1, 2, 3]}))
    store, first = campaigns.client.store, claim(campaigns)
    store.set_progress(first.record.id, first.token, 9, {"attempt_kwh": 0.5, "kwh_token": first.token})
    assert tend(store) == [] and campaigns.records.get("night").state == "active"
    age(campaigns, first.record.id, 61 * 3600)
    tend(store)
    record = campaigns.records.get("night")
    assert (record.state, record.message) == ("stopped", "its budget is spent: 61.00 h of 60h")
    assert store.get(first.record.id).wish == "finish"
    assert states(campaigns, done.job_ids) == [S.RUNNING, S.HELD, S.HELD]
    assert "is stopped: its budget is spent" in campaigns.client.why_waiting(store.get(done.job_ids[1]))
    ended = store.finish(
        first.record.id, first.token, Outcome(StopReason.BUDGET_SPENT, "its budget is spent", 9)
    )
    assert ended.state is S.SUCCEEDED
    assert ended.message == "campaign night: its budget is spent: 61.00 h of 60h"
    assert float(campaigns.records.get("night").more["spent_kwh"]) == pytest.approx(0.5)
    with pytest.raises(UsageError, match="its budget is spent"):
        campaigns.resume("night")


def test_one_with_a_checkpoint_comes_once_more_to_leave_its_model(campaigns):
    done = campaigns.submit(night("1h"))
    store, first = campaigns.client.store, claim(campaigns)
    store.publish(first.record.id, first.token, 1, 50)
    age(campaigns, first.record.id, 7200)
    store.finish(first.record.id, first.token, Outcome(StopReason.DRAINED, "", 50, 1))
    store.connection.redis.hset(store.keys.campaign("night", "record"), "spent_s", "7200")
    assert [bell.job_id for bell in tend(store)] == list(done.job_ids)
    again = claim(campaigns)
    assert again.record.id == first.record.id and again.record.wish == "finish"


def test_another_ones_job_that_joined_is_left_alone(campaigns):
    cells = campaign_of({"base": TINY}, "other.yaml", "other")
    (job,) = campaigns.submit(cells).job_ids
    assert campaigns.submit(night("1h")).job_ids == (job,)
    claimed = claim(campaigns)
    age(campaigns, claimed.record.id, 7200)
    tend(campaigns.client.store)
    assert campaigns.client.get(job).wish is None and campaigns.records.get("night").state == "stopped"


def test_raised_and_submitted_again_it_goes_on(campaigns):
    done = campaigns.submit(night("1h", matrix={"seed": [1, 2]}))
    campaigns.client.store.connection.redis.hset(
        campaigns.client.store.keys.campaign("night", "record"), "spent_s", "4000"
    )
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.HELD, S.HELD]
    with pytest.raises(SpecError, match=r"its budget is spent: 1\.11 h of 1h"):
        campaigns.submit(night("1h", matrix={"seed": [1, 2]}))
    assert campaigns.submit(night("2h", matrix={"seed": [1, 2]})).new == 0
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED]


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("2020-01-01 08:00", "past already"),
        ("60h, 20 EUR", "SRQUEUE_KWH_PRICE"),
        ("0h", "spent before anything is trained"),
        ("< 0.02 dB in 2h", "no budget of many"),
        ("60x", "unknown unit"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_before_anything_is_queued(campaigns, budget, told):
    with pytest.raises(SpecError, match=told):
        campaigns.submit(night(budget))
    assert campaigns.client.store.count() == 0


def test_from_the_command_line(campaigns, tmp_path, capsys):
    file = tmp_path / "night.json"
    file.write_text(json.dumps({"base": TINY, "matrix": {"seed": [1, 2]}}))
    assert srqueue(["campaign", "submit", str(file), "--budget", "60h, 6kWh"]) == 0
    assert srqueue(["campaign", "show", "night"]) == 0
    assert "budget: 60h, 6 kWh, whichever is spent first" in capsys.readouterr().out
    assert srqueue(["campaign", "submit", str(file), "--name", "other", "--budget", "60x, < 1 dB in 2h"]) == 2
    told = capsys.readouterr().err
    assert "unknown unit 'x'" in told and "no budget of many" in told


def test_a_real_worker_ends_what_runs_with_its_best_weights(campaigns, start_worker, wait_until):
    done = campaigns.submit(night("30s", matrix={"seed": [1, 2]}, max_parallel=1))
    start_worker()
    first = campaigns.client.wait(done.job_ids[0], 180)
    assert (first.state, first.reason) == (S.SUCCEEDED, StopReason.BUDGET_SPENT), first.message
    assert first.message.startswith("campaign night: its budget is spent: ")
    assert list((Path(first.run_dir) / "export").glob("*.safetensors")) and 0 < first.iteration < 200_000
    time.sleep(1)
    assert campaigns.client.get(done.job_ids[1]).state is S.HELD
    record = campaigns.records.get("night")
    assert record.spent_s >= 30 and float(record.more["spent_kwh"]) > 0
