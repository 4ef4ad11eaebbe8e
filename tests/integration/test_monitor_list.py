"""The Training pages of a Flower without a password: they show everything, and change nothing."""

import re

import pytest

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.settings import Settings
from srqueue.spec.expand import DatasetRef, Expanded, expand
from srqueue.store.new import NewJob
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store
from tests.conftest import ROOT, Server
from tests.integration.flower_process import Flower

HOSTILE = """<img src=x onerror=alert(1)>'"&[*]?\\"""
NIGHT = [("compact", "convenience"), ("compact", "fidelity"), ("edsr", "fidelity")]


def job_id(number: int) -> str:
    return f"01HZZZZZZZZZZZZZZZZZZZ{number:04d}"


def expanded(arch: str, preset: str) -> Expanded:
    return expand(DatasetRef("photos", "5" * 64), preset=preset, architecture=arch)


def new_job(number: int, name: str, arch: str = "compact", preset: str = "fidelity", **more) -> NewJob:
    whole = expanded(arch, preset)
    spec = {**whole.spec.model_dump(mode="json"), "manual_seed": number}
    return NewJob(job_id(number), spec, whole.origins, f"spec{number}", name, 1000, **more)


def fill(store: Store) -> None:
    """A campaign of three, of which one runs and two have ended; 120 wait, one of a hostile name."""
    store.create_many([new_job(n, f"cell_{n}", *NIGHT[n], priority=9) for n in range(3)], campaign="night")
    worker = WorkerRecord(
        name="w1", host="here", pid=1, classes=("any", "cpu"), device="A big card", version="0", since=1.0,
        load={"cpu": 37.5, "memory_mib": [1024, 4096], "gpus": [
            {"name": "A big card", "util": 91, "mib": [2048, 8192], "watts": 300.5, "celsius": 71},
        ]},
    )  # fmt: skip
    store.announce_worker(worker, 3600)
    for n, psnr in enumerate((33.5, 31.0)):
        claim = store.claim("w1:1", "here", ["any"], 3600, {"r": "/nowhere"})
        assert claim is not None and claim.record.id == job_id(n)
        reason, word = [(StopReason.COMPLETED, "done"), (StopReason.DIVERGED, "the loss exploded")][n]
        outcome = Outcome(reason, word, 1000, metrics={"best/psnr": psnr, "bicubic/psnr": 31.1})
        store.finish(job_id(n), claim.token, outcome)
    claim = store.claim("w1:1", "here", ["any"], 3600, {"r": "/nowhere"})
    figures = {
        "it_s": 10.0,
        "eta_s": 80.0,
        "psnr": 32.0,
        "best_psnr": 32.5,
        "bicubic_psnr": 31.1,
        "loss": 0.02,
    }
    store.set_progress(claim.record.id, claim.token, 200, figures)
    store.create_many([new_job(n, f"waits_{n}") for n in range(10, 129)])
    store.create_many([new_job(130, HOSTILE)])


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    folder, server, flower = tmp_path_factory.mktemp("flower"), Server().start(), None
    try:
        store = Store.connect(Settings(redis_url=server.url, home=folder))
        fill(store)
        store.connection.close()
        flower = Flower(folder, server.url)
        yield flower.ready()
    finally:
        if flower is not None:
            flower.close()
        server.close()
    log = flower.log.read_text()
    assert "Traceback" not in log


def test_the_pages_are_in_flower_with_a_tab_and_load_nothing_from_elsewhere(flower):
    for path in ("/", "/tasks", "/training", "/training/", "/training/campaign/night"):
        page = flower.ask(path)
        assert page.status == 200
        assert 'href="/training"' in page.text, f"{path} has the tab"
    page = flower.ask("/training").text
    loaded = [p.split('"')[0] for word in ("src=", "<link ") for p in page.split(word)[1:]]
    assert "://" not in "".join(loaded)
    assert "default-src 'self'" in flower.ask("/training").headers["content-security-policy"]
    for name in ("training.js", "tables.js", "list.js", "campaign.js", "training.css", "plotly.min.js"):
        assert flower.ask(f"/training/static/{name}").status == 200, name
    assert flower.ask("/training/static/../backend.py").status in (403, 404)


