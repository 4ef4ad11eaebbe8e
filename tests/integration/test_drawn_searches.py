"""Cells that Optuna draws while a campaign runs: told what came out, and not lost with an asker that dies."""

import os
import signal
from importlib.util import find_spec

import psutil
import pytest

from srqueue.campaign.search.spec import ASKED
from srqueue.campaign.spec import campaign_of
from srqueue.errors import SpecError
from srqueue.queue import drawing
from srqueue.queue.campaigns import CampaignClient
from srqueue.queue.client import Client
from srqueue.queue.drawing import draw
from srqueue.queue.stewarding import tend
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.drawn import Drawn
from tests.integration.test_searches import BASE, RUNGS, Trainer, by_seed

S = JobState
SPACE = {"manual_seed": {"int": [1, 1000]}, "train.optim_g.lr": {"log": [1e-4, 1e-2]}}
needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="the extra `search` is not installed")


@pytest.fixture
def campaigns(settings, tiny_dataset):
    tiny_dataset(settings)
    return CampaignClient(Client(settings))


def night(trials=6, sampler="tpe", space=SPACE, **more):
    search = {**RUNGS, "sampler": sampler, "trials": trials, "space": space}
    return campaign_of({"base": BASE, "search": search, "max_parallel": 1, **more}, "n.yaml", "night")


def run(campaigns, worker=None):
    """As a worker does, one job after the other; the values drawn, in their order."""
    worker = worker or Trainer(campaigns, lambda seed, it: float(seed))
    while True:
        drawn = draw(worker.store)
        tend(worker.store)
        claimed = worker.take()
        if claimed is None and not drawn:
            return axes(campaigns)
        if claimed is not None:
            worker.train(claimed)
            tend(worker.store)


def axes(campaigns):
    cells = sorted(campaigns.records.cells("night"), key=lambda cell: cell.trial)
    return [(cell.trial, cell.axes["manual_seed"], cell.axes["train.optim_g.lr"]) for cell in cells]


@needs_optuna
@pytest.mark.parametrize("sampler", ASKED)
def test_as_many_trials_as_asked_for_run_through_rungs_and_the_campaign_ends(campaigns, sampler):
    done = campaigns.submit(night(sampler=sampler))
    assert done.job_ids == () and campaigns.records.get("night").state == "active"
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    drawn = run(campaigns, worker)
    assert [number for number, _, _ in drawn] == list(range(6))
    assert worker.seen[:3] == [
        (seed, 10) for _, seed, _ in drawn[:3]
    ]  # nobody goes on before there are three
    assert all(1 <= seed <= 1000 and 1e-4 <= lr <= 1e-2 for _, seed, lr in drawn)
    jobs = campaigns.client.list(None, 100)
    best = max(jobs, key=lambda job: job.spec["manual_seed"])
    assert best.state is S.SUCCEEDED and campaigns.records.get("night").state == "ended"
    assert {job.state for job in jobs} == {S.SUCCEEDED, S.PAUSED}
    assert all(job.spec["train"]["optim_g"]["lr"] in {lr for _, _, lr in drawn} for job in jobs)


@needs_optuna
@pytest.mark.filterwarnings("ignore")
def test_the_study_knows_what_was_reached_at_rungs_and_at_the_end(campaigns):
    import optuna
    from optuna.storages.journal import JournalRedisBackend

    campaigns.submit(night(trials=6))
    worker = Trainer(campaigns, lambda seed, it: seed + it / 1000)
    run(campaigns, worker)
    campaigns.submit(night(trials=7))
    draw(worker.store)  # what came out last is told at the next look
    (prefix,) = (k.removesuffix(":log_number") for k in worker.store.connection.redis.keys("*:log_number"))
    backend = JournalRedisBackend(campaigns.client.settings.store_url, prefix=prefix)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=prefix, storage=optuna.storages.JournalStorage(backend))
    told = {t.params["manual_seed"]: t for t in study.trials if t.state.name == "PRUNED"}
    ended = {t.params["manual_seed"]: t.value for t in study.trials if t.state.name == "COMPLETE"}
    jobs = {seed: job.state for seed, job in by_seed(campaigns).items() if job.attempts}
    assert len(jobs) == 6 and S.SUCCEEDED in jobs.values()
    assert ended == {seed: seed + 0.04 for seed, state in jobs.items() if state is S.SUCCEEDED}
    assert jobs.keys() - ended.keys() <= told.keys()
    assert all(trial.intermediate_values[10] == seed + 0.01 for seed, trial in told.items())


