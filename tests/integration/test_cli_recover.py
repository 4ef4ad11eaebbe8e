"""`srqueue recover`: jobs that Redis has lost come back from their run folders."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from unittest.mock import ANY

import pytest
from ulid import ULID

from srqueue.queue.client import Client
from srqueue.queue.routing import queue_name
from srqueue.run.card import JobCard
from srqueue.run.events import EventWriter
from srqueue.run.folder import RunDir, read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns

TOTAL = 200


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def recover(settings):
    """Runs the command with this test's environment, which the settings have set."""

    def recover(*args, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "srqueue.cli", "recover", *map(str, args)],
            capture_output=True, text=True, timeout=60, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return recover


@pytest.fixture
def folder(settings, tiny_spec):
    """Makes a run folder as a worker leaves it: two attempts, the second with that outcome or none."""

    def folder(
        name="tiny", reason=None, *, card=True, begun=True, by_hand=False, rungs=(), until=None, campaigns=()
    ):
        run = RunDir(settings.runs_root / str(ULID())).create()
        spec = tiny_spec(None, TOTAL, name=name)
        run.spec_file.write_text(spec.model_dump_json())
        if card:
            JobCard(
                id=run.job_id, name=name, priority=8, device_class="cpu", origins={"scale": "preset quick"},
                created=1_700_000_000.25, spec_id=f"id-of-{name}",
                rungs=rungs, campaigns=campaigns,
            ).write(run.card_file)  # fmt: skip
        if not begun:
            return run
        for token, it in ((1, 40), (2, 90)):
            more = {} if by_hand else {"trainer": {"pid": 1, "create_time": 0.0}, "owner": "w1@here:7"}
            attempt = run.write_attempt(token, None, host="here", until=until, **more)
            events = EventWriter(attempt.events_file, token)
            before = run.attempt(token - 1).events_file
            events.write(
                "phase", 0, phase="restored", from_token=token - 1,
                from_offset=before.stat().st_size if token > 1 else 0,
            )  # fmt: skip
            events.write("train", it, loss=0.5 / token, lr=1e-3, it_s=70.0, eta_s=2.0)
            events.close()
            (run.checkpoints / f"ckpt-{token:06d}-it{it}-t{token}").mkdir()
        if reason:
            outcome = Outcome(
                reason, "", TOTAL if reason is StopReason.COMPLETED else 90, 2, {"best/psnr": 30.5}
            )
            outcome.write(attempt.outcome_file)
        return run

    return folder


STATES = {
    StopReason.COMPLETED: JobState.SUCCEEDED,
    StopReason.PAUSED: JobState.PAUSED,
    StopReason.CANCELLED: JobState.CANCELLED,
    StopReason.DIVERGED: JobState.FAILED,
    StopReason.DRAINED: JobState.QUEUED,
    StopReason.CRASHED: JobState.QUEUED,
    StopReason.DISK_FULL: JobState.HELD,
    None: JobState.RUNNING,
}


def test_every_job_comes_back_in_the_state_that_its_folder_tells(client, settings, recover, folder):
    runs = {reason: folder(f"job-{reason}", reason) for reason in STATES}
    fresh = folder("fresh", begun=False)
    said = recover().stdout
    assert said.splitlines()[-1] == f"{len(runs) + 1} jobs recovered, 0 known already"
    for reason, state in STATES.items():
        run = runs[reason]
        job = client.get(f"job-{reason}")
        assert (job.id, job.state, job.reason) == (run.job_id, state, reason)
        line = f"job-{reason} {job.id}: {state}, iteration {job.iteration} of {TOTAL}"
        assert line in said.splitlines()
        assert (job.token, job.seq, job.attempts, job.priority, job.device_class) == (2, 2, 2, 8, "cpu")
        assert job.iteration == (TOTAL if state is JobState.SUCCEEDED else 90)
        assert (job.created, job.spec_id) == (1_700_000_000.25, f"id-of-job-{reason}")
        assert job.spec["name"] == f"job-{reason}" and job.origins == {"scale": "preset quick"}
        assert (job.root_id, job.run_dir) == (read_root_id(settings.runs_root), str(run.path))
        assert job.progress == {"loss": 0.25, "lr": 1e-3, "it_s": 70.0, "eta_s": 2.0, "phase": "restored"}
        assert job.metrics == ({"best/psnr": 30.5} if reason else {})
        assert (job.finished is not None) == state.final
        assert job.owner == ("w1@here:7" if state is JobState.RUNNING else None)
        assert [(e.token, e.n) for e in client.events(job.id)] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    begun = client.get("fresh")
    assert (begun.id, begun.state, begun.token, begun.seq) == (fresh.job_id, JobState.QUEUED, 0, None)
    assert client.app.connection_for_write().default_channel.queue_declare(queue=queue_name("cpu"))[1] == 3


