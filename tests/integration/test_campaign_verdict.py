"""The verdict on campaigns whose cells ended as it is said here: what is printed, written and told."""

import json
import logging
import re
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

import srqueue
from srqueue.campaign.spec import campaign_of
from srqueue.campaign.verdict import flat
from srqueue.cli.running import run
from srqueue.errors import UsageError
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.outcomes import verdict_on
from srqueue.queue.stewarding import tend
from srqueue.run.folder import RunDir, read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.run.scores import PictureScore, Scores, read_scores
from srqueue.settings import load_settings
from srqueue.store.occasions import Occasions
from tests.conftest import ROOT
from tests.integration.nights import TINY
from workers.notifier import Notifier
from workers.verdicts import report_beside

README = ROOT / "README.md"
PICTURES = [24.0, 27.5, 29.0, 31.0, 33.5, 26.0, 28.0, 30.5]
GRID = {
    "name": "night", "base": TINY, "matrix": {"train.optim_g.lr": [1e-3, 2e-3], "seed": [1, 2]},
}  # fmt: skip


@pytest.fixture
def client(settings, tiny_dataset):
    tiny_dataset(settings)
    return Client(settings)


@pytest.fixture
def cli(capsys):
    """Runs a command of this very process; what it printed."""

    def cli(*words, code=0):
        capsys.readouterr()
        assert run([str(word) for word in words]) == code
        return capsys.readouterr()

    return cli


@pytest.fixture
def night(client):
    """Four cells, queued."""
    return CampaignClient(client).submit(campaign_of(GRID, "night")).job_ids


def scores(by):
    rows = tuple(PictureScore(f"{i}.png", v + by, 0.9, v, 25.0, 0.8, 24.0) for i, v in enumerate(PICTURES))
    return Scores(pictures=rows, count=len(rows), parameters=1000, ms_per_megapixel=7.5, device="a card")


def end(store, by, reason=StopReason.COMPLETED, host="h", told=True):
    """The next cell ends, `by` dB above the pictures."""
    claim = store.claim("w:1", host, ["cpu", "any"], 30, {"r": "/runs"})
    found = scores(by)
    mean = statistics.fmean(p.psnr_y for p in found.pictures)
    metrics = {"best/psnr": mean, "best/ssim": 0.9, "bicubic/psnr": 25.0, "seconds": 1800.0}
    if told:
        store.put_scores(claim.record.id, claim.token, found)
    return store.finish(claim.record.id, claim.token, Outcome(reason, "as it was said", 40, metrics=metrics))


@pytest.fixture
def ended(client, night):
    """The second rate is better by 0.3 dB."""
    for by in (0.0, 0.02, 0.3, 0.31):
        end(client.store, by)
    tend(client.store)
    return night


def test_a_leaderboard_in_the_terminal(cli, ended, settings):
    told = cli("campaign", "show", "night").out
    assert "leaderboard on tiny" in told and "lr 0.002" in told
    assert re.search(r"lr 0\.001 .*-0\.295 dB: more than noise: pictures and 2 seeds each agree", told)
    shown = json.loads(cli("campaign", "show", "night", "--json").out)
    assert [g["group"] for g in shown["leaderboards"][0]["groups"]] == ["lr 0.002", "lr 0.001"]


def test_tables_for_other_programs_and_a_page(cli, ended, settings, tmp_path):
    out = tmp_path / "out"
    names = {kind: out / f"night.{kind}" for kind in ("csv", "json", "markdown")}
    told = cli("campaign", "report", "night", *(w for kind, f in names.items() for w in (f"--{kind}", f)))
    assert told.out.split() == [str(file) for file in names.values()], "and no HTML, which nobody asked for"
    assert "lr 0.002 leads with 28.99 ± 0.01 dB (2 seeds), +0.30" in told.err
    rows = names["csv"].read_text().splitlines()
    assert rows[0].startswith("job,name,stage,train.optim_g.lr,seed,state,") and len(rows) == 5
    verdict = json.loads(names["json"].read_text())
    assert [c["claim"] for c in verdict["boards"][0]["comparisons"]] == ["more than noise"]
    assert "| lr 0.002 | 2 | 28.99" in names["markdown"].read_text()
    assert cli("campaign", "report", "night", "--csv", "-").out == names["csv"].read_text()
    page = cli("campaign", "report", "night").out.strip()
    assert page == str(settings.campaign_report("night"))
    html = settings.campaign_report("night").read_text()
    assert '<h2 id="verdict-title">Verdict</h2>' in html and "more than noise" in html
    assert '"fronts"' in html and 'http-equiv="Content-Security-Policy"' in html
    assert "there is no campaign 'nigth'" in cli("campaign", "report", "nigth", code=2).err


