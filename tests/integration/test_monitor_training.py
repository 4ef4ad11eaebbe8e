"""The page of a job that a real worker trains: what is shown is what its run folder holds, or the store."""

import contextlib

import pytest

from srqueue.curves.history import history
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.pictures import picture_file, read_pictures
from tests.integration.flower_process import Flower

ME = "me:canary-7f3"
PNG = b"\x89PNG"


@pytest.fixture
def flower(valkey, environment, tiny_dataset, tmp_path):
    settings = environment(valkey)
    flower = Flower(tmp_path, valkey.url, user=ME, FLOWER_AUTH=ME, RUNS=str(settings.runs_root))
    try:
        yield flower
    finally:
        flower.close()
    assert "Traceback" not in flower.log.read_text()


def test_a_real_training_is_shown_paused_resumed_and_extended(
    flower, settings, tiny_dataset, tiny_spec, start_worker, wait_until, tmp_path
):
    client, entry = Client(settings), tiny_dataset(settings)
    job = client.submit(tiny_spec(entry.identity, 4000, val={"val_freq": 50})).job
    worker = start_worker()
    flower.ready()
    news = flower.stream(f"job={job.id}")

    cards = (card for event, card in news if event == "job")
    seen = next(c for c in cards if c["state"] == "running" and c["iteration"] > 0)
    assert seen["worker"] == worker.name + "@here" and seen["arch"] == "compact"
    later = next(c for c in cards if c["iteration"] > seen["iteration"])
    assert later["share"] == pytest.approx(later["iteration"] / 4000)
    with contextlib.closing(flower.stream(f"job={job.id}")) as more:
        assert next(data for event, data in more if event == "curves")["position"].startswith("f1-")

    assert "pauses" in flower.act(job.id, "pause").json["text"]
    assert next(c for c in cards if c["state"] == "paused")["wish"] is None
    paused = curves_are_those_of_the_folder(flower, client, job.id)

    assert flower.act(job.id, "resume").status == 200
    assert next(c for c in cards if c["state"] == "running" and c["iteration"] > paused)["attempts"] == 2
    assert flower.act(job.id, "cancel").status == 200
    assert next(c for c in cards if c["state"] == "cancelled")["best_psnr"] > 10
    curves_are_those_of_the_folder(flower, client, job.id)
    what_a_folder_holds_is_shown(flower, client, job.id)

    answer = flower.act(job.id, "extend", {"iterations": 50})
    assert answer.status == 200, answer.text
    longer = answer.json["job"]
    assert answer.json["new"] and longer["name"].startswith("tiny_to")
    wait_until(lambda: client.get(longer["id"]).state == "succeeded", "the longer one is done")
    without_its_folder(flower, client, job.id, tmp_path)


def curves_are_those_of_the_folder(flower: Flower, client: Client, job_id: str) -> int:
    """Returns the iteration that they end at."""
    found = flower.api(f"job/{job_id}/curves")
    whole = history(RunDir(client.settings.runs_root / job_id).events())
    assert found["iteration"] == whole.iteration and found["hours"] == whole.hours
    for metric in ("val/psnr", "bicubic/psnr", "loss", "lr", "it_s"):
        ours, theirs = found["curves"][metric], whole.curves[metric]
        assert (ours["it"], ours["values"], ours["unit"]) == (theirs.it, theirs.values, theirs.unit), metric
    assert {m["kind"] for m in found["marks"]} >= {"checkpoint"}
    again = flower.api(f"job/{job_id}/curves?after={found['position']}")
    assert again == {"position": found["position"], "curves": None}
    assert flower.api(f"job/{job_id}/curves?after=f0-nonsense")["curves"], "unknown: the whole history"
    return found["iteration"]


def what_a_folder_holds_is_shown(flower: Flower, client: Client, job_id: str) -> None:
    run = RunDir(client.settings.runs_root / job_id)
    told = flower.api(f"job/{job_id}/events")
    assert {"phase", "val", "checkpoint"} <= {e["kind"] for e in told["events"]}
    assert any("dB (bicubic" in e["text"] for e in told["events"])
    assert {e["token"] for e in told["events"]} == {1, 2}
    assert flower.api(f"job/{job_id}/events?after={told['position']}")["events"] == []
    assert any(line.startswith("t2 ") for line in flower.api(f"job/{job_id}/log")["lines"])
    view = flower.api(f"job/{job_id}")
    assert view["attempts"][0]["reason"] == "paused"
    assert {"retry", "extend", "upgrade"} <= set(view["acts"])
    shown = flower.api(f"job/{job_id}/pictures")
    assert shown["note"] is None and shown["iterations"] == list(read_pictures(run).iterations)
    for what in ("bicubic", "original", shown["iterations"][0], shown["iterations"][-1]):
        picture = flower.ask(f"/training/api/job/{job_id}/picture/0/{what}.png")
        assert picture.body == picture_file(run, 0, str(what)).read_bytes()


def without_its_folder(flower: Flower, client: Client, job_id: str, tmp_path) -> None:
    """As a Flower on another machine sees it."""
    before = flower.api(f"job/{job_id}/curves")["curves"]["val/psnr"]
    (client.settings.runs_root / job_id).rename(tmp_path / "elsewhere")
    found = flower.api(f"job/{job_id}/curves")
    assert found["position"].startswith("s") and found["curves"]["val/psnr"]["values"] == before["values"]
    assert flower.api(f"job/{job_id}/events")["events"]
    assert any(line.startswith("t2 ") for line in flower.api(f"job/{job_id}/log")["lines"])
    shown = flower.api(f"job/{job_id}/pictures")
    assert "only the pictures of the newest validation" in shown["note"]
    (iteration,) = shown["iterations"]
    for what in ("bicubic", "original", iteration):
        assert flower.ask(f"/training/api/job/{job_id}/picture/0/{what}.png").body.startswith(PNG)
    assert flower.ask(f"/training/api/job/{job_id}/picture/0/{iteration + 1}.png").status == 404
    assert "not on this machine" in flower.ask(f"/training/api/job/{job_id}/report").json["error"]
    assert set(flower.api(f"job/{job_id}")["acts"]) == {"retry"}
