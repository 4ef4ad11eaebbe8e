"""Campaigns from files: what is queued, what is held, and what begins by itself."""

import json
from datetime import datetime, timedelta

import pytest
from safetensors.numpy import load_file

from srqueue.errors import SpecError, UsageError
from srqueue.queue.explaining import explain
from srqueue.queue.facts import facts_of
from srqueue.queue.stewarding import tend
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.job import JobSpec
from tests.integration.nights import TINY, claim, end, night, states

S = JobState


def test_all_cells_are_queued_in_order_where_nothing_holds_them(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2, 3]}, priority=7))
    assert done.new == 3 and states(campaigns, done.job_ids) == [S.QUEUED] * 3
    jobs = campaigns.client.store.many(done.job_ids)
    assert [(j.priority, j.spec["manual_seed"], j.campaigns) for j in jobs] == [
        (7, seed, ("night",)) for seed in (1, 2, 3)
    ]
    cells = {cell.job_id: cell for cell in campaigns.records.cells("night")}
    assert [(cells[i].stage, cells[i].axes) for i in done.job_ids] == [
        ("main", {"seed": s}) for s in (1, 2, 3)
    ]
    assert campaigns.records.get("night").state == "active"


def test_other_rules_for_cells_that_are_there_change_nothing_and_that_is_said(campaigns, tmp_path, capsys):
    from srqueue.cli.__main__ import main

    seeds, file = {"matrix": {"seed": [1, 2, 3]}}, tmp_path / "night.yaml"
    file.write_text(json.dumps({"base": {**TINY, "stop": "20 it"}, "matrix": {"seed": [1, 2]}}))
    assert main(["campaign", "submit", str(file)]) == 0 and "note:" not in capsys.readouterr().err
    file.write_text(json.dumps({"base": {**TINY, "stop": "30 it"}, **seeds}))
    assert main(["campaign", "submit", str(file)]) == 0
    told = capsys.readouterr()
    assert "1 of 3 cells queued" in told.out
    assert "note: 2 cells were there already; stop rules stay as they are: 20 it" in told.err
    end(campaigns, claim(campaigns))  # all its iterations: no rule would have changed that
    again = campaigns.submit(
        night(base={**TINY, "stop": "30 it", "window": "22:00-07:00"}, **seeds), update=True
    )
    assert again.new == 0 and again.differs == {
        "its stop rules stay as they are: 20 it": 1, "its windows stay as they are: none": 2,
    }  # fmt: skip


def test_a_cell_that_is_released_outside_its_window_waits_for_that(campaigns):
    now = datetime.now()
    clock = "-".join(f"{now + timedelta(hours=h):%H:%M}" for h in (2, 3))
    done = campaigns.submit(
        night(base={**TINY, "window": clock}, matrix={"seed": [1, 2]}, max_parallel=1, priority=9)
    )
    first, second = campaigns.client.store.many(done.job_ids)
    assert (first.state, first.message, second.state) == (S.QUEUED, "its window is closed", S.HELD)
    assert first.not_before is not None and abs(first.not_before - now.timestamp() - 7200) < 61
    assert claim(campaigns) is None and tend(campaigns.client.store) == [], "nobody is to give way to it"


def test_no_more_than_max_parallel_wait_or_run(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2, 3, 4]}, max_parallel=2))
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED, S.HELD, S.HELD]
    first = claim(campaigns)
    assert first.record.id == done.job_ids[0] and tend(campaigns.client.store) == []
    end(campaigns, first)
    assert [bell.job_id for bell in tend(campaigns.client.store)] == [done.job_ids[2]]
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED, S.QUEUED, S.HELD]
    assert "campaign night has not let it begin" in campaigns.client.why_waiting(
        campaigns.client.get(done.job_ids[3])
    )


def test_a_submit_beside_a_campaign_is_not_kept_waiting_by_it(campaigns, tiny_spec):
    campaigns.submit(night(matrix={"seed": list(range(50))}, max_parallel=1))
    single = campaigns.client.submit(tiny_spec(None, 10)).job
    assert [claim(campaigns).record.id for _ in range(2)][1] == single.id


def test_a_stage_begins_when_the_one_before_has_ended(campaigns):
    made = night(stages={"a": {"matrix": {"seed": [1, 2]}}, "b": {"after": "a", "matrix": {"seed": [3]}}})
    done = campaigns.submit(made)
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED, S.HELD]
    held = campaigns.client.get(done.job_ids[2])
    assert held.message == "waits for stage a" and held.after == ("stage:a",)
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    assert tend(campaigns.client.store) == []
    end(campaigns, claim(campaigns))
    assert [bell.job_id for bell in tend(campaigns.client.store)] == [done.job_ids[2]]