def test_a_page_of_jobs_has_all_that_one_glance_asks_for(flower):
    found = flower.api("jobs?state=running")
    assert found["counts"] == {
        "held": 0, "queued": 120, "running": 1, "paused": 0, "succeeded": 1, "failed": 1, "cancelled": 0,
    }  # fmt: skip
    (card,) = found["jobs"]
    assert (card["id"], card["state"], card["share"]) == (job_id(2), "running", 0.2)
    assert (card["preset"], card["arch"], card["dataset"]) == ("fidelity", "edsr", "photos")
    assert (card["it_s"], card["eta_s"], card["device"], card["worker"]) == (10.0, 80.0, "A big card", "w1")
    assert (card["psnr"], card["best_psnr"], card["bicubic_psnr"]) == (32.0, 32.5, 31.1)
    assert card["gain"] == pytest.approx(1.4)
    assert card["lease_left_s"] > 3000
    assert card["attempts"] == 1
    (failed,) = flower.api("jobs?state=failed")["jobs"]
    assert (failed["reason"], failed["message"]) == ("diverged", "the loss exploded")


def test_waiting_jobs_say_why_and_when_in_the_order_in_which_they_are_taken(flower):
    found = flower.api("jobs?state=queued,held&order=next&size=3")
    assert [card["id"] for card in found["jobs"]] == [job_id(10), job_id(11), job_id(12)]
    assert [card["waits"] for card in found["jobs"]][1:] == ["behind 1 job", "behind 2 jobs"]
    # One worker, 80 s to go, then 1,000 iterations each, at the speed of jobs of its network.
    starts = [card["starts_in_s"] for card in found["jobs"]]
    assert starts[0] == pytest.approx(80)
    assert starts == sorted(starts) and starts[1] > starts[0]


def test_pages_follow_each_other_without_a_gap_and_one_behind_the_end_is_empty(flower):
    pages = [flower.api(f"jobs?state=queued&size=50&page={n}") for n in (1, 2, 3, 4)]
    assert [len(p["jobs"]) for p in pages] == [50, 50, 20, 0]
    assert {p["pages"] for p in pages} == {3} and {p["total"] for p in pages} == {120}
    ids = [card["id"] for p in pages for card in p["jobs"]]
    assert ids == sorted(set(ids), reverse=True)


def test_filters_and_search_go_together(flower):
    assert flower.api("jobs?campaign=night")["total"] == 3
    assert [c["id"] for c in flower.api("jobs?campaign=night&state=failed")["jobs"]] == [job_id(1)]
    assert flower.api("jobs?q=WAITS_1")["total"] == 10 + 29
    assert [c["id"] for c in flower.api("jobs?q=cell&state=succeeded,failed")["jobs"]] == [
        job_id(1),
        job_id(0),
    ]
    assert flower.api("jobs?q=cell&campaign=night")["counts"]["running"] == 1
    assert [c["id"] for c in flower.api("jobs?q=zz0011")["jobs"]] == [job_id(11)]
    assert flower.api("jobs?q=" + "%5B%2A%5D%3F")["total"] == 1, "signs of a pattern mean themselves"
    assert flower.api("jobs?q=%2A")["total"] == 1
    assert flower.api("jobs?q=nothing-like-it") | {"workers": 0} == {
        "total": 0, "page": 1, "pages": 1, "more": False, "jobs": [], "workers": 0,
        "counts": dict.fromkeys(flower.api("jobs")["counts"], 0),
    }  # fmt: skip


def test_a_hostile_name_comes_as_text_and_stands_in_no_page(flower):
    (card,) = flower.api("jobs?q=onerror")["jobs"]
    assert card["name"] == HOSTILE
    assert (
        flower.ask(f"/training/api/job/{card['id']}").headers["content-type"].startswith("application/json")
    )
    for path in ("/training", "/training?q=<script>alert(1)</script>", "/training/campaign/night"):
        assert "onerror" not in flower.ask(path.replace("<", "%3C").replace(">", "%3E")).text
        assert "<script>" not in flower.ask(path.replace("<", "%3C").replace(">", "%3E")).text


def test_a_campaign_is_a_matrix_with_a_leaderboard(flower):
    (listed,) = flower.api("campaigns")["campaigns"]
    assert (listed["name"], listed["jobs"], listed["best_psnr"]) == ("night", 3, 33.5)
    found = flower.api("campaign/night")
    assert found["rows"] == ["convenience · photos", "fidelity · photos"]
    assert found["columns"] == ["compact x2", "edsr x2"]
    cells = {(c["row"], c["column"]): (c["id"], c["state"], c["psnr"]) for c in found["cells"]}
    assert cells["convenience · photos", "compact x2"] == (job_id(0), "succeeded", 33.5)
    assert cells["fidelity · photos", "compact x2"] == (job_id(1), "failed", 31.0)
    assert cells["fidelity · photos", "edsr x2"] == (job_id(2), "running", 32.5)
    assert [c["best_psnr"] for c in found["leaderboard"]] == [33.5, 32.5, 31.0]


