"""Acts from the pages: with a password, below a url_prefix, with the token of the page, or not at all."""

import json

import psutil
import pytest
from tornado.web import create_signed_value

from srqueue.settings import Settings
from srqueue.store.audit import Audit
from srqueue.store.store import Store
from tests.conftest import Server
from tests.integration.flower_process import Flower

ME = "me:canary-7f3"
SECRET = "a secret of cookies"
OAUTH = [
    "--auth=.*@lab.org", "--auth_provider=flower.views.auth.GoogleAuth2LoginHandler", "--oauth2_key=k",
    "--oauth2_secret=s", "--oauth2_redirect_uri=http://127.0.0.1/login", f"--cookie_secret={SECRET}",
]  # fmt: skip


def job_id(number: int) -> str:
    return f"01HZZZZZZZZZZZZZZZZZZZ{number:04d}"


@pytest.fixture(scope="module")
def server():
    server = Server().start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def store(server, tmp_path_factory):
    store = Store.connect(Settings(redis_url=server.url, home=tmp_path_factory.mktemp("home")))
    for n in range(8):
        store.create(
            job_id(n), spec={"a": {"b": n}}, origins={}, spec_id=str(n), name=f"job_{n}", total_iter=9
        )
    yield store
    store.connection.close()


@pytest.fixture(scope="module")
def flowers(server, store, tmp_path_factory):
    """One below a prefix, one that is read-only, one that may not begin, one with OAuth."""
    made = [
        Flower(
            tmp_path_factory.mktemp("one"), server.url, user=ME, FLOWER_AUTH=ME, FLOWER_URL_PREFIX="/lab/x/"
        ),
        Flower(tmp_path_factory.mktemp("two"), server.url, "--read-only", user=ME, FLOWER_AUTH=ME),
        Flower(tmp_path_factory.mktemp("three"), server.url, FLOWER_ADDRESS="0.0.0.0"),
        Flower(tmp_path_factory.mktemp("four"), server.url, *OAUTH),
    ]
    try:
        yield made
    finally:
        for flower in made:
            flower.close()
    for flower in made:
        log = flower.log.read_text()
        assert "Traceback" not in log and "canary" not in log


@pytest.fixture
def flower(flowers):
    return flowers[0].ready()


@pytest.fixture
def read_only(flowers):
    return flowers[1].ready()


def test_pages_api_stream_and_metrics_ask_for_the_password(flower):
    for path in ("/training", "/training/api/jobs", "/training/api/stream?list=1", "/metrics"):
        for nobody in (None, "me:wrong", "canary-7f3:"):
            answer = flower.ask(path, user=nobody)
            assert answer.status == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic"), "a browser asks for it"
            assert "job_1" not in answer.text and "Traceback" not in answer.text
        if "stream" not in path:
            assert flower.ask(path).status == 200, path
    assert "SRQUEUE_FLOWER_AUTH" in flower.ask("/training/api/jobs", user="me:wrong").json["error"]


def test_flowers_own_api_is_closed_to_who_is_not_signed_in(flower):
    for verb in ("apply", "async-apply", "send-task"):
        answer = flower.ask(f"/api/task/{verb}/srqueue.run_job", "POST", "{}", user=None)
        assert answer.status == 401, verb
    assert flower.ask("/api/worker/shutdown/w", "POST", "{}", user=None).status == 401


def test_the_password_stands_in_no_command_line_and_on_no_page(flower):
    argv = " ".join(psutil.Process(flower.process.pid).cmdline())
    assert "srqueue.stack.monitor" in argv and "canary" not in argv
    assert "canary" not in flower.ask("/training").text
    assert "canary" not in json.dumps(flower.api(f"job/{job_id(0)}"))


def test_everything_lies_below_the_prefix(flower):
    page = flower.ask("/training").text
    assert 'data-base="/lab/x/training"' in page
    assert 'href="/lab/x/training"' in page, "the tab"
    assert 'src="/lab/x/training/static/training.js"' in page
    assert flower.ask("/training/static/plotly.min.js").status == 200
    assert flower.ask("/training/job/zz0003").headers["location"].startswith("/lab/x/training/job/")


def test_acts_are_those_of_the_command_line(flower, store):
    one = job_id(0)
    assert flower.api(f"job/{one}")["acts"] == ["pause", "cancel", "priority"]
    answer = flower.act(one, "pause")
    assert (answer.status, answer.json["text"], answer.json["job"]["state"]) == (200, "paused", "paused")
    assert flower.api(f"job/{one}")["acts"] == ["resume", "cancel", "priority"]
    assert flower.act(one, "resume").json["job"]["state"] == "queued"
    assert flower.act(one, "priority", {"priority": 8}).json["job"]["priority"] == 8
    assert flower.act(one, "cancel").json["job"]["state"] == "cancelled"
    assert flower.api(f"job/{one}")["acts"] == ["retry"], "its run folder is not here: nothing to extend"
    assert flower.act(one, "retry").status == 200
    assert store.get(one).state == "queued" and store.get(one).priority == 8
    noted = [e for e in Audit(store.connection).newest() if e.origin == "flower"][::-1]
    assert [e.act for e in noted] == ["pause", "resume", "priority 8", "cancel", "retry"]
    assert {(e.who, e.address, e.what, e.result) for e in noted} == {
        ("me", "127.0.0.1", f"{one} job_0", "ok")
    }


