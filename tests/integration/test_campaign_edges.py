"""Campaigns where several things happen at once, or twice: none hangs, none ends too early."""

import json

import pytest

from srqueue.errors import SpecError, UsageError
from srqueue.queue.stewarding import tend
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns
from srqueue.store.searches import Searches
from tests.integration.nights import claim, end, night, states

S = JobState
RUNGS = {"rungs": [20], "method": "halving", "factor": 2}
TWO = {"a": {"matrix": {"seed": [1]}}, "z": {"base": {"seed": 9}, "after": "a"}}


def to_rung(campaigns, claimed, psnr):
    """Trains a claimed job to its rung, or to its end."""
    job, store = claimed.record, campaigns.client.store
    until = job.until or job.total_iter
    store.publish(job.id, claimed.token, job.attempts, until)
    if until in job.rungs:
        Searches(store.connection).note(job.id, claimed.token, until, {"val/psnr": psnr})
    reason = StopReason.RUNG if job.until else StopReason.COMPLETED
    figures = {"val/psnr": psnr, "best/psnr": psnr}
    return store.finish(job.id, claimed.token, Outcome(reason, "", until, job.attempts, figures))


def searched(campaigns):
    """Trains the seeds of a search to where they may go; the higher the better."""
    while claimed := claim(campaigns):
        to_rung(campaigns, claimed, float(claimed.record.spec["manual_seed"]))
        tend(campaigns.client.store)


def test_what_ends_while_somebody_looks_wakes_who_waits_for_it(campaigns, monkeypatch):
    done = campaigns.submit(night(stages=TWO))
    running = claim(campaigns)
    campaigns.client.store.connection.redis.sadd("srq:campaign:night:due", done.job_ids[1])
    admit = Campaigns.admit

    def too_late(self, name, woken, verdicts):
        verdicts = list(verdicts)
        monkeypatch.setattr(Campaigns, "admit", admit)
        end(campaigns, running)
        admit(self, name, woken, verdicts)

    monkeypatch.setattr(Campaigns, "admit", too_late)
    tend(campaigns.client.store)
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]


def test_a_search_that_is_submitted_again_holds_no_later_stage(campaigns):
    stages = {"a": {"matrix": {"seed": [1, 2]}, "search": RUNGS}, "z": {"base": {"seed": 9}, "after": "a"}}
    campaigns.submit(night(stages=stages))
    for psnr in (1.0, 2.0):
        to_rung(campaigns, claim(campaigns), psnr)
        tend(campaigns.client.store)  # the worse one is stopped, the better one goes on
    done = campaigns.submit(night(stages=stages))
    searched(campaigns)
    assert states(campaigns, done.job_ids) == [S.PAUSED, S.SUCCEEDED, S.SUCCEEDED]
    assert campaigns.records.get("night").state == "ended"


def test_a_cell_that_the_file_has_no_more_keeps_no_search_open_from_its_rung(campaigns):
    campaigns.submit(night(matrix={"seed": [1, 2, 3]}, search=RUNGS))
    first = claim(campaigns)
    to_rung(campaigns, first, 1.0)
    campaigns.submit(night(matrix={"seed": [2, 3]}, search=RUNGS))
    searched(campaigns)
    assert campaigns.records.get("night").state == "ended"


def test_a_trial_that_one_search_stopped_keeps_no_other_open(campaigns):
    campaigns.submit(night(matrix={"seed": [1, 2]}, search=RUNGS))
    searched(campaigns)
    campaigns.submit(night(name="other", matrix={"seed": [1, 3]}, search=RUNGS))
    searched(campaigns)
    assert campaigns.records.get("other").state == "ended"


def test_a_campaign_that_cannot_be_read_harms_no_other(campaigns):
    campaigns.submit(night(name="broken", matrix={"seed": [1]}, max_parallel=1))
    done = campaigns.submit(night(matrix={"seed": [2, 3]}, max_parallel=1))
    campaigns.records.set(
        "broken", spec=json.dumps({"stages": {"main": {"search": {"rungs": "x"}}}}), moved=1
    )
    end(campaigns, claim(campaigns))
    end(campaigns, claim(campaigns))
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]


def test_the_same_training_in_two_stages_is_refused(campaigns):
    stages = {"a": {"matrix": {"seed": [1]}}, "b": {"matrix": {"seed": [1]}}}
    with pytest.raises(SpecError, match="one and the same training"):
        campaigns.submit(night(stages=stages))


def test_held_cells_wait_for_what_the_file_says_now(campaigns):
    campaigns.submit(night(stages=TWO))
    renamed = {"first": TWO["a"], "z": {**TWO["z"], "after": "first"}}
    done = campaigns.submit(night(stages=renamed))
    assert campaigns.client.get(done.job_ids[1]).message == "waits for stage first"
    end(campaigns, claim(campaigns))
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]


def test_a_cell_that_waits_for_nothing_any_more_begins(campaigns):
    campaigns.submit(night(stages=TWO))
    done = campaigns.submit(night(stages={"a": TWO["a"], "z": {"base": {"seed": 9}}}))
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED]