def test_a_campaigns_budget_goes_on_where_it_was(client, recover, folder):
    """Whether the campaign or its jobs come back first; what is trained meanwhile is spent as well."""
    campaigns, spec = Campaigns(client.store.connection), {"stages": {"s": {}}}
    campaigns.begin("there", spec, "")
    for campaign in ("there", "later"):
        for reason in (StopReason.CRASHED, None):
            run = folder(campaign, reason, campaigns=(campaign,))
            for attempt, hours in zip(run.attempts(), (2, 1), strict=True):
                first, last = (json.loads(line) for line in attempt.events_file.read_text().splitlines())
                last["t"], last["data"]["attempt_kwh"] = first["t"] + hours * 3600, hours / 10
                attempt.events_file.write_text(f"{json.dumps(first)}\n{json.dumps(last)}\n")
    recover()
    for job in client.list([JobState.RUNNING]):
        client.store.finish(job.id, job.token, Outcome(StopReason.DRAINED, "", 90))
    campaigns.begin("later", spec, "")
    for name in ("there", "later"):
        record = campaigns.get(name)
        assert record.spent_s == pytest.approx(6 * 3600, abs=30)
        assert float(record.more["spent_kwh"]) == pytest.approx(0.6)
    campaigns.begin("later", spec, "")
    assert campaigns.get("later") == replace(record, updated=ANY), "it is added once"


def test_trials_of_a_search_know_their_rung_again(client, recover, folder):
    folder("fresh", begun=False, rungs=(50, 100))
    folder("running", rungs=(50, 100), until=100)
    folder("crashed", StopReason.CRASHED, rungs=(50, 100), until=100)
    folder("at-rung", StopReason.RUNG, rungs=(50, 100), until=50)
    folder("last", StopReason.DRAINED, rungs=(50, 100))
    folder("ended", StopReason.COMPLETED, rungs=(50, 100))
    recover()
    found = {name: client.get(name) for name in ("fresh", "running", "crashed", "at-rung", "last", "ended")}
    assert all(job.rungs == (50, 100) for job in found.values())
    assert {name: job.until for name, job in found.items()} == {
        "fresh": 50, "running": 100, "crashed": 100, "at-rung": 50, "last": None, "ended": None,
    }  # fmt: skip


def test_a_running_job_whose_worker_is_dead_is_queued_one_lease_later(client, recover, folder, wait_until):
    job = folder().job_id
    recover()
    assert client.get(job).state is JobState.RUNNING

    def swept():
        client.store.sweep()
        return client.get(job).state is JobState.QUEUED

    wait_until(swept, "its lease runs out")
    assert client.get(job).reason is StopReason.WORKER_LOST
    claim = client.store.claim("w", "here", ["cpu"], 2, {client.get(job).root_id: "/runs"})
    assert (claim.record.id, claim.token) == (job, 3)


def test_what_redis_knows_is_not_touched_and_a_dry_run_adds_nothing(client, recover, folder, tiny_spec):
    known, lost = folder("known", StopReason.COMPLETED), folder("lost", StopReason.PAUSED)
    record, _ = client.store.create(
        known.job_id, spec={}, origins={}, spec_id="x", name="known", priority=1, total_iter=5
    )
    said = recover("--dry-run").stdout
    assert f"lost {lost.job_id}: paused, iteration 90 of {TOTAL}" in said
    assert said.splitlines()[-1] == "1 job to be recovered, 1 known already"
    assert client.list() == (record,)
    listed = {one["path"]: one for one in json.loads(recover("--json").stdout)}
    assert listed[str(known.path)]["how"] == "known" and listed[str(lost.path)]["how"] == "recovered"
    assert listed[str(lost.path)]["job"]["state"] == "paused"
    assert client.get(known.job_id) == record
    before = client.list()
    assert recover().stdout.splitlines() == ["0 jobs recovered, 2 known already"]
    assert client.list() == before


