"""Who can write to Redis and has no key makes a worker train nothing, and read nothing outside its roots."""

import dataclasses
import json

import pytest
from pydantic import SecretStr
from ulid import ULID

from srqueue.campaign.search.space import admits
from srqueue.campaign.spec import campaign_of
from srqueue.cli.__main__ import main
from srqueue.errors import UsageError
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.drawing import draw
from srqueue.queue.recovering import recover
from srqueue.run.confined import confined_run
from srqueue.run.folder import RunDir, read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import load_settings
from srqueue.spec.job import JobSpec
from srqueue.store.new import NewJob
from srqueue.store.packing import pack
from srqueue.store.signed_queue import ask_for_signatures
from srqueue.store.signing import Keyring
from srqueue.store.store import Store
from workers.starting import NoModel, take_model

OLD, NEW, OTHER = "old-" * 10, "new-" * 10, "other-" * 10
JOB = NewJob(str(ULID()), {"a": 1.5, "b": [1, "x"]}, {"a": "flag"}, "id of it", "name", 9)


def keyring(*keys):
    return Keyring(tuple(key.encode() for key in keys))


def keyed(settings, *keys):
    return settings.model_copy(update={"signing_key": SecretStr(",".join(keys)) if keys else None})


def test_a_signature_is_of_one_job_and_of_all_that_is_said_of_it():
    own = keyring(NEW)
    signature = own.sign_job(JOB)
    assert own.wrong_with_job(JOB, signature) is None
    for change in (
        {"id": str(ULID())}, {"name": "other"}, {"spec_id": "other"}, {"origins": {}},
        {"spec": {**JOB.spec, "a": 1.25}}, {"spec": {**JOB.spec, "path": {"pretrain_network_g": "/etc/x"}}},
    ):  # fmt: skip
        other = dataclasses.replace(JOB, **change)
        assert own.wrong_with_job(other, signature) == "the job was changed after it was signed"
    assert own.wrong_with_campaign(JOB.name, JOB.spec, signature) is not None, "of a job, not of a campaign"


@pytest.mark.parametrize(
    "nonsense", [None, "", "1", "1::", "2:x:y", "1:ü:ü", "1:" + "0" * 16 + ":" + "f" * 64]
)
def test_what_is_no_signature_is_refused(nonsense):
    assert keyring(NEW).wrong_with_job(JOB, nonsense)


def test_after_a_change_of_keys_the_old_one_is_accepted_and_the_new_one_signs():
    both = keyring(NEW, OLD)
    assert both.wrong_with_job(JOB, keyring(OLD).sign_job(JOB)) is None
    assert keyring(NEW).wrong_with_job(JOB, both.sign_job(JOB)) is None
    assert "another key" in (keyring(NEW).wrong_with_job(JOB, keyring(OLD).sign_job(JOB)) or "")
    assert NEW not in repr(both)


def test_the_key_may_lie_in_a_file(settings, monkeypatch, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "srqueue_signing_key").write_text(f"{NEW},{OLD}\n")
    monkeypatch.setenv("SRQUEUE_SECRETS", str(tmp_path / "secrets"))
    assert Keyring.of(load_settings()) == keyring(NEW, OLD)


def test_a_submit_that_the_workers_would_refuse_says_so_at_once(settings, store, monkeypatch, capsys):
    ask_for_signatures(store.connection, keyring(NEW, OLD))
    for keys, why in (((), "there is no key here"), ((OTHER,), "and the one here is")):
        other = Store(store.connection.__class__(keyed(settings, *keys)))
        with pytest.raises(UsageError, match=why):
            other.create_many([JOB])
        other.connection.close()
    assert store.list() == ()
    Store(store.connection.__class__(keyed(settings, OLD))).create_many([JOB])  # not yet exchanged here
    assert main(["signing", "status"]) == 1
    monkeypatch.setenv("SRQUEUE_SIGNING_KEY", NEW)
    assert main(["signing", "status"]) == 0
    shown = capsys.readouterr().out
    assert keyring(NEW).ids[0] in shown and NEW not in shown
    monkeypatch.setenv("SRQUEUE_SIGNING_KEY", "short")
    assert main(["signing", "status"]) == 2 and "srqueue signing new-key" in capsys.readouterr().err