@needs_optuna
def test_the_same_file_draws_the_same(campaigns):
    campaigns.submit(night(trials=4))
    first = run(campaigns)
    campaigns.remove("night", jobs=True)
    redis = campaigns.client.store.connection.redis
    assert [key for key in redis.keys("*") if "night" in key] == []
    campaigns.submit(night(trials=4))
    assert run(campaigns) == first


@needs_optuna
def test_more_trials_go_on_with_the_study_and_keep_the_earlier_ones(campaigns):
    campaigns.submit(night(trials=3))
    first = run(campaigns)
    campaigns.submit(night(trials=5))
    assert run(campaigns)[:3] == first and len(axes(campaigns)) == 5


@needs_optuna
def test_a_trial_that_was_asked_for_and_not_queued_is_found_again(campaigns, monkeypatch):
    campaigns.submit(night(trials=3))
    with monkeypatch.context() as patch:
        patch.setattr(drawing, "cell_jobs", _dies)
        with pytest.raises(KeyboardInterrupt):
            draw(campaigns.client.store)
    assert axes(campaigns) == []
    drawn = run(campaigns)
    assert [number for number, _, _ in drawn] == [0, 1, 2]


def _dies(*_):
    raise KeyboardInterrupt


@needs_optuna
def test_an_asker_that_is_killed_holds_up_nobody_for_long(campaigns, monkeypatch, wait_until):
    campaigns.submit(night(trials=2))
    store = campaigns.client.store
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(drawing, "SECONDS", 60.0)
        draw(type(store).connect(store.connection.settings))
        os._exit(0)
    wait_until(lambda: psutil.Process(pid).children(), "it asks")
    children = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert draw(store) == 0  # it holds the lock still
    key = f"{store.keys.campaign('night', 'drawing')}"
    assert 0 < store.connection.redis.pttl(key) <= 120_000
    store.connection.redis.delete(key)  # the time passes
    psutil.wait_procs(children, 60)
    assert [number for number, _, _ in run(campaigns)] == [0, 1]


@needs_optuna
def test_where_redis_lost_the_study_it_is_told_what_is_known(campaigns):
    campaigns.submit(night(trials=4))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    draw(worker.store)
    tend(worker.store)
    worker.train(worker.take())
    redis = worker.store.connection.redis
    redis.delete(*redis.keys("*:study:*"))
    drawn = run(campaigns)
    assert [number for number, _, _ in drawn] == [0, 1, 2, 3] and len(set(drawn)) == 4


@needs_optuna
def test_what_was_drawn_before_and_what_failed_count_as_trials(campaigns):
    campaigns.submit(night(trials=5, space={"manual_seed": {"choice": [7, 8]}}))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    for _ in range(12):
        draw(worker.store)
        tend(worker.store)
        if claimed := worker.take():
            worker.train(claimed, StopReason.DIVERGED if claimed.record.spec["manual_seed"] == 8 else None)
        tend(worker.store)
    assert campaigns.records.get("night").state == "ended"
    unfit = Drawn(worker.store.connection, "night").unfit("main")
    cells = campaigns.records.cells("night")
    assert len(unfit) + len(cells) == 5 and len(cells) <= 2