def test_what_a_cell_is_named_does_no_harm(cli, client, night, settings, tmp_path):
    """A message that came from a trainer is text, in every format."""
    claim = client.store.claim("w:1", "h", ["cpu", "any"], 30, {"r": "/runs"})
    evil = "=cmd()|<script>alert(1)</script>"
    client.store.finish(claim.record.id, claim.token, Outcome(StopReason.CANCELLED, evil, 3))
    files = {kind: tmp_path / f"n.{kind}" for kind in ("csv", "out", "markdown")}
    cli("campaign", "report", "night", *(w for kind, file in files.items() for w in (f"--{kind}", file)))
    for kind in ("out", "markdown"):
        assert "<script>alert" not in files[kind].read_text() and "alert" in files[kind].read_text()
    assert "'=cmd()" in files["csv"].read_text()


def test_the_winners_model_is_copied_with_a_card(cli, ended, settings, client, tmp_path):
    told = cli("campaign", "export", "night", str(tmp_path / "out"), code=2).err
    assert "the winner's run folder is not on this machine" in told
    winner = verdict_on(client.store, "night").winner
    assert winner.id == ended[3]


def test_nothing_measured_has_no_winner(cli, night, settings, tmp_path):
    assert "has no winner" in cli("campaign", "export", "night", str(tmp_path), code=2).err
    assert "nothing was measured" in cli("campaign", "report", "night").err


def test_from_python(client, settings, tmp_path):
    campaign = srqueue.Campaign(GRID)
    assert campaign.submit().new == 4 and campaign.status()["jobs"]["queued"] == 4
    with pytest.raises(TimeoutError, match="has not ended after 0"):
        campaign.wait(0)
    for by in (0.0, 0.02, 0.3, 0.31):
        end(client.store, by)
    tend(client.store)
    assert campaign.wait(5)["state"] == "ended"
    rows = campaign.results()
    assert {len(row) for row in rows} == {len(rows[0])} and all(
        isinstance(v, str | int | float | None) for row in rows for v in row.values()
    )
    assert [(row["train.optim_g.lr"], row["seed"]) for row in rows] == [
        (0.001, 1), (0.001, 2), (0.002, 1), (0.002, 2),
    ]  # fmt: skip
    best, other = campaign.leaderboard()
    assert best["psnr"] == statistics.fmean(row["psnr"] for row in rows[2:]) > other["psnr"]
    assert campaign.submit().new == 0, "once more it is the same campaign"
    assert campaign.report(tmp_path / "here.html").read_text().startswith("<!doctype html>")


def test_nobody_waits_for_a_campaign_that_was_stopped_by_a_failure(client):
    campaign = srqueue.Campaign({**GRID, "max_parallel": 1, "on_failure": "stop"})
    campaign.submit()
    failed = client.store.claim("w:1", "h", ["cpu", "any"], 30, {"r": "/runs"})
    client.store.finish(failed.record.id, failed.token, Outcome(StopReason.SPEC_INVALID, "no", 0))
    tend(client.store)
    status = campaign.wait(5)
    assert (status["state"], status["jobs"]["held"]) == ("stopped", 3)


def test_one_worker_notes_the_end_and_reports_it(ended, client, settings):
    """`ended` noted it; cells that are tried again end it once more, and again one alone notes."""
    verbs, seen = CampaignClient(client), []
    claimed = []
    assert tend(client.store, seen.append) == [] and seen == []
    verbs.records.set("night", state="active")
    looks = [threading.Thread(target=tend, args=(client.store, seen.append)) for _ in range(4)]
    for look in looks:
        look.start()
    for look in looks:
        look.join()
    assert [record.name for record in seen] == ["night"] and claimed == []
    report_beside(client.store, load_settings().model_copy(update={"report": True}), seen[0])
    for thread in threading.enumerate():
        if thread.name == "campaign report":
            thread.join()
    assert "more than noise" in settings.campaign_report("night").read_text()


def test_a_report_that_cannot_be_made_harms_nothing(ended, client, settings, caplog):
    record = CampaignClient(client).records.get("night")
    settings.runs_root.mkdir(parents=True, exist_ok=True)
    (settings.runs_root / "campaigns").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        report_beside(client.store, settings.model_copy(update={"report": True}), record)
        for thread in threading.enumerate():
            if thread.name == "campaign report":
                thread.join()
    assert "no report of campaign night" in caplog.text


