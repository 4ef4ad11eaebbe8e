"""The client on a real server: records, doorbells, verbs."""

import base64
import json
import threading

import pytest

from srqueue.datasets import DatasetEntry, Registry
from srqueue.errors import DataError, ServiceUnreachable, SpecError, UsageError
from srqueue.queue.client import Client
from srqueue.queue.doorbell import bell_of, ring_missing, waiting
from srqueue.run.listing import Listing, Picture
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.settings import Settings
from srqueue.spec.expand import Expanded
from srqueue.store.record import WorkerRecord


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(tiny_spec):
    return tiny_spec("0" * 64, 100)


def bells(client, device_class="cpu"):
    """The messages that wait, decoded."""
    key = f"srq:celery:srqueue.{device_class}"
    return [json.loads(raw) for raw in client.store.connection.redis.lrange(key, 0, -1)]


def test_a_submitted_job_is_recorded_and_rung_for(client, spec):
    submitted = client.submit(Expanded(spec, {"scale": "flag --set"}), priority=7)
    job = submitted.job
    assert submitted.new and job == client.get(job.id)
    assert (job.state, job.priority, job.device_class, job.total_iter) == (JobState.QUEUED, 7, "cpu", 100)
    assert job.spec == spec.model_dump(mode="json") and job.origins == {"scale": "flag --set"}
    (bell,) = bells(client)
    assert bell["content-type"] == "application/json"
    args, kwargs, _ = json.loads(base64.b64decode(bell["body"]))
    assert (args, kwargs) == ([job.id], {})


def test_bells_of_all_priorities_wait_in_one_list(client, spec):
    """Where a worker looks for few lists; which job it takes the index says."""
    for priority in range(10):
        client.submit(spec, priority=priority, again=True)
    assert len(bells(client)) == waiting(client.app, "cpu") == 10


def test_the_same_spec_twice_is_one_job_and_one_bell(client, spec):
    first, second = client.submit(spec), client.submit(spec.model_copy(update={"name": "renamed"}))
    assert second.job.id == first.job.id and not second.new
    assert len(bells(client)) == 1
    assert client.submit(spec, again=True).new


def test_a_mapping_is_checked_like_any_spec(client, spec):
    assert client.submit(spec.model_dump(mode="json")).job.name == "tiny"
    with pytest.raises(SpecError, match="netwrk_g"):
        client.submit({**spec.model_dump(mode="json"), "netwrk_g": {}})
    with pytest.raises(UsageError, match="cannot be submitted"):
        client.submit(3)
    assert len(client.list()) == 1


def test_python_may_not_validate_on_what_it_trains_on_either(client, settings, spec):
    twice = (Picture("a.png", 96, 96, 1, 1, "c" * 64),)
    for name in ("tiny", "copy"):
        Listing(name, "d" * 64, "/hr", None, None, twice, {}).write(Registry(settings).listing_file(name))
        Registry(settings).put(DatasetEntry(name, "/hr", "d" * 64, pictures=1))
    raw = spec.model_dump(mode="json")
    raw["datasets"]["train"]["identity"] = None
    for val, told in (
        ({"name": "copy"}, "the only picture of the validation set"),
        ({"name": "tiny"}, "nothing to validate on"),
    ):
        with pytest.raises(DataError, match=told):
            client.submit({**raw, "datasets": {**raw["datasets"], "val": val}})
    assert client.list() == ()
    job = client.submit({**raw, "datasets": {**raw["datasets"], "val": {"name": "elsewhere"}}}).job
    assert job.spec["datasets"]["val"] == {"name": "elsewhere", "identity": None}, "a worker may have it"
    assert job.spec["datasets"]["train"]["identity"] == "d" * 64
    assert job.origins["datasets.train.identity"] == "data set tiny"


def test_python_gets_what_the_command_line_gets_of_scales_and_paths(
    client, settings, spec, tmp_path, monkeypatch
):
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    raw = spec.model_dump(mode="json")

    def starting(**path):
        return {**raw, "path": {**raw["path"], **path}}

    job = client.submit(starting(pretrain_network_g="w.safetensors")).job
    assert job.spec["path"]["pretrain_network_g"] == str(tmp_path / "w.safetensors")
    whole = starting(pretrain_network_g=str(tmp_path / "w.safetensors"))
    assert not client.submit(whole).new, "the same job"
    with pytest.raises(SpecError, match="no checkpoint folder"):
        client.submit(starting(resume_from=str(tmp_path)))
    Registry(settings).put(DatasetEntry("pairs", "/hr", "d" * 64, lr="/lr", scale=3, pictures=1))
    with pytest.raises(SpecError, match="'pairs' x3"):
        client.submit({**raw, "datasets": {**raw["datasets"], "val": {"name": "pairs"}}})


def test_without_a_server_nothing_is_submitted_and_the_hint_says_what_to_start(tmp_path, spec):
    with pytest.raises(ServiceUnreachable) as error:
        Client(Settings(home=tmp_path)).submit(spec)
    assert (error.value.exit_code, error.value.hint) == (3, "start it: srqueue up")


