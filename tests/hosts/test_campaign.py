"""A campaign on three hosts without a shared disk, by the shipped Redis: TLS, users, Sentinels; an S3 store.

One host is cut off and comes back, then the master's host is lost. Every job ends as if nothing had happened.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from srqueue.datasets import Registry
from srqueue.errors import ServiceUnreachable
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import load_settings
from srqueue.store.servers import address_now
from tests.conftest import ROOT
from tests.faults import by_hand
from tests.faults.queued import TOTAL, tensors
from tests.hosts.guarded import Guarded
from tests.hosts.lab import Lab
from tests.integration.flower_process import Flower

SEEDS = int(os.environ.get("LAB_SEEDS", "2"))
CAMPAIGN = f"""
description: two networks at {SEEDS} seeds
base:
  dataset: tiny
  preset: quick
  scale: 2
  datasets.train.lq_size: 16
  train.total_iter: {TOTAL}
  train.optim_g.type: Adam
  train.optim_g.lr: 1e-3
  val.val_freq: {TOTAL // 10}
  logger.save_checkpoint_seconds: 2
  compute: {{device: cpu, precision: fp32, channels_last: false, threads: 1}}
matrix:
  seed: {list(range(1, SEEDS + 1))}
  arch: [compact, span]
overrides:
  - {{when: {{arch: compact}}, set: {{network_g.num_feat: 8, network_g.num_conv: 1}}}}
  - {{when: {{arch: span}}, set: {{network_g.num_feat: 8, network_g.num_block: 1}}}}
"""


@pytest.fixture
def lab(hosts_can_be_made, tmp_path):
    """Hosts q1 to q3 with Redis and Sentinels, and w1 to w3 for workers."""
    lab = Lab()
    try:
        lab.queue = [lab.host(f"q{n}") for n in (1, 2, 3)]
        lab.workers = [lab.host(f"w{n}") for n in (1, 2, 3)]
        lab.redis = Guarded(lab, lab.queue, tmp_path / "etc")
        lab.redis.start()
        yield lab
    finally:
        lab.close()


@pytest.fixture
def as_user(lab, environment, monkeypatch):
    """The variables of a user; this process is the producer."""
    environment(lab.redis, LEASE="4", RENEW="0.5", SECRETS=lab.redis.secrets("producer"), **lab.redis.files)
    monkeypatch.delenv("SRQUEUE_REDIS_URL")
    return lambda user: {**os.environ, "PYTHONPATH": str(ROOT), "SRQUEUE_SECRETS": lab.redis.secrets(user)}


@pytest.fixture
def srqueue(as_user, tmp_path):
    """Runs a command as a user; what is started to stay ends with the test."""
    stay = []

    def srqueue(user, *argv, stays=False):
        call = [sys.executable, "-m", "srqueue.cli", *map(str, argv)]
        if stays:
            with (tmp_path / f"{user}.log").open("wb") as log:
                stay.append(subprocess.Popen(call, env=as_user(user), stdout=log, stderr=log))
            return None
        done = subprocess.run(call, env=as_user(user), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield srqueue
    for process in stay:
        process.kill()
        process.wait()


@pytest.fixture
def flower(lab, as_user, tmp_path):
    """A Flower whose users act, as the user of that name."""
    url = (Path(lab.redis.secrets("flower")) / "srqueue_redis_url").read_text()
    flower = Flower(tmp_path, url, user="ann:pass", FLOWER_AUTH="ann:pass", **lab.redis.files)
    yield flower
    flower.close()


@pytest.mark.timeout(1200)
def test_a_campaign_survives_a_host_cut_off_and_a_failover(
    lab, as_user, srqueue, flower, work_on, tiny_dataset, wait_until, tmp_path, note
):
    # Given a campaign on three hosts, each with folders of its own
    store = lab.redis.object_store(lab.queue[2])
    srqueue("loader", "load-scripts", "--watch", stays=True)
    client = Client(load_settings())
    tiny_dataset(client.settings)
    for host in lab.workers:
        folders = {
            "SRQUEUE_HOME": str(tmp_path / host.name),
            "SRQUEUE_RUNS": str(runs_of(tmp_path, host.name)),
        }
        told = {"SRQUEUE_SECRETS": lab.redis.secrets("worker"), "SRQUEUE_REMOTE": "s3://lab/runs"}
        host.worker = work_on(host, ready=False, **store, **folders, **told)
    flower.ready()
    wait_until(lambda: all(" ready." in host.worker.text() for host in lab.workers), "the workers start", 180)
    file = tmp_path / "night.yaml"
    file.write_text(CAMPAIGN)
    cells = 2 * SEEDS
    assert f"{cells} of {cells} cells queued" in srqueue("producer", "campaign", "submit", file)
    ids = [job.id for job in client.list(limit=100)]
    last = ids[0]  # the newest first
    assert flower.act(last, "priority", {"priority": 4}).status == 200

    # When a host is cut off until another has its job, and comes back
    def far(job):
        return job.state is JobState.RUNNING and job.remote_seq is not None and job.iteration < 0.8 * TOTAL

    def jobs():
        return [client.get(job) for job in ids]

    victim = wait_until(lambda: next(filter(far, jobs()), None), "a checkpoint is uploaded", 180)
    (host,) = [host for host in lab.workers if host.name == victim.host]
    host.cut_off()
    begun = time.monotonic()
    wait_until(lambda: client.get(victim.id).token == 2, "its job is taken over", 300)
    cut = time.monotonic() - begun
    host.back()

    # And the master's host is lost while jobs run
    running = wait_until(lambda: [j.id for j in jobs() if j.state is JobState.RUNNING], "jobs run")
    refused = lab.redis.refusals()
    lab.redis.servers["q1"].kill()
    lab.queue[0].cut_off()
    begun = time.monotonic()
    wait_until(lambda: lab.redis.promoted(lab.queue[1:]), "a replica is promoted", 120)
    gap = time.monotonic() - begun

    def acted():
        return flower.act(last, "priority", {"priority": 3}).status == 200 or all_rest(client, [last])

    wait_until(acted, "Flower acts on the new master")

    # Then every job has succeeded once, with the bits of an undisturbed twin
    wait_until(lambda: all_rest(client, ids), "all jobs end", 600)
    done = jobs()
    assert {(job.state, job.reason) for job in done} == {(JobState.SUCCEEDED, StopReason.COMPLETED)}
    assert client.get(victim.id).token > 1
    for job in done:
        assert completed(tmp_path, job) == [job.host]
        assert tensors(RunDir(Path(job.run_dir))) == twin_of(job, tmp_path, client.settings)
        hit = ["its host cut off, and back"] if job.id == victim.id else []
        hit += ["Redis failed over"] if job.id in running else []
        seen = {"taken_over_after_s": round(cut, 1)} if job.id == victim.id else {}
        seen |= {"promoted_after_s": round(gap, 1)} if job.id in running else {}
        note("; ".join(hit) or "none while it ran", job, job=job.name, host=job.host, **seen)

    # And what is shown is right, nothing was refused, and no password is anywhere
    shown = json.loads(srqueue("producer", "campaign", "show", "night", "--json"))
    (board,) = shown["leaderboards"]
    assert [group["seeds"] for group in board["groups"]] == [SEEDS, SEEDS] and board["groups"][0]["psnr"] > 20
    assert flower.ask("/training").status == 200
    assert flower.api("jobs")["counts"]["succeeded"] == cells
    assert client.get(last).priority in (3, 4)  # 4: it had ended by then
    loads = (tmp_path / "loader.log").read_text().count("loaded into sentinels://loader:***@")
    assert loads == 2  # the replica had no scripts
    redis.Redis.from_url(address_now(client.settings)).ping()  # as Optuna goes there
    # Until the loader has been there, a worker finds no scripts and tries to load them.
    assert {one for one in refused + lab.redis.refusals() if not one.endswith("script|load")} == set()
    assert leaks(tmp_path, lab.redis) == []
    for one in lab.workers:
        assert "Traceback" not in one.worker.text()


def all_rest(client, ids):
    """Whether nothing more comes of these; not now, where Redis is away."""
    with contextlib.suppress(ServiceUnreachable):
        return all(client.get(job).rests for job in ids)
    return False


def runs_of(folder, host):
    return folder / host / "runs"


def completed(folder, job):
    """The hosts on which an attempt at the job has come to its end."""
    found = []
    for host in ("w1", "w2", "w3"):
        attempts = RunDir(runs_of(folder, host) / job.id).attempts()
        ends = [Outcome.read(attempt.outcome_file) for attempt in attempts if attempt.token == job.token]
        found += [host for end in ends if end is not None and end.reason is StopReason.COMPLETED]
    return found


def twin_of(job, folder, settings):
    """The tensors of the same spec, trained by hand and by nothing else."""
    run, twin = RunDir(Path(job.run_dir)), RunDir(folder / "twins" / job.id).create()
    for ours, theirs in ((run.spec_file, twin.spec_file), (run.resolved_file, twin.resolved_file)):
        shutil.copy(ours, theirs)
    listing = str(Registry(settings).listing_file("tiny"))
    assert by_hand.Job(twin, listing, []).finish(1).reason is StopReason.COMPLETED
    return tensors(twin)


def leaks(folder, guarded):
    """Files that hold a password, but for those that are made for it."""
    words = [word.encode() for word in guarded.words()]
    own = {"secrets", "redis", "conf", "replica.conf", "sentinel.conf"}
    files = [file for file in folder.rglob("*") if file.is_file() and not own & set(file.parts)]
    assert len(words) > 8 and any("appendonly" in file.name for file in files)
    return [str(file) for file in files if any(word in file.read_bytes() for word in words)]