def test_a_stage_of_which_nothing_succeeded_holds_the_next_until_it_is_tried_again(campaigns):
    made = night(stages={"a": {"matrix": {"seed": [1]}}, "b": {"after": "a", "matrix": {"seed": [3]}}})
    done = campaigns.submit(made)
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    tend(campaigns.client.store)
    assert campaigns.client.get(done.job_ids[1]).message == "stage a has ended, and no cell of it succeeded"
    assert campaigns.retry("night") == 1
    end(campaigns, claim(campaigns))
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]


def test_a_cell_waits_for_those_whose_model_it_begins_with_and_says_for_whom(campaigns):
    stages = {
        "base": {"matrix": {"seed": [1, 2]}},
        "more": {"matrix": {"seed": [1, 2]}, "base": {"train.total_iter": 60}, "start_from": "base"},
    }
    done = campaigns.submit(night(stages=stages))
    first, _second, third, fourth = done.job_ids
    assert campaigns.client.get(third).spec["path"]["pretrain_jobs"] == [first]
    assert campaigns.client.get(third).message.startswith("waits for the model of ")
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    end(campaigns, claim(campaigns))
    assert [bell.job_id for bell in tend(campaigns.client.store)] == [fourth]
    held = campaigns.client.get(third)
    assert held.state is S.HELD and "none of the jobs whose model it starts from succeeded" in held.message


def test_after_a_failure_no_other_begins_where_the_file_says_so(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2, 3]}, max_parallel=1, on_failure="stop"))
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    assert tend(campaigns.client.store) == []
    record = campaigns.records.get("night")
    assert (record.state, record.message) == ("stopped", "1 cell failed, and on_failure is stop")
    with pytest.raises(UsageError, match="was stopped"):
        campaigns.resume("night")
    assert campaigns.retry("night") == 1
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.HELD, S.HELD]


def test_submitted_again_after_an_edit_only_what_is_new_or_changed_is_queued(campaigns, tmp_path):
    file = tmp_path / "night.yaml"
    before = campaigns.submit(night(matrix={"seed": [1, 2, 3]}), file=file)
    end(campaigns, claim(campaigns))
    after = campaigns.submit(night(matrix={"seed": [1, 2, 4]}), file=file)
    assert after.new == 1 and after.job_ids[:2] == before.job_ids[:2]
    assert after.left == (before.job_ids[2],)
    assert {c.job_id for c in campaigns.records.cells("night")} == set(after.job_ids)


def test_two_campaigns_of_one_name_are_refused_unless_one_is_the_new_version(campaigns, tmp_path):
    campaigns.submit(night(matrix={"seed": [1]}), file=tmp_path / "a.yaml")
    with pytest.raises(UsageError, match="there is a campaign night already"):
        campaigns.submit(night(matrix={"seed": [2]}), file=tmp_path / "b.yaml")
    assert campaigns.submit(night(matrix={"seed": [2]}), file=tmp_path / "b.yaml", update=True).new == 1


def test_nothing_is_queued_where_one_cell_is_wrong_or_two_are_the_same(campaigns):
    for raw in (
        {"matrix": {"seed": [1], "train.optim_g.lrr": [1]}},
        {"matrix": {"logger.print_freq": [10, 20]}},
        {"stages": {"a": {"matrix": {"seed": [1]}}, "b": {"matrix": {"dataset": ["nowhere"]}}}},
    ):
        with pytest.raises(SpecError):
            campaigns.submit(night(**raw))
    assert campaigns.client.store.connection.redis.keys("*:job:*") == []


def test_a_paused_campaign_begins_nothing_and_goes_on_with_what_was_paused(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2, 3]}, max_parallel=2))
    assert campaigns.pause("night").state == "paused"
    assert states(campaigns, done.job_ids) == [S.PAUSED, S.PAUSED, S.HELD]
    assert tend(campaigns.client.store) == [] and claim(campaigns) is None
    assert campaigns.resume("night").state == "active"
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED, S.HELD]


def test_a_cancelled_campaign_ends_and_can_be_tried_again_and_forgotten(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2, 3]}, max_parallel=1))
    with pytest.raises(UsageError, match="have not ended"):
        campaigns.remove("night")
    campaigns.cancel("night")
    assert states(campaigns, done.job_ids) == [S.CANCELLED] * 3
    assert campaigns.records.get("night").state == "ended"
    assert campaigns.retry("night") == 3
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.HELD, S.HELD]
    campaigns.cancel("night")
    campaigns.remove("night")
    redis = campaigns.client.store.connection.redis
    assert [key for key in redis.keys("*") if "night" in key] == []
    assert [job.campaigns for job in campaigns.client.list()] == [()] * 3