def test_a_doorbell_that_fails_is_no_error(client, spec):
    client.store.connection.redis.set("srq:celery:srqueue.cpu", "not a list")
    submitted = client.submit(spec)
    assert submitted.new and submitted.job.state is JobState.QUEUED


def test_bells_do_not_pile_up_behind_a_busy_worker(client, spec):
    jobs = [client.submit(spec, again=True).job for _ in range(4)]
    assert waiting(client.app, "cpu") == 4
    assert ring_missing(client.app, [bell_of(job) for job in jobs]) == 0
    client.app.control.purge()
    assert ring_missing(client.app, [bell_of(job) for job in jobs]) == 4


def test_two_prefixes_on_one_server_share_neither_jobs_nor_bells(client, environment, valkey, spec):
    client.submit(spec)
    other = Client(environment(valkey, PREFIX="other"))
    assert other.list() == () and waiting(other.app, "cpu") == 0
    assert other.submit(spec).new
    assert waiting(other.app, "cpu") == waiting(client.app, "cpu") == 1


def test_pause_resume_cancel_retry_remove(client, spec):
    job = client.submit(spec).job
    ref = job.short_id
    assert client.pause(ref).state is JobState.PAUSED
    assert client.wait(ref, timeout=5).state is JobState.PAUSED
    assert client.resume(ref).state is JobState.QUEUED
    assert len(bells(client)) == 2
    assert client.cancel(ref).state is JobState.CANCELLED
    assert client.retry(ref).state is JobState.QUEUED
    assert client.set_priority(ref, 9).priority == 9
    client.cancel(ref)
    assert client.remove(ref).id == job.id
    with pytest.raises(UsageError, match="there is no job"):
        client.get(ref)


@pytest.fixture
def saved(client, spec):
    """A paused job with a checkpoint."""
    job = client.submit(spec).job
    token = client.store.claim("w", "far", ["cpu"], 30, {"root": "/runs"}).token
    client.store.bind(job.id, token, "root", f"/runs/{job.id}")
    client.store.publish(job.id, token, 1, 30)
    client.pause(job.id)
    client.store.finish(job.id, token, Outcome(StopReason.PAUSED, "", 30))
    return job.id


def test_a_worker_is_woken_for_a_cancelled_job_that_has_a_checkpoint(client, saved):
    client.app.control.purge()
    asked = client.cancel(saved)
    assert (asked.state, asked.wish) == (JobState.QUEUED, "cancel") and "exports" in asked.message
    assert len(bells(client)) == 1
    assert client.cancel(saved).state is JobState.CANCELLED


@pytest.fixture
def worker_up(client):
    def worker_up(*classes, root="root"):
        worker = WorkerRecord(
            name=f"w-{classes[0]}", host="here", pid=1, classes=classes, device="", version="", since=0,
            root_id=root,
        )  # fmt: skip
        client.store.announce_worker(worker, 60)

    return worker_up


def test_a_job_says_what_it_waits_for(client, spec, worker_up):
    job = client.submit(spec).job
    assert "no worker is up" in client.why_waiting(job)
    worker_up("cuda", "any")
    assert client.why_waiting(job) == "no worker that is up serves cpu (only any, cuda)"
    worker_up("cpu", "any")
    assert "it is next" in client.why_waiting(job)
    client.submit(spec, again=True, priority=9)
    assert client.why_waiting(job) == "behind 1 job"
    token = client.store.claim("w", "h", ["cpu"], 30, {"root": "/runs"}).token
    first = client.store.list(["running"])[0]
    assert client.why_waiting(first) is None
    held = client.store.finish(first.id, token, Outcome(StopReason.DATA_MISSING, "no pictures\nhere", 0))
    assert client.why_waiting(held).startswith("until ") and client.why_waiting(held).endswith("no pictures")


def test_a_job_whose_folder_no_worker_reaches_says_where_it_lies(client, saved, worker_up):
    worker_up("cpu", root="another")
    assert "lies on far" in client.why_waiting(client.resume(saved))
    worker_up("cpu", root="root")
    assert "it is next" in client.why_waiting(client.get(saved))


def test_waiting_ends_with_its_time(client, spec):
    job = client.submit(spec).job
    assert client.wait(job.id, timeout=0.1).state is JobState.QUEUED


def test_who_waits_rides_out_a_redis_that_is_away(own_valkey, environment, spec):
    client = Client(environment(own_valkey))
    job = client.submit(spec).job
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(client.wait(job.id, timeout=60)), daemon=True)
    waiting.start()
    own_valkey.process.terminate()  # it writes down what it has
    own_valkey.process.wait()
    waiting.join(1)
    assert waiting.is_alive()
    own_valkey.start()
    Client(environment(own_valkey)).cancel(job.id)
    waiting.join(20)
    assert [job.state for job in answers] == [JobState.CANCELLED]


def test_only_json_is_spoken(client):
    conf = client.app.conf
    assert conf.accept_content == conf.result_accept_content == ["json"]
    assert {conf.task_serializer, conf.result_serializer, conf.event_serializer} == {"json"}
    assert not conf.task_acks_late and conf.worker_disable_prefetch