def test_a_worker_trains_what_is_signed_and_nothing_else(
    settings, tiny_dataset, tiny_spec, start_worker, wait_until, tmp_path, monkeypatch
):
    entry = tiny_dataset(settings)
    signed, unsigned = Client(keyed(settings, NEW)), Client(settings)
    good = signed.submit(tiny_spec(entry.identity, 4)).job
    bare = unsigned.submit(tiny_spec(entry.identity, 6)).job
    changed = signed.submit(tiny_spec(entry.identity, 8)).job
    redis = signed.store.connection.redis
    stolen = tmp_path / "stolen.safetensors"
    stolen.write_bytes(b"what a worker must not open")
    spec = {**changed.spec, "path": {**changed.spec["path"], "pretrain_network_g": str(stolen)}}
    redis.hset(signed.store.keys.job(changed.id), "packed", pack(spec, changed.origins))
    # A record of no job: its folder would lie outside the runs root.
    up = "../../outside"
    redis.hset(signed.store.keys.job(up), mapping={**good.to_hash(), "id": up})
    redis.zadd(signed.store.keys.ready("cpu", None), {up: 0})

    start_worker(SIGNING_KEY=f"{NEW},{OLD}")
    assert signed.wait(good.id, 60).state is JobState.SUCCEEDED
    for job, why in ((bare, "is not signed"), (changed, "was changed after it was signed")):
        refused = signed.wait(job.id, 60)
        assert (refused.state, refused.reason) == (JobState.FAILED, StopReason.UNTRUSTED)
        assert why in refused.message and f"srqueue signing sign {job.short_id}" in refused.message
        assert not (settings.runs_root / job.id).exists()
        assert [a.reason for a in signed.store.attempts(job.id)] == [StopReason.UNTRUSTED]
    assert not (tmp_path / "outside").exists() and not (tmp_path.parent / "outside").exists()

    # The flag by which a submit knows is there now; the owner looks at his job, and signs it.
    with pytest.raises(UsageError, match="train signed jobs only"):
        unsigned.submit(tiny_spec(entry.identity, 10))
    signed.sign(bare.id)
    signed.retry(bare.id)
    assert signed.wait(bare.id, 60).state is JobState.SUCCEEDED

    # Redis has lost all: what is told again from the run folders is signed.
    redis.flushall()
    assert {found.how for found in recover(signed.settings, settings.runs_root)} == {"recovered"}
    for job in (good, bare):
        known = signed.get(job.id)
        assert known.signature and keyring(NEW).wrong_with_job(known, known.signature) is None
        assert json.loads(RunDir(settings.runs_root / job.id).card_file.read_text())["signature"]


def test_nothing_is_built_upon_what_is_not_signed(settings, store):
    job, _ = store.create(str(ULID()), spec={}, origins={}, spec_id="x", name="forged", total_iter=9)
    client = Client(keyed(settings, NEW))
    for make in (lambda: client.upgrade(job.id), lambda: client.extend(job.id, 5)):
        with pytest.raises(UsageError, match="not to be built upon: the job is not signed"):
            make()


def test_no_cell_is_drawn_for_a_campaign_that_nobody_signed(settings, tiny_dataset):
    tiny_dataset(settings)
    search = {"method": "none", "sampler": "tpe", "trials": 3, "space": {"manual_seed": {"int": [1, 99]}}}
    forged = campaign_of({"base": {"dataset": "tiny"}, "search": search}, "n.yaml", "night")
    CampaignClient(Client(settings)).submit(forged)
    store = Store.connect(keyed(settings, NEW))
    assert draw(store) == 0 and store.list() == ()
    assert "not signed" in CampaignClient(Client(settings)).records.get("night").message


@pytest.mark.parametrize(
    ("given", "well"),
    [
        ({"a": "x", "n": 2}, True), ({"a": "y", "n": 2}, False), ({"a": "x", "n": 4}, False),
        ({"a": "x", "n": 2.5}, False), ({"a": "x", "n": True}, False), ({"a": "x"}, False),
        ({"a": "x", "n": 2, "path.pretrain_network_g": "/etc/passwd"}, False),
    ],
)  # fmt: skip
def test_what_a_journal_says_was_drawn_must_be_of_the_space(given, well):
    space = {"a": {"choice": ["x", 1]}, "n": {"int": [1, 3]}}
    search = {"method": "none", "sampler": "tpe", "trials": 3, "space": space}
    base = {"base": {"dataset": "x"}, "search": search}
    (stage,) = campaign_of(base, "n.yaml", "night").stages.values()
    assert admits(stage.search.space, given) is well


def test_only_a_folder_in_a_runs_root_counts_as_a_run_folder(tmp_path):
    root, job_id = tmp_path / "runs", str(ULID())
    root_id = read_root_id(root)
    run = RunDir(root / job_id).create()
    assert confined_run(job_id, str(run.path), root_id) == run
    elsewhere = tmp_path / "home" / job_id
    elsewhere.mkdir(parents=True)
    link = root / str(ULID())
    link.symlink_to(elsewhere)
    for path, its in (
        (elsewhere, root_id), (run.path, "another"), (run.path, None), (root, root_id), (link, root_id),
        (root / ".." / "runs" / job_id, root_id),
    ):  # fmt: skip
        assert confined_run(path.name if path is link else job_id, str(path), its) is None


def test_a_model_is_taken_from_a_run_folder_alone_and_of_a_signed_job_alone(settings, tmp_path, tiny_spec):
    store = Store.connect(keyed(settings, NEW))
    read_root_id(settings.runs_root)
    outside = tmp_path / "outside" / "export"
    outside.mkdir(parents=True)
    (outside / "model.safetensors").write_bytes(b"secret")

    def ended(where, maker=store):
        job, _ = maker.create(str(ULID()), spec={}, origins={}, spec_id=str(ULID()), name="a", total_iter=9)
        claim = store.claim("w:1", "h", ["any"], 60, {"root": "/runs"})
        store.finish(job.id, claim.token, Outcome(StopReason.COMPLETED, "", 9))
        redis_fields = {"run_dir": str(where or settings.runs_root / job.id), "root_id": "forged"}
        store.connection.redis.hset(store.keys.job(job.id), mapping=redis_fields)
        return job.id

    run = RunDir(settings.runs_root / str(ULID())).create()
    for job, why in (
        (ended(outside.parent), "not to be seen from here"),
        (ended(None, Store.connect(settings)), "is not taken: the job is not signed"),
    ):
        path = {"pretrain_jobs": [job]}
        spec = JobSpec.model_validate({**tiny_spec(None, 9).model_dump(mode="json"), "path": path})
        with pytest.raises(NoModel, match=why):
            take_model(store, spec, run)
    assert not run.start_model.exists()