def test_a_cell_that_is_removed_is_waited_for_no_more(campaigns):
    stages = {"a": {"matrix": {"seed": [1, 2]}}, "z": {"base": {"seed": 9}, "after": "a"}}
    done = campaigns.submit(night(stages=stages))
    end(campaigns, claim(campaigns))
    campaigns.client.store.ask(done.job_ids[1], "pause")
    campaigns.client.remove(done.job_ids[1])
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids[2:]) == [S.QUEUED]


def test_a_stopped_campaign_goes_on_once_what_failed_was_tried_again_by_hand(campaigns):
    done = campaigns.submit(night(matrix={"seed": [1, 2]}, max_parallel=1, on_failure="stop"))
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    tend(campaigns.client.store)
    campaigns.client.retry(done.job_ids[0])
    end(campaigns, claim(campaigns))
    assert campaigns.retry("night") == 0
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]


def test_a_job_that_joined_is_paused_and_cancelled_by_nobody_else(campaigns):
    own = campaigns.client.submit(campaigns.plan(night(matrix={"seed": [1]}))[0].expanded).job
    done = campaigns.submit(night(matrix={"seed": [1, 2]}))
    assert done.job_ids[0] == own.id
    campaigns.pause("night")
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.PAUSED]
    campaigns.cancel("night")
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.CANCELLED]


def test_who_waits_for_the_verdict_is_told_of_a_stop_once(campaigns):
    told = []
    campaigns.submit(night(matrix={"seed": [1, 2]}, max_parallel=1, on_failure="stop"))
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    for _ in range(3):
        tend(campaigns.client.store, told.append)
    assert [(record.name, record.state) for record in told] == [("night", "stopped")]
    campaigns.retry("night")
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    tend(campaigns.client.store, told.append)
    assert len(told) == 2


def test_who_waits_for_the_verdict_is_told_that_the_last_cells_wait_in_vain(campaigns):
    told = []
    done = campaigns.submit(night(stages=TWO))
    end(campaigns, claim(campaigns), StopReason.DIVERGED)
    for _ in range(2):
        tend(campaigns.client.store, told.append)
    assert [(r.in_vain, r.message) for r in told] == [(True, "what its held cells wait for did not succeed")]
    campaigns.client.retry(done.job_ids[0])
    end(campaigns, claim(campaigns))
    tend(campaigns.client.store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.QUEUED]
    assert not campaigns.records.get("night").in_vain


def test_what_a_budget_cut_short_goes_on_once_it_was_raised(campaigns):
    store = campaigns.client.store
    done = campaigns.submit(night(matrix={"seed": [1, 2]}, budget="1s"))
    running = claim(campaigns)
    store.connection.redis.hincrbyfloat("srq:campaign:night:record", "spent_s", 5)
    tend(store)
    assert store.renew(running.record.id, running.token, 30) == "finish"
    store.publish(running.record.id, running.token, 1, 20)
    store.finish(
        running.record.id, running.token, Outcome(StopReason.BUDGET_SPENT, "", 20, 1, {"best/psnr": 9.0})
    )
    tend(store)
    assert states(campaigns, done.job_ids) == [S.SUCCEEDED, S.HELD]
    assert campaigns.records.get("night").message.startswith("its budget is spent")
    campaigns.submit(night(matrix={"seed": [1, 2]}, budget="10h"))
    assert states(campaigns, done.job_ids) == [S.QUEUED, S.QUEUED]
    again = claim(campaigns)
    assert (again.record.seq, again.record.metrics) == (1, {})
    assert campaigns.records.standing("night", ["main"]) == {"main": (2, 0)}


def test_a_lease_that_is_taken_back_costs_a_budget_nothing_twice(campaigns):
    store = campaigns.client.store
    campaigns.submit(night(matrix={"seed": [1]}))
    claimed = store.claim("w:1", "h", ["cpu", "any"], 0.05, {"r": "/runs"})
    store.connection.redis.zadd("srq:leases", {claimed.record.id: 1})
    store.sweep()
    store.renew(claimed.record.id, claimed.token, 30)
    end(campaigns, claimed)
    (attempt,) = store.attempts(claimed.record.id)
    assert campaigns.records.get("night").spent_s == pytest.approx(attempt.ended - attempt.begun, abs=0.003)


def test_a_search_that_is_given_up_lets_no_more_begin_than_there_may(campaigns):
    seeds = {"seed": [1, 2, 3, 4]}
    campaigns.submit(night(matrix=seeds, search=RUNGS, max_parallel=1))
    for _ in range(4):
        to_rung(campaigns, claim(campaigns), 1.0)
        tend(campaigns.client.store)
    done = campaigns.submit(night(matrix=seeds, max_parallel=1))
    found = states(campaigns, done.job_ids)
    assert found.count(S.QUEUED) <= 1 and S.PAUSED not in found


def test_a_paused_campaign_cannot_be_paused_again(campaigns):
    campaigns.submit(night(matrix={"seed": [1]}))
    campaigns.pause("night")
    with pytest.raises(UsageError, match="it is paused"):
        campaigns.pause("night")
