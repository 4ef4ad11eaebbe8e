"""Many jobs as one campaign: from Python, and on the command line."""

import json

import pytest

from srqueue.datasets import DatasetEntry, Registry
from srqueue.errors import SpecError, UsageError
from srqueue.queue.client import Client
from srqueue.queue.doorbell import waiting
from srqueue.queue.recovering import recover
from srqueue.run.card import JobCard
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.spec.expand import Expanded
from srqueue.store.record import WorkerRecord
from tests.integration.test_cli_commands import Cli


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def cells(tiny_spec):
    spec = tiny_spec(None, 100)

    def cells(seeds, **more):
        return [
            Expanded(
                spec.model_copy(update={"manual_seed": seed, "name": f"cell_{seed}", **more}),
                {"manual_seed": "cell"},
            )
            for seed in seeds
        ]

    return cells


def announce(client, *names):
    for name in names:
        client.store.announce_worker(
            WorkerRecord(
                name=name, host="h", pid=1, classes=("cpu", "any"), device="d", version="0", since=1.0,
                root_id="r",
            ),
            60,
        )  # fmt: skip


def test_a_campaign_is_queued_in_order_with_a_bell_for_each_worker(client, cells):
    announce(client, "w1", "w2")
    placed = client.submit_many(cells(range(300)), campaign="night", priority=6)
    assert all(p.new for p in placed) and len({p.job_id for p in placed}) == 300
    assert waiting(client.app, "cpu") == 2
    first, last = client.get(placed[0].job_id), client.get(placed[-1].job_id)
    assert (first.name, last.name, first.priority) == ("cell_0", "cell_299", 6)
    assert (first.campaigns, first.origins, first.spec["manual_seed"]) == (
        ("night",),
        {"manual_seed": "cell"},
        0,
    )
    claimed = client.store.claim("w1:1", "h", ["cpu"], 30, {"r": "/runs"})
    assert claimed.record.id == placed[0].job_id


def test_without_a_worker_one_bell_waits(client, cells):
    client.submit_many(cells(range(5)), campaign="night")
    assert waiting(client.app, "cpu") == 1


def test_submitted_again_after_an_edit_only_what_is_new_or_changed_is_queued(client, cells):
    before = client.submit_many(cells(range(10)), campaign="night")
    client.cancel(before[4].job_id)
    client.app.control.purge()
    after = client.submit_many([*cells(range(9)), *cells([9], scale=3), *cells([10])], campaign="night")
    assert [p.new for p in after] == [False] * 9 + [True, True]
    assert [p.job_id for p in after[:9]] == [p.job_id for p in before[:9]]
    assert client.store.count(campaign="night") == 12
    assert waiting(client.app, "cpu") == 1
    assert not any(p.new for p in client.submit_many(cells(range(10)), campaign="night"))
    assert waiting(client.app, "cpu") == 1


def test_one_cell_that_does_not_hold_queues_none(client, cells, tiny_spec):
    good = cells(range(5))
    for wrong, error in (({"name": "x"}, SpecError), (3, UsageError)):
        with pytest.raises(error, match=r"configs\[5\]"):
            client.submit_many([*good, wrong], campaign="night")
    with pytest.raises(SpecError, match="/ is a folder"):
        path = tiny_spec(None, 9).path.model_copy(update={"pretrain_network_g": "/"})
        client.submit_many([*good, *cells([7], path=path)], campaign="night")
    with pytest.raises(UsageError, match="name of a campaign"):
        client.submit_many(good, campaign="a/b")
    assert client.list() == () and client.store.connection.redis.keys("*") == []


def test_each_cell_gets_the_content_of_its_own_data(client, settings, cells, tiny_spec):
    for name, identity in (("one", "d" * 64), ("other", "e" * 64)):
        Registry(settings).put(DatasetEntry(name, "/hr", identity, pictures=5, held_out=1))
    base = tiny_spec(None, 9).datasets

    def on(name):
        sets = {
            "train": base.train.model_copy(update={"name": name}),
            "val": base.val.model_copy(update={"name": name}),
        }
        return {"datasets": base.model_copy(update=sets)}

    placed = client.submit_many(
        [cell for name in ("one", "other") for cell in cells(range(2), **on(name))], campaign="night"
    )
    jobs = [client.get(p.job_id) for p in placed]
    found = [job.spec["datasets"]["train"]["identity"][0] for job in jobs]
    assert found == ["d", "d", "e", "e"]
    assert jobs[1].origins == {
        "manual_seed": "cell",
        "datasets.train.identity": "data set one",
        "datasets.val.identity": "data set one",
    }


