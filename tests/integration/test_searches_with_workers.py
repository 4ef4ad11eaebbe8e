"""A search that real workers run, some of whom are killed: its winner has the bits of a run without rungs."""

import contextlib
from pathlib import Path

import psutil
import pytest
from safetensors.numpy import load_file

from srqueue.campaign.spec import campaign_of
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.job import JobSpec
from srqueue.store.searches import Searches
from tests.faults.queued import trainer_of
from tests.integration.nights import TINY

LENGTH = 240
RATES = [1e-5, 1e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3]
BASE = {**TINY, "train.total_iter": LENGTH, "val.val_freq": 20, "logger.save_checkpoint_seconds": 1}


@pytest.fixture
def campaigns(settings, tiny_dataset):
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


def state(run):
    """All tensors of the last checkpoint, and the model."""
    outcome = Outcome.read(run.attempts()[-1].outcome_file)
    newest = run.checkpoints / str(run.checkpoint_names()[-1])
    files = {"model": run.path / outcome.export, "state": newest / "state.safetensors"}
    return {f"{part}/{k}": v.tobytes() for part, file in files.items() for k, v in load_file(file).items()}


def curve(run):
    return {e.it: e.data["val/psnr"] for e in run.events() if e.kind == "val"}


def run_of(job):
    return RunDir(Path(job.run_dir))


def _kill_a_trainer(client, wait_until):
    # Three failures in a row end a trial: no one is killed twice before it got on. One that had told its
    # outcome by then has not crashed: another is killed.
    def killed():
        for job in client.store.list(["running"], campaign="night"):
            if job.failures:
                continue
            with contextlib.suppress(psutil.Error, AttributeError):
                trainer_of(job).kill()
                end = wait_until(lambda job=job: reason_of(client, job), "the attempt ends", 60)
                if end is StopReason.CRASHED:
                    return True
        return False

    wait_until(killed, "a trial trains", 300)


def reason_of(client, job):
    """Why the attempt that is under way in this record has ended."""
    return next(a.reason for a in client.store.attempts(job.id) if a.token == job.token)


@pytest.mark.timeout(1500)
def test_seven_trials_through_three_rungs_with_kills_and_the_winner_is_exact(
    campaigns, start_worker, wait_until
):
    client = campaigns.client
    search = {"rungs": [20, 60, 120], "factor": 2, "method": "asha"}
    made = campaign_of(
        {"base": BASE, "matrix": {"train.optim_g.lr": RATES}, "search": search, "max_parallel": 2},
        "n",
        "night",
    )
    done = campaigns.submit(made)
    first = start_worker("w1")
    _kill_a_trainer(client, wait_until)
    wait_until(
        lambda: any(j.reason is StopReason.RUNG for j in client.store.many(done.job_ids)), "a rung", 300
    )
    _kill_a_trainer(client, wait_until)
    wait_until(lambda: any(j.until != 20 for j in client.store.many(done.job_ids)), "one goes on", 300)
    first.kill_main()
    start_worker("w2")
    wait_until(lambda: campaigns.records.get("night").state == "ended", "the search ends", 600)

    jobs = client.store.many(done.job_ids)
    assert [a.reason for job in jobs for a in client.store.attempts(job.id)].count("crashed") >= 2
    won = [job for job in jobs if job.state is JobState.SUCCEEDED]
    stopped = [job for job in jobs if job.stopped]
    ends = [(str(job.state), job.until, job.stopped, job.message) for job in jobs]
    assert won and len(won) + len(stopped) == 7, ends
    for job in stopped:
        assert job.message.startswith(f"stopped at {job.until} of {LENGTH} iterations: ")
        assert job.iteration == job.until and max(curve(run_of(job))) == job.until

    # What was noted at the rungs is what the trainers measured.
    for one, job in zip(Searches(client.store.connection).contenders(done.job_ids), jobs, strict=True):
        measured = curve(run_of(job))
        assert {rung: found["val/psnr"] for rung, found in one.at.items()} == {
            rung: measured[rung] for rung in (20, 60, 120) if rung in measured
        }

    # The winner without rungs, undisturbed.
    best = max(won, key=lambda job: job.metrics["best/psnr"])
    alone = client.submit(JobSpec.model_validate(best.spec), again=True).job
    twin = wait_until(lambda: (j := client.get(alone.id)).state.final and j, "the twin ends", 120)
    assert twin.state is JobState.SUCCEEDED and twin.attempts == 1
    assert curve(run_of(twin)) == curve(run_of(best))
    assert state(run_of(twin)) == state(run_of(best))

    # One that was stopped goes on to its end, exactly too.
    behind = stopped[0]
    client.resume(behind.id)
    ended = wait_until(lambda: (j := client.get(behind.id)).state.final and j, "it ends", 120)
    assert (ended.state, ended.iteration) == (JobState.SUCCEEDED, LENGTH)