def test_folders_of_older_versions_need_only_the_spec(client, recover, folder, settings, tiny_spec):
    from srqueue.spec.job import spec_id

    run = folder("old", StopReason.PAUSED, card=False)
    recover()
    job = client.get(run.job_id)
    assert (job.name, job.state, job.priority, job.device_class) == ("old", JobState.PAUSED, 5, "cpu")
    assert job.spec_id == spec_id(tiny_spec(None, TOTAL, name="old"))
    assert abs(job.created - ULID.from_str(run.job_id).timestamp) < 0.01


def test_a_training_by_hand_is_no_job(client, recover, folder):
    run = folder(card=False, by_hand=True)
    assert recover().stdout.splitlines() == ["0 jobs recovered, 0 known already"]
    assert [one["how"] for one in json.loads(recover("--json").stdout)] == ["by hand"]
    assert client.list() == () and run.path.is_dir()


def test_what_cannot_be_read_is_named_and_the_rest_comes_back(client, recover, folder, settings):
    whole, torn, foreign, newer, bare = (folder(name, StopReason.PAUSED) for name in "abcde")
    torn.spec_file.write_text('{"name": "b", ')
    shutil.copy(whole.card_file, foreign.card_file)
    newer.card_file.write_text(json.dumps({**json.loads(newer.card_file.read_text()), "v": 99}))
    bare.spec_file.unlink()
    (settings.runs_root / "notes").mkdir()
    done = recover(code=1)
    assert [job.id for job in client.list()] == [whole.job_id]
    for run in (torn, foreign, newer, bare):
        assert f"error: {run.path} is left out: " in done.stderr
    assert f"job.json is of job {whole.job_id}" in done.stderr and "version 1" in done.stderr
    assert "notes" not in done.stderr


def test_another_folder_of_runs_can_be_named(client, recover, folder, settings, tmp_path):
    run = folder("moved", StopReason.PAUSED)
    shutil.move(settings.runs_root, tmp_path / "elsewhere")
    assert recover().stdout == "0 jobs recovered, 0 known already\n"
    assert "there is no folder" in recover("--runs", tmp_path / "nowhere", code=2).stderr
    recover("--runs", tmp_path / "elsewhere")
    assert client.get("moved").run_dir == str(tmp_path / "elsewhere" / run.job_id)


def test_a_job_that_was_removed_stays_removed_though_its_files_were_kept(client, recover, folder):
    run = folder("unwanted", StopReason.COMPLETED)
    recover()
    subprocess.run([sys.executable, "-m", "srqueue.cli", "rm", "unwanted"], check=True, capture_output=True)
    assert client.list() == () and run.export.is_dir()
    assert [one["how"] for one in json.loads(recover("--json").stdout)] == ["removed"]
    assert client.list() == ()


def test_what_cannot_be_recovered_is_told(recover, settings):
    read_root_id(settings.runs_root)
    assert "a job that no worker ever began has no run folder" in recover().stderr
    assert "Jobs that no worker ever began" in recover("--help").stdout


def test_a_job_that_ended_comes_back_as_it_was(
    client, settings, tiny_dataset, tiny_spec, start_worker, recover
):
    job = client.submit(tiny_spec(tiny_dataset(settings).identity, TOTAL), priority=7).job
    worker = start_worker()
    client.wait(job.id, timeout=60)
    before = client.get(job.id)
    assert JobCard.read(RunDir(settings.runs_root / job.id).card_file).priority == 7
    client.store.connection.redis.flushall()
    recover()
    after = client.get(job.id)
    assert after.started == next(RunDir(settings.runs_root / job.id).events()).t
    told = {"updated", "claimed", "started", "finished", "message"}
    same = [f for f in before.__dataclass_fields__ if f not in told]
    assert [getattr(after, f) for f in same] == [getattr(before, f) for f in same]
    assert worker.process.poll() is None


def test_an_emptied_redis_is_told_beside_the_run_folders(recover, folder, client, typed, tmp_path, settings):
    run = typed(tmp_path / "nothing")
    run.env |= {"SRQUEUE_REDIS_URL": settings.store_url, "SRQUEUE_RUNS": str(settings.runs_root)}
    assert run("ls").stderr == ""
    folder("lost", StopReason.PAUSED)
    assert "1 run folder" in run("ls").stderr and "srqueue recover" in run("ls").stderr
