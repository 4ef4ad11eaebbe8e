"""The pages while the store is away, came back, lost a job, or does not let Flower in."""

from srqueue.settings import Settings
from srqueue.store.store import Store
from tests.conftest import Server
from tests.integration.flower_process import Flower

JOB, OTHER = "01HZZZZZZZZZZZZZZZZZZZ0001", "01HZZZZZZZZZZZZZZZZZZZ0002"


def make(store: Store, job_id: str) -> None:
    store.create(job_id, spec={}, origins={}, spec_id=job_id, name="kept", total_iter=9)


def news(stream, event: str):
    """Data of the next such event."""
    return next(data for name, data in stream if name == event)


def test_the_pages_outlive_a_store_that_is_away_comes_back_loses_a_job_and_refuses_flower(
    wait_until, tmp_path
):
    server = Server()
    flower = Flower(tmp_path, server.url).ready()
    try:
        nobody_is_there(flower)
        told = flower.stream("list=1")
        assert "Redis does not answer" in news(told, "note")["error"]

        server.start()
        store = Store.connect(Settings(redis_url=server.url, home=tmp_path))
        make(store, JOB)
        make(store, OTHER)
        assert news(told, "note") == {"error": None, "hint": None}
        assert news(told, "list")["changed"] is True
        assert [card["name"] for card in flower.api("jobs")["jobs"]] == ["kept", "kept"]
        a_job_is_deleted(flower, store)

        server.kill()
        assert "Redis does not answer" in news(told, "note")["error"]
        server.start()
        wait_until(lambda: flower.ask("/training/api/jobs").status == 200, "it is back")

        with server.client() as client:
            client.config_set("requirepass", "canary-7f3")
            client.client_kill_filter(_type="normal", skipme=True)
        answer = flower.ask("/training/api/jobs")
        assert answer.status == 503 and "refuses the user or the password" in answer.json["error"]
        assert "SRQUEUE_REDIS_URL" in answer.json["hint"] and "canary" not in answer.text
        store.connection.close()

        server.kill()
        wait_until(lambda: flower.log.read_text().count("Failed to capture events") > 1, "Flower misses it")
        flower.process.terminate()
        assert flower.process.wait(30) == 0, "it waits for no call to a worker"
    finally:
        flower.close()
        server.close()
    assert "srqueue/monitor" not in flower.log.read_text(), "no traceback of ours"


def nobody_is_there(flower: Flower) -> None:
    for page in ("/training", "/training/campaign/night"):
        assert flower.ask(page).status == 200, "the page itself says what is wrong"
    for path in ("jobs", f"job/{JOB}", f"job/{JOB}/curves", "campaigns"):
        answer = flower.ask(f"/training/api/{path}")
        assert answer.status == 503 and "Redis does not answer" in answer.json["error"], path
    assert "srqueue_store_up 0.0" in flower.ask("/metrics").text


def a_job_is_deleted(flower: Flower, store: Store) -> None:
    told, other = flower.stream(f"job={JOB}"), flower.stream(f"job={OTHER}")
    assert news(told, "job")["name"] == news(other, "job")["name"] == "kept"
    store.set_priority(OTHER, 7)
    assert news(other, "job")["priority"] == 7
    store.remove(JOB)
    gone = news(told, "note")
    assert gone["gone"] and "there is no job" in gone["error"]
    store.set_priority(OTHER, 6)
    assert news(other, "job")["priority"] == 6, "the other page goes on"
    answer = flower.ask(f"/training/api/job/{JOB}")
    assert answer.status == 404 and "removed" in answer.json["hint"]