def test_its_end_is_told_with_the_verdict(client, night, settings, monkeypatch):
    monkeypatch.setenv("SRQUEUE_NOTIFY", "json://127.0.0.1:9")
    monkeypatch.setenv("SRQUEUE_NOTIFY_ON", "campaign")
    told = []
    notifier = Notifier(load_settings(), lambda _, notice: told.append(notice) or [], "h")
    notifier.look()
    for by in (0.0, 0.02, 0.3, 0.31):
        end(client.store, by)
    notifier.look()
    assert told == []
    tend(client.store)
    notifier.look()
    (notice,) = told
    assert notice.title == "campaign night has ended"
    assert "lr 0.002 leads with 28.99" in notice.body and "4 cells, its attempts took 0 s" in notice.body
    assert "ended:" in str(Occasions(client.store.connection).since(0))


def test_an_end_that_stands_no_more_is_not_told(client, night, settings, monkeypatch):
    monkeypatch.setenv("SRQUEUE_NOTIFY", "json://127.0.0.1:9")
    told = []
    notifier = Notifier(load_settings(), lambda _, notice: told.append(notice) or [], "h")
    notifier.look()
    for by in (0.0, 0.02, 0.3):
        end(client.store, by)
    failed = client.store.claim("w:1", "h", ["cpu", "any"], 30, {"r": "/runs"})
    client.store.finish(failed.record.id, failed.token, Outcome(StopReason.SPEC_INVALID, "no", 0))
    tend(client.store)
    CampaignClient(client).retry("night")
    notifier.look()
    assert not any("campaign" in notice.title for notice in told)


def test_a_campaign_that_came_from_no_file_has_no_verdict(client, tiny_spec):
    with pytest.raises(UsageError, match="no campaign 'x' that came from a file"):
        verdict_on(client.store, "x")


def test_figures_of_pictures_come_from_the_run_folder_where_redis_has_lost_them(
    client, night, settings, tmp_path
):
    import socket

    store = client.store
    record = end(store, 0.5, host=socket.gethostname(), told=False)
    assert verdict_on(store, "night").entries[0].scores is None
    run = RunDir(tmp_path / record.id).create()
    (run.export / "metrics.json").write_text(json.dumps(scores(0.5).to_json()))
    its = {"run_dir": str(run.path), "root_id": read_root_id(tmp_path)}
    store.connection.redis.hset(store.keys.job(record.id), mapping=its)
    assert verdict_on(store, "night").entries[0].scores == read_scores(run) == scores(0.5)


@pytest.mark.timeout(240)
def test_the_readmes_python_runs_as_printed_and_a_worker_leaves_a_report(
    cli, environment, valkey, tiny_dataset, start_worker, wait_until, tmp_path, monkeypatch
):
    settings = environment(valkey, REPORT="true")
    monkeypatch.chdir(tmp_path)
    tiny_dataset(settings)
    told = {key: GRID[key] for key in ("base", "matrix")} | {"matrix": {"seed": [1, 2]}}
    Path("rates.yaml").write_text(yaml.safe_dump(told))
    (printed,) = [b for b in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "Campaign" in b]
    start_worker()
    done = subprocess.run([sys.executable, "-c", printed], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "rates.html" and Path("rates.html").is_file()
    campaign = srqueue.Campaign.from_file("rates.yaml")
    assert campaign.status()["state"] == "ended"
    file = settings.campaign_report("rates")
    html = wait_until(lambda: file.is_file() and file.read_text(), "the report is there", 60)
    (group,) = campaign.leaderboard()
    assert f"{group['psnr']:.3f}" in html and "model, iteration" in html
    model, card = cli("campaign", "export", "rates", "out").out.split()
    exported = settings.runs_root / group["best_job"] / "export" / "tiny_x2.safetensors"
    (own,) = exported.parent.glob("*.safetensors")
    assert (tmp_path / model).read_bytes() == own.read_bytes()
    told = json.loads((tmp_path / card).read_text())
    assert (told["job"], told["psnr"]) == (group["best_job"], group["best_psnr"])
    assert "there already" in cli("campaign", "export", "rates", "out", code=2).err


def test_a_row_names_preset_data_and_network_also_where_its_stage_does_not_vary_them(client):
    stages = {
        "first": {"matrix": {"preset": ["convenience", "fidelity"], "arch": ["compact"]}},
        "more": {"base": {"preset": "tuned"}, "matrix": {"train.optim_g.lr": [1e-3]}},
    }
    CampaignClient(client).submit(campaign_of({"base": TINY, "stages": stages}, "night", "night"))
    rows = flat.rows(verdict_on(client.store, "night"))
    assert [(row["stage"], row["preset"], row["arch"]) for row in rows] == [
        ("first", "convenience", "compact"), ("first", "fidelity", "compact"), ("more", "tuned", "compact"),
    ]  # fmt: skip