def test_what_its_attempts_took_is_added_up(campaigns):
    campaigns.submit(night(matrix={"seed": [1]}))
    claimed = claim(campaigns)
    end(campaigns, claimed)
    (attempt,) = campaigns.client.store.attempts(claimed.record.id)
    assert campaigns.records.get("night").spent_s == pytest.approx(attempt.ended - attempt.begun, abs=0.002)


def test_a_real_worker_runs_a_campaign_to_its_end_and_later_cells_begin_with_earlier_models(
    campaigns, start_worker, wait_until
):
    stages = {
        "base": {"matrix": {"seed": [1, 2]}},
        "more": {"base": {"train.total_iter": 60, "seed": 5}, "start_from": "base"},
    }
    done = campaigns.submit(night(stages=stages, max_parallel=1))
    start_worker()
    wait_until(lambda: campaigns.records.get("night").state == "ended", "the campaign ends", 120)
    jobs = campaigns.client.store.many(done.job_ids)
    assert [job.state for job in jobs] == [S.SUCCEEDED] * 3
    best = max(jobs[:2], key=lambda job: job.metrics["best/psnr"])
    run = RunDir(campaigns.client.settings.runs_root / jobs[2].id)
    begun = json.loads(run.start_file.read_text())
    assert (begun["job"], begun["psnr"]) == (best.id, best.metrics["best/psnr"])
    (model,) = RunDir(campaigns.client.settings.runs_root / best.id).export.glob("*.safetensors")
    assert load_file(run.start_model).keys() == load_file(model).keys()
    assert run.start_model.read_bytes() == model.read_bytes()
    resolved = JobSpec.model_validate_json(run.resolved_file.read_text())
    assert resolved.path.pretrain_sha256 == begun["sha256"] and resolved.path.pretrain_jobs == ()
    first = next(e for e in run.events() if e.kind == "val")
    untrained = next(
        e for e in RunDir(campaigns.client.settings.runs_root / jobs[0].id).events() if e.kind == "val"
    )
    assert first.data["val/psnr"] > untrained.data["val/psnr"]


def test_why_a_cell_is_held_is_explained(campaigns):
    made = night(stages={"a": {"matrix": {"seed": [1]}}, "b": {"after": "a", "matrix": {"seed": [3]}}})
    done = campaigns.submit(made)

    def told():
        return explain(facts_of(campaigns.client.store, done.job_ids[1]))

    assert told().why == ("now it waits: campaign night has not let it begin: waits for stage a",)
    assert "srqueue campaign show night" in told().next
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    tend(campaigns.client.store)
    assert "srqueue campaign retry night" in told().next


def test_who_watches_is_told_that_nothing_more_happens_by_itself(campaigns, capsys):
    from srqueue.cli.__main__ import main

    stages = {"a": {"matrix": {"seed": [1]}}, "b": {"after": "a", "matrix": {"seed": [3]}}}
    campaigns.submit(night(stages=stages))
    campaigns.pause("night")
    assert main(["campaign", "watch", "night"]) == 1, "its held cell waits for somebody"
    assert "is paused; let it go on: srqueue campaign resume night" in capsys.readouterr().err
    assert main(["campaign", "show", "night"]) == 0
    assert "held, 1 cell: the campaign is paused" in capsys.readouterr().out
    campaigns.resume("night")
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    tend(campaigns.client.store)
    assert main(["campaign", "watch", "night"]) == 1
    assert "waits for what did not succeed; look: srqueue campaign show night" in capsys.readouterr().err
    campaigns.cancel("night")
    assert main(["campaign", "ls"]) == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("night"))
    assert line.split()[2:8] == ["2", "0", "0", "0", "1", "1"], "one was stopped, one failed"


def test_a_file_that_asks_for_more_cells_than_may_be_is_not_told_to_say_yes(campaigns, tmp_path, capsys):
    from srqueue.cli.__main__ import main

    file = tmp_path / "night.yaml"
    for seeds, told in ((400, "more than a campaign may have"), (40, "queue so many with --yes")):
        matrix = {"seed": list(range(seeds)), "train.total_iter": list(range(400))}
        file.write_text(json.dumps({"base": TINY, "matrix": matrix}))
        assert main(["campaign", "submit", str(file)]) == 2 and told in capsys.readouterr().err
