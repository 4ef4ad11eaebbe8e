"""Reports of real jobs: made by the worker, by hand, from the queue, from a folder, from another machine."""

import json
import re
from dataclasses import replace

import pytest

from srqueue.cli.running import run
from srqueue.queue.client import Client
from srqueue.report.finding import find
from srqueue.report.making import make_report
from srqueue.report.stored import from_store
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState, StopReason


def data_of(html):
    """What a report's script draws."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])


@pytest.fixture
def srqueue(capsys):
    """The command in this process; what it printed."""

    def call(*args, code=0):
        capsys.readouterr()
        assert run(list(map(str, args))) == code
        return capsys.readouterr()

    return call


def test_a_campaign_of_two_jobs_from_the_worker_to_every_kind_of_report(
    settings, tiny_dataset, tiny_spec, start_worker, tmp_path, monkeypatch, srqueue, wait_until
):
    """Given two jobs, the second of which cannot write its report, by one worker."""
    identity = tiny_dataset(settings).identity
    client = Client(settings)
    jobs = [
        client.submit(tiny_spec(identity, 200, name=f"job-{n}", manual_seed=n), campaign="night").job
        for n in (1, 2)
    ]
    blocked = RunDir(settings.runs_root / jobs[1].id)
    (blocked.report / "a folder in its place").mkdir(parents=True)
    worker = start_worker(REPORT="true")
    first, second = (client.wait(job.id, timeout=100) for job in jobs)

    # A report that cannot be written fails no job, and is said.
    assert (first.state, second.state) == (JobState.SUCCEEDED, JobState.SUCCEEDED)
    assert "Traceback" not in worker.text()
    worker.terminate()
    assert worker.process.wait(30) == 0
    assert f"no report of {second.id}" in worker.text()

    # The one that was made has the figures of the store, and three different pictures.
    folder = RunDir(settings.runs_root / first.id)
    data = data_of(folder.report.read_text())
    psnr = data["plots"][0]["lines"][0]
    assert max(psnr["values"]) == pytest.approx(first.metrics["best/psnr"], abs=1e-3)
    crop = data["pictures"][0][0]
    assert len({crop["bicubic"], crop["original"], crop["model"][-1]}) == 3
    assert crop["iterations"][-1] == 200
    wait_until(lambda: list(folder.tensorboard.glob("events.out.tfevents.*")), "TensorBoard's files")

    # It tells the end that the record tells: a third crash has failed the job, the folder has but the crash.
    failed = replace(first, state=JobState.FAILED, reason=StopReason.NO_PROGRESS, message="no more tries")
    assert make_report(folder, failed)
    assert "no_progress" in folder.report.read_text() and "no more tries" in folder.report.read_text()

    # By hand: one job by its name, the campaign, a folder without Redis.
    assert srqueue("report", "job-1").out.strip() == str(folder.report)
    monkeypatch.chdir(tmp_path)
    assert srqueue("report", "night").out.strip() == "report-night.html"
    both = data_of((tmp_path / "report-night.html").read_text())
    assert [label.partition(" ")[0] for label in both["jobs"]] == ["job-1", "job-2"]
    table = json.loads(srqueue("report", "night", "--json").out)
    assert [job["psnr"] for job in table["jobs"]] == [first.metrics["best/psnr"], second.metrics["best/psnr"]]
    assert table["differences"] == {"manual_seed": ["1", "2"]} and table["remarks"] == []
    srqueue("report", "night", "--png", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "more than one kind" in srqueue("report", "night", "--png", "x.png", "--csv", code=2).err
    assert "--hours goes with --png" in srqueue("report", "night", "--hours", code=2).err
    assert "no job 'nigth'" in srqueue("report", "nigth", code=2).err
    assert "no plain file" in srqueue("report", "job-1", "--out", "/dev/null", code=2).err

    # From another machine: what Redis has, and that is said.
    monkeypatch.setattr("srqueue.report.stored.socket.gethostname", lambda: "another")
    away = from_store(client.store, client.get(first.id))
    assert "its run folder is on" in away.remarks[0]
    assert away.history.curves["val/psnr"].values[-1] == pytest.approx(psnr["values"][-1], abs=1e-3)
    assert list(away.gallery.crops[0].model) == [200] and away.best("psnr") == first.metrics["best/psnr"]

    # Without Redis, by its path.
    monkeypatch.setenv("SRQUEUE_REDIS_URL", "unix:///nowhere/at/all")
    found = srqueue("report", folder.path, "--markdown").out
    assert "completed: all iterations done" in found and "job-1" in found
    assert "can be reported without Redis" in srqueue("report", "job-1", code=3).err


def test_a_folder_of_a_training_that_has_just_begun(new_job, tmp_path):
    job = new_job()
    _, (found,) = find([str(job.run.path)], None)
    assert found.subject.state == "not ended" and found.subject.history.curves == {}


def test_train_makes_a_report(typed, tmp_path, own_pictures, tiny_spec):
    command = typed(tmp_path)
    command("dataset", "add", "tiny", "--hr", own_pictures, "--hold-out", "held_out.png")
    spec = tmp_path / "spec.json"
    spec.write_text(tiny_spec(None, 20).model_dump_json())
    made = command("train", spec, "--run-dir", tmp_path / "a")
    assert f"report: {tmp_path}/a/report.html" in made.stderr and (tmp_path / "a/report.html").is_file()