def test_one_job_has_its_spec_with_origins_and_a_diff(flower):
    view = flower.api(f"job/{job_id(2)}")
    rows = {key: (value, origin) for key, value, origin in view["spec"]}
    assert rows["network_g.type"] == ("edsr", "flag --arch")
    assert rows["train.total_iter"][1] == "preset fidelity"
    assert view["attempts"][0]["worker"] == "w1"
    assert "runs" in " ".join(view["explain"])
    assert view["may_act"] is False and "SRQUEUE_FLOWER_AUTH" in view["why_not"]
    diff = {key: values for key, *values in flower.api(f"diff?a={job_id(0)}&b={job_id(2)}")["rows"]}
    assert diff["network_g.type"] == ["compact", "edsr"] and "scale" not in diff


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("job/01HZZZZZZZZZZZZZZZZZZZ9999", 404),
        ("job/01HZZZZZZZZZZZZZZZZZZZ9999/curves", 404),
        (f"job/{job_id(2)}/report", 404),
        (f"job/{job_id(2)}/picture/0/bicubic.png", 404),
        (f"job/{job_id(2)}/picture/0/..%2f..%2fspec.png", 404),
        ("campaign/none", 404),
        ("nothing/here", 404),
        ("jobs?state=sleeping", 400),
        ("jobs?page=one", 400),
        ("jobs?campaign=../x", 400),
        (f"diff?a={job_id(0)}", 400),
        ("stream?job=x", 400),
        (f"job/{job_id(2)}/pause", 401),
    ],
)
def test_what_is_wrong_is_told_as_json(flower, path, status):
    answer = flower.ask(f"/training/api/{path}")
    assert answer.status == status
    assert answer.json["error"] and "hint" in answer.json
    assert "Traceback" not in answer.text


def test_no_act_is_done_where_nobody_is_signed_in(flower):
    for how in (flower.act(job_id(2), "pause"), flower.ask(f"/training/api/job/{job_id(2)}/cancel", "POST")):
        assert how.status == 401
        assert "SRQUEUE_FLOWER_AUTH" in how.json["hint"]
    assert flower.api(f"job/{job_id(2)}")["job"]["wish"] is None
    page = flower.ask("/training").text
    assert 'data-may-act="0"' in page and "SRQUEUE_FLOWER_AUTH" in page


def test_a_page_of_a_job_is_found_by_the_end_of_its_id(flower):
    answer = flower.ask("/training/job/zz0002")
    assert (answer.status, answer.headers["location"]) == (302, f"/training/job/{job_id(2)}")
    gone = flower.ask("/training/job/nobody")
    assert gone.status == 404 and "there is no job" in gone.text


def test_prometheus_gets_jobs_workers_and_cards(flower):
    lines = flower.ask("/metrics").text.splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    assert figures["srqueue_store_up"] == "1.0"
    assert figures['srqueue_jobs{state="queued"}'] == "120.0"
    assert figures["srqueue_queue_length"] == "120.0"
    who = f'{{job="{job_id(2)[-6:].lower()}",name="cell_2",worker="w1"}}'
    assert figures[f"srqueue_job_psnr_db{who}"] == "32.0"
    assert figures[f"srqueue_job_iterations_per_second{who}"] == "10.0"
    assert figures['srqueue_worker_cpu_percent{host="here",worker="w1"}'] == "37.5"
    card = '{gpu="0",host="here",name="A big card",worker="w1"}'
    assert figures[f"srqueue_gpu_utilization_percent{card}"] == "91.0"
    assert float(figures[f"srqueue_gpu_memory_used_bytes{card}"]) == 2048 * 2**20
    dashboard = (ROOT / "deploy" / "grafana-dashboard.json").read_text()
    shown = set(re.findall(r"srqueue_[a-z_]+", dashboard))
    assert len(shown) > 10 and shown <= {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert "flower_events_total" in "".join(lines), "Flower's own are there, too"
