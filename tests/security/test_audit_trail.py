"""Every act of a user is in the audit trail: who, what, when, from where, and what came of it."""

import json
import stat
import time

import pytest
from ulid import ULID

from srqueue.campaign.spec import campaign_of
from srqueue.cli.__main__ import main
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.settings import load_settings
from srqueue.store.acting import Actor, acting_as, actor, acts_by
from srqueue.store.audit import Audit
from srqueue.store.drains import Drain

ME = Actor("ann", "flower", "192.0.2.7")


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A file that acts are written to as well."""
    file = tmp_path / "acts.log"
    monkeypatch.setenv("SRQUEUE_AUDIT_LOG", str(file))
    yield file
    acts_by("python")


def acts(store):
    return [(e.act, e.what.partition(" ")[2], e.result) for e in Audit(store.connection).newest()][::-1]


def test_every_verb_notes_itself_with_what_came_of_it(store, settings, tiny_dataset, tiny_spec, log, capsys):
    spec = tiny_spec(tiny_dataset(settings).identity, 9)
    client = Client(load_settings())
    with acting_as(ME):
        job = client.submit(spec).job
        client.submit(spec)
        client.pause(job.id)
        client.resume(job.id)
        client.set_priority(job.id, 7)
        for verb in (client.retry, client.cancel, client.retry, client.cancel, client.remove):
            if verb == client.retry and client.get(job.id).state == "queued":
                with pytest.raises(Exception, match="cannot retry"):
                    verb(job.id)
            else:
                verb(job.id)
        client.store.drain("w@here", Drain.FINISH)
    entries = list(Audit(store.connection).newest())[::-1]
    assert {(e.who, e.origin, e.address) for e in entries} == {("ann", "flower", "192.0.2.7")}
    assert all(abs(e.when - time.time()) < 300 for e in entries)
    assert [(e.act, e.result) for e in entries] == [
        ("submit", "1 new of 1"), ("submit", "0 new of 1"), ("pause", "ok"), ("resume", "ok"),
        ("priority 7", "ok"), ("retry", "refused: it is queued"), ("cancel", "ok"), ("retry", "ok"),
        ("cancel", "ok"), ("rm", "ok"), ("drain (finish)", "ok"),
    ]  # fmt: skip
    assert {e.what for e in entries[:-1]} == {f"{job.id} tiny"} and entries[-1].what == "w@here"

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["act"] for line in lines] == [e.act for e in entries]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600

    assert main(["audit", "--who", "ann", "--act", "pause", "--from", "flower", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["act"], shown["what"], shown["address"]) == ("pause", f"{job.id} tiny", "192.0.2.7")
    assert main(["audit", "--of", job.short_id, "-n", "2"]) == 0
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()[1:]] == ["192.0.2.7"] * 2
    assert main(["audit", "--from", "nowhere"]) == 2


def test_a_command_is_an_act_of_who_runs_it(store, settings, tiny_dataset, log, capsys):
    tiny_dataset(settings)
    assert main(["submit", "tiny", "--set", "datasets.train.lq_size=16"]) == 0
    (entry,) = Audit(store.connection).newest()
    assert entry.origin == "cli" and entry.who == actor().who and "@" in entry.who


def test_what_a_campaign_does_to_its_jobs_is_one_act(store, settings, tiny_dataset, log):
    tiny_dataset(settings)
    campaigns = CampaignClient(Client(settings))
    campaigns.submit(
        campaign_of({"base": {"dataset": "tiny"}, "matrix": {"manual_seed": [1, 2, 3]}}, "n.yaml", "night")
    )
    campaigns.pause("night")
    campaigns.resume("night")
    campaigns.cancel("night")
    with pytest.raises(Exception, match="cannot cancel"):
        campaigns.cancel("night")
    campaigns.remove("night", jobs=True)
    told = [(e.act, e.what, e.result) for e in Audit(store.connection).newest()][::-1]
    verbs = ["submit", "pause", "resume", "cancel", "cancel"]
    assert told[:5] == [(f"campaign {verb}", "night", "begun") for verb in verbs]
    assert told[5][2].startswith("not done: cannot cancel")
    assert told[6:] == [("campaign rm", "night", "begun")]
    assert store.count() == 0


def test_a_log_that_cannot_be_written_stops_no_act(store, settings, monkeypatch, caplog):
    monkeypatch.setenv("SRQUEUE_AUDIT_LOG", "/dev/full/x")
    client = Client(load_settings())
    job_id = str(ULID())
    client.store.create(job_id, spec={}, origins={}, spec_id="x", name="a", total_iter=9)
    assert client.pause(job_id).state == "paused"
    assert "an act is not in /dev/full/x" in caplog.text
    monkeypatch.setenv("SRQUEUE_AUDIT_LOG", "relative/path")
    assert main(["audit"]) == 2


def test_the_trail_is_bounded(store, monkeypatch):
    monkeypatch.setattr("srqueue.store.audit.KEPT", 200)
    for number in range(700):
        Audit(store.connection).note("act", str(number))
    kept = [e.what for e in Audit(store.connection).newest()]
    assert kept[0] == "699" and 200 <= len(kept) < 400