@pytest.mark.parametrize(
    ("number", "act", "body", "status", "told"),
    [
        (1, "retry", {}, 409, "cannot retry job"),
        (1, "extend", {"iterations": 10}, 409, ""),
        (1, "extend", {"iterations": "many"}, 400, "iterations must be a whole number"),
        (1, "priority", {"priority": 10}, 400, "priority must be a whole number from 0 to 9"),
        (1, "priority", [1], 400, "JSON object"),
        (99, "pause", {}, 404, "there is no job"),
        (1, "explode", {}, 404, ""),
    ],
)
def test_an_act_that_does_not_fit_is_refused_with_the_reason(flower, number, act, body, status, told):
    answer = flower.act(job_id(number), act, body)
    assert (answer.status, told in answer.json["error"]) == (status, True), answer.text


def test_an_act_needs_the_token_of_the_page_and_its_own_site(flower, store):
    path = f"/training/api/job/{job_id(2)}/cancel"
    page = flower.ask("/training")
    cookie = page.headers["set-cookie"].split(";")[0]
    token = cookie.partition("=")[2].strip('"')
    refused = [
        flower.ask(path, "POST", "{}"),
        flower.ask(path, "POST", "{}", Cookie=cookie),
        flower.ask(path, "POST", "{}", X_XSRFToken=token),
        flower.ask(path, "POST", "{}", Cookie=cookie, X_XSRFToken="2|0|0|0"),
        flower.act(job_id(2), "cancel", Sec_Fetch_Site="cross-site"),
        flower.act(job_id(2), "cancel", user="me:wrong"),
        flower.act(job_id(2), "cancel", user=None),
    ]
    assert [answer.status for answer in refused] == [403] * 5 + [401] * 2
    assert all(answer.json["error"] and answer.json["hint"] for answer in refused)
    assert store.get(job_id(2)).state == "queued"
    assert flower.act(job_id(2), "cancel", Sec_Fetch_Site="same-origin").status == 200


def test_a_get_changes_nothing(flower, store):
    before = store.get(job_id(3))
    for name in ("pause", "resume", "cancel", "retry", "upgrade", "extend", "priority"):
        answer = flower.ask(f"/training/api/job/{job_id(3)}/{name}")
        assert answer.status == 405 and answer.json["error"]
    assert store.get(job_id(3)) == before


def test_a_flower_that_is_read_only_hides_and_refuses_acts(read_only, store):
    page = read_only.ask("/training").text
    assert 'data-may-act="0"' in page and "read-only" in page
    view = read_only.api(f"job/{job_id(4)}")
    assert view["may_act"] is False and "read-only" in view["why_not"]
    answer = read_only.act(job_id(4), "pause")
    assert answer.status == 403 and "read-only" in answer.json["error"]
    assert store.get(job_id(4)).state == "queued"


def test_flower_is_not_opened_to_other_machines_without_a_password(flowers):
    assert flowers[2].process.wait(60) == 2
    told = flowers[2].log.read_text()
    assert "ask for no password" in told and "SRQUEUE_FLOWER_AUTH" in told


def test_whom_oauth_has_signed_in_sees_and_acts_and_nobody_else(flowers, store):
    flower, one = flowers[3].ready(), job_id(5)
    page = flower.ask("/training")
    assert page.status == 302 and page.headers["location"].startswith("/login?")
    for path in ("/training/api/jobs", "/metrics"):
        assert flower.ask(path).status == 401

    def signed_in(who: str) -> str:
        return "user=" + create_signed_value(SECRET, "user", who).decode()

    assert flower.ask("/training", Cookie=signed_in("me@elsewhere.org")).status == 302
    page = flower.ask("/training", Cookie=signed_in("me@lab.org"))
    assert page.status == 200 and 'data-may-act="1"' in page.text
    path, token = f"/training/api/job/{one}/pause", page.headers["set-cookie"].split(";")[0]
    both = f"{signed_in('me@lab.org')}; {token}"
    assert flower.ask(path, "POST", "{}", Cookie=both).status == 403, "the token only as a cookie"
    head = token.partition("=")[2].strip('"')
    assert flower.ask(path, "POST", "{}", Cookie=token, X_XSRFToken=head).status == 401
    assert flower.ask(path, "POST", "{}", Cookie=both, X_XSRFToken=head).status == 200
    assert store.get(one).state == "paused"