@needs_optuna
def test_a_space_that_is_exhausted_ends_all_the_same_and_lets_the_next_stage_begin(campaigns):
    space = {"manual_seed": {"choice": [7]}}
    stages = {
        "rates": {"search": {**RUNGS, "sampler": "tpe", "trials": 3, "space": space}},
        "then": {"base": {"seed": 5000, "train.total_iter": 60}, "after": "rates"},
    }
    campaigns.submit(campaign_of({"base": BASE, "stages": stages}, "n.yaml", "night"))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    for _ in range(15):
        if claimed := worker.take():
            worker.train(claimed)
        tend(worker.store)
        draw(worker.store)
    assert worker.seen == [(7, 10), (7, 20), (7, 40), (5000, 60)]
    assert campaigns.records.get("night").state == "ended"


@needs_optuna
def test_a_stage_after_one_that_is_drawn_waits_for_all_of_it(campaigns):
    stages = {
        "rates": {"search": {**RUNGS, "sampler": "tpe", "trials": 3, "space": SPACE}},
        "then": {"base": {"seed": 5000, "train.total_iter": 60}, "after": "rates"},
    }
    campaigns.submit(campaign_of({"base": BASE, "stages": stages, "max_parallel": 1}, "n.yaml", "night"))
    worker = Trainer(campaigns, lambda seed, it: float(seed))
    for _ in range(20):
        draw(worker.store)
        tend(worker.store)
        if claimed := worker.take():
            worker.train(claimed)
            tend(worker.store)
    assert worker.seen[-1] == (5000, 60) and sum(it == 10 for _, it in worker.seen) == 3
    assert campaigns.records.get("night").state == "ended"


def test_what_is_wrong_at_an_end_of_the_space_is_told_before_anything_is_drawn(campaigns):
    for space, message in (
        ({"train.optim_g.lrr": {"log": [1e-4, 1e-2]}}, "lrr"),
        ({"train.optim_g.lr": {"uniform": [-1.0, 1.0]}}, "lr"),
        ({"network_g.num_feat": {"choice": [8, "many"]}}, "num_feat"),
    ):
        with pytest.raises(SpecError, match=message):
            campaigns.submit(night(space=space))
    with pytest.raises(SpecError, match="put the matrix into the space"):
        night(matrix={"seed": [1]})
    assert campaigns.client.store.connection.redis.keys("*night*") == []


def test_no_command_line_and_no_environment_of_the_asker_has_the_address(campaigns, monkeypatch):
    campaigns.submit(night())
    started = {}

    class Child:
        pid, returncode = 0, 0

        def __init__(self, argv, env, **_):
            started.update(argv=argv, env=env)

        def communicate(self, question, timeout):
            started["told"] = question.decode()
            return b"[]", b""

    monkeypatch.setattr(drawing.subprocess, "Popen", Child)
    draw(campaigns.client.store)
    url = campaigns.client.settings.store_url
    assert url in started["told"]
    assert url not in " ".join([*started["argv"], *started["env"].values()])


@needs_optuna
@pytest.mark.timeout(900)
def test_a_real_worker_draws_trains_and_ends_a_search(campaigns, start_worker, wait_until):
    search = {**RUNGS, "sampler": "tpe", "trials": 3, "space": {"train.optim_g.lr": {"log": [1e-4, 1e-2]}}}
    campaigns.submit(campaign_of({"base": BASE, "search": search}, "n.yaml", "night"))
    start_worker()
    wait_until(lambda: campaigns.records.get("night").state == "ended", "the search ends", 600)
    jobs = campaigns.client.list(None, 100, campaign="night")
    assert sorted(job.state for job in jobs) == [S.PAUSED, S.PAUSED, S.SUCCEEDED]
    assert {job.spec["train"]["optim_g"]["lr"] for job in jobs} == {
        cell.axes["train.optim_g.lr"] for cell in campaigns.records.cells("night")
    }


def test_what_is_to_be_drawn_is_told(campaigns, capsys):
    from srqueue.cli.__main__ import main

    campaigns.submit(night(trials=6))
    assert main(["campaign", "show", "night"]) == 0
    assert campaigns.records.get("night").cells == 0
    assert "to be drawn, 6 cells of stage main: by a worker that has Optuna" in capsys.readouterr().out
