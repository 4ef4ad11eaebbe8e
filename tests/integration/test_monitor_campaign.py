"""A campaign from a file on the Training pages: what its page gets, and what may be done to it."""

import json

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.stewarding import tend
from srqueue.settings import Settings
from tests.conftest import Server, register_tiny
from tests.integration.flower_process import Flower
from tests.integration.nights import TINY
from tests.integration.test_campaign_verdict import end

ME = "me:canary-7f3"
STAGES = {
    "first": {"matrix": {"train.optim_g.lr": [1e-3, 2e-3], "seed": [1, 2]}},
    "then": {"base": {"train.total_iter": 60}, "start_from": "first"},
    "last": {"base": {"train.total_iter": 80}, "after": "then"},
}


@pytest.fixture(scope="module")
def server():
    server = Server().start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def campaigns(server, pictures, tmp_path_factory):
    """`night`, whose first stage has ended; `day`, of which nothing has begun."""
    folder = tmp_path_factory.mktemp("home")
    settings = Settings(redis_url=server.url, home=folder, datasets=folder / "datasets.yaml")
    register_tiny(pictures, settings)
    client = Client(settings)
    verbs = CampaignClient(client)
    verbs.submit(campaign_of({"base": TINY, "stages": STAGES, "name": "night"}, "night"))
    for by in (0.0, 0.02, 0.3, 0.31):
        end(client.store, by)
    verbs.submit(campaign_of({"base": {**TINY, "train.total_iter": 70}, "name": "day"}, "day"))
    yield verbs
    client.store.connection.close()


@pytest.fixture(scope="module")
def flowers(server, campaigns, tmp_path_factory):
    """One that asks for a password and acts, one that only shows."""
    made = [
        Flower(
            tmp_path_factory.mktemp("one"), server.url, user=ME, FLOWER_AUTH=ME, FLOWER_URL_PREFIX="/lab/"
        ),
        Flower(tmp_path_factory.mktemp("two"), server.url),
    ]
    yield [flower.ready() for flower in made]
    for flower in made:
        flower.close()
        assert "Traceback" not in flower.log.read_text()


def act(flower, name, verb, **headers):
    """As our page posts it."""
    cookie = flower.ask("/training").headers["set-cookie"].split(";")[0]
    token = cookie.partition("=")[2].strip('"')
    given = {"Cookie": cookie, "X_XSRFToken": token, **headers}
    return flower.ask(f"/training/api/campaign/{name}/{verb}", "POST", "{}", **given)


def test_stages_what_is_held_and_the_verdict(flowers):
    file = flowers[0].api("campaign/night")["file"]
    assert [(s["stage"], s["cells"], s["jobs"]["succeeded"], s["after"]) for s in file["stages"]] == [
        ("first", 4, 4, []), ("then", 1, 0, ["first"]), ("last", 1, 0, ["then"]),
    ]  # fmt: skip
    (held,) = file["held"]
    assert held["cells"] == 1 and file["held_more"] == 0
    (board,) = file["boards"]
    leader, other = [group for group in board["groups"] if group["psnr"] is not None]
    assert leader["against"] is None and other["against"]["claim"] == "more than noise"
    assert leader["psnr"] > other["psnr"] and leader["best_job"]
    fronts = {front["cost"]: [(p["group"], p["front"]) for p in front["points"]] for front in board["fronts"]}
    assert fronts["hours of training"] == [(leader["group"], True), (other["group"], False)]
    assert "leads with" in file["verdict"]


def test_the_report_is_shown_where_it_is(flowers):
    flower = flowers[0]
    assert flower.api("campaign/night")["report"] is False
    assert flower.ask("/training/api/campaign/night/report").status == 404
    file = flower.home / "runs" / "campaigns" / "night" / "report.html"
    file.parent.mkdir(parents=True)
    file.write_text("<p>the report</p>")
    assert flower.api("campaign/night")["report"] is True
    answer = flower.ask("/training/api/campaign/night/report")
    assert (answer.status, answer.text) == (200, "<p>the report</p>")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert flower.ask("/training/api/campaign/night/report", user="me:wrong").status == 401


def test_whoever_may_only_look_is_offered_nothing_and_refused(flowers, campaigns):
    told = flowers[1].api("campaign/night")
    assert told["may_act"] is False and "SRQUEUE_FLOWER_AUTH" in told["why_not"]
    assert act(flowers[1], "day", "pause").status == 401, "as acts on jobs are refused"
    for refused in (
        flowers[0].ask("/training/api/campaign/day/pause", "POST", "{}"),  # without the page's token
        act(flowers[0], "day", "pause", Sec_Fetch_Site="cross-site"),
        act(flowers[0], "day", "pause", user="me:wrong"),
    ):
        assert refused.status in (401, 403), refused.text
    assert flowers[0].ask("/training/api/campaign/day/pause").status == 405, "a GET changes nothing"
    assert campaigns.records.get("day").state == "active"


def test_acts_are_those_of_the_command_line(flowers, campaigns):
    flower = flowers[0]
    acts = lambda: flower.api("campaign/day")["file"]["acts"]  # noqa: E731
    assert acts() == ["pause", "cancel"]
    assert "pause" in act(flower, "day", "pause").json["text"]
    assert campaigns.records.get("day").state == "paused" and acts() == ["resume", "cancel"]
    told = act(flower, "day", "pause")
    assert (told.status, "it is paused" in told.json["error"]) == (409, True)
    assert act(flower, "day", "resume").status == 200 and campaigns.records.get("day").state == "active"
    assert act(flower, "day", "cancel").status == 200
    tend(campaigns.client.store)
    assert acts() == ["retry"]
    assert act(flower, "day", "retry").json["text"] == "1 cell to be tried again"
    assert act(flower, "day", "retry").status == 409
    assert act(flower, "none", "pause").status == 404
    assert act(flower, "day", "explode").status == 404


def test_a_campaign_that_is_but_a_name_has_no_verdict(flowers, campaigns, tiny_spec):
    campaigns.client.submit(tiny_spec(None, 90), campaign="loose")
    found = flowers[0].api("campaign/loose")
    assert found["file"] is None and found["cells"]
    assert json.loads(act(flowers[0], "loose", "pause").body)["error"].startswith("there is no campaign")