@pytest.fixture
def cli(settings, tmp_path):
    cli = Cli(tmp_path)
    cli.env |= {"SRQUEUE_REDIS_URL": settings.store_url}
    return cli


def names(done):
    return [line.split()[1] for line in done.stdout.splitlines()[1:]]


def test_ls_shows_pages_and_says_how_to_get_the_next(client, cells, cli):
    client.submit_many(cells(range(12)), campaign="night")
    first = cli("ls", "--limit", "5")
    assert names(first) == [f"cell_{n}" for n in range(11, 6, -1)]
    assert first.stderr == "1 to 5 of 12; older ones: --page 2\n"
    last = cli("ls", "--limit", "5", "--page", "3")
    assert names(last) == ["cell_1", "cell_0"] and last.stderr == "11 to 12 of 12\n"
    beyond = cli("ls", "--limit", "5", "--page", "4")
    assert beyond.stdout == "" and "page 3 has the oldest" in beyond.stderr
    everything = cli("ls", "--all", "--limit", "5")
    assert len(names(everything)) == 12 and everything.stderr == ""
    assert len(json.loads(cli("ls", "--json", "-n", "5", "-p", "2").stdout)) == 5


def test_ls_of_a_campaign_a_state_and_a_time(client, cells, cli):
    client.submit_many(cells(range(4)), campaign="day")
    placed = client.submit_many(cells(range(3, 7)), campaign="night")
    client.pause(placed[1].job_id)
    assert names(cli("ls", "--campaign", "night")) == ["cell_6", "cell_5", "cell_4", "cell_3"]
    assert names(cli("ls", "--campaign", "night", "--state", "paused")) == ["cell_4"]
    assert len(names(cli("ls", "--since", "1h"))) == 7
    assert (
        cli("ls", "--until", "1h").stdout == cli("ls", "-c", "day", "-s", "failed").stdout == "no such jobs\n"
    )
    assert json.loads(cli("ls", "-c", "nothing", "--json").stdout) == []
    assert "did you mean 'night'?" in cli.error("ls", "-c", "nihgt", code=2)
    assert "hint: write 30m" in cli.error("ls", "--since", "yesterday", code=2)
    shared = client.get(placed[0].job_id)
    assert shared.campaigns == ("day", "night") and "campaign    day, night" in cli("show", shared.id).stdout


def test_a_job_is_submitted_into_a_campaign(client, settings, cli):
    Registry(cli.settings).put(DatasetEntry("photos", "/hr", "d" * 64, pictures=9, held_out=1))
    submit = ("submit", "photos", "--preset", "quick", "--campaign")
    job = json.loads(cli(*submit, "night", "--json").stdout)["job"]
    assert job["campaigns"] == ["night"]
    assert client.get(job["id"]).state is JobState.QUEUED
    assert "name of a campaign" in cli.error(*submit, "a b", code=2)


def test_a_job_that_redis_has_lost_is_of_its_campaigns_again(client, settings, cells):
    (placed,) = client.submit_many(cells([1]), campaign="night")
    client.submit_many(cells([1]), campaign="day")
    job = client.get(placed.job_id)
    run = RunDir(settings.runs_root / job.id)
    run.create()
    run.spec_file.write_text(json.dumps(job.spec))
    JobCard(
        id=job.id, name=job.name, priority=5, device_class="cpu", origins=job.origins, created=job.created,
        spec_id=job.spec_id, campaigns=job.campaigns,
    ).write(run.card_file)  # fmt: skip
    client.store.connection.redis.flushall()
    (found,) = recover(settings, settings.runs_root)
    assert found.job.campaigns == ("night", "day")
    for name in found.job.campaigns:
        assert client.list(["queued"], campaign=name) == (found.job,)
    assert not client.submit_many(cells([1]), campaign="night")[0].new
