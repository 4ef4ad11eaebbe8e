"""Who is asked to give way, when, and when that is taken back."""

import pytest

from srqueue.cli import ls, show
from srqueue.cli.progress import Progress
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.preemption import Preemption, preempt

WAIT, LEAST, BUDGET = 5.0, 600.0, 3  # s, s, times: those of `yard`
IDLE = 60.0  # s that an idle worker is waited for (preempt.lua)
S = JobState


def test_a_better_job_that_nobody_takes_asks_the_running_one_and_gets_its_worker(yard):
    low, high = yard.runs(3), yard.job(7, name="cc0")
    assert yard.ask() == ()  # it has just come
    yard.age(WAIT)
    assert yard.ask() == (Preemption(high, low),)
    asked = yard.get(low)
    assert (asked.state, asked.wish, asked.preempted_by) == (S.RUNNING, "preempt", high)
    assert asked.yields_to == f"cc0 {high[-6:].lower()} (priority 7)"
    assert yard.store.renew(low, yard.tokens[low], 60) == "preempt"
    ended = yard.end(low)
    assert (ended.state, ended.reason, ended.wish, ended.yields_to) == (
        S.QUEUED, StopReason.PREEMPTED, None, None,
    )  # fmt: skip
    assert ended.message == f"gave way to cc0 {high[-6:].lower()} (priority 7)"
    assert (ended.preemptions, ended.failures, ended.preempted_by) == (1, 0, high)
    behind = yard.job(3)
    (worker,) = yard.store.workers()
    assert yard.claim(worker) == high
    yard.end(high, StopReason.COMPLETED)
    assert yard.claim(worker) == low, "it stands before others of its priority"
    assert yard.get(behind).state is S.QUEUED


def test_nobody_is_asked_while_a_slot_is_free(yard):
    low = yard.runs(3, slots=2)
    high = yard.job(7)
    yard.age(WAIT)
    assert yard.ask() == () and yard.claim(yard.worker("w", slots=2)) == high
    higher = yard.job(8)
    yard.age(LEAST)
    assert yard.ask() == (Preemption(higher, low),)


def test_listing_and_watching_say_to_whom_a_job_is_to_give_way(yard):
    low, high = yard.runs(3), yard.job(7, name="cc0")
    yard.age(WAIT)
    yard.ask()
    told = f"yields to cc0 {high[-6:].lower()} (priority 7)"
    asked = yard.get(low)
    assert ls._row(asked)[2] == f"running ({told})"
    assert ("state", f"running, {told}") in show._lines(asked, None, None)
    progress = Progress()
    progress.see_record(asked)
    assert progress.doing() == told
    progress.see_record(yard.store.ask(low, "pause"))
    assert progress.doing() == "pause asked"


def test_a_restored_job_whose_claim_nobody_knows_is_asked_once(yard):
    low, high = yard.runs(3), yard.job(7)
    yard.redis.hdel(yard.store.keys.job(low), "claim")
    yard.age(WAIT)
    assert yard.ask() == (Preemption(high, low),)
    assert yard.ask() == () and yard.get(low).wish == "preempt"


def test_jobs_that_a_version_before_claimed_are_asked_too(yard):
    low, high = yard.runs(3), yard.job(7)
    yard.redis.delete(f"{yard.store.keys.root}running")  # which it did not keep
    yard.age(WAIT)
    assert yard.ask() == (Preemption(high, low),)


@pytest.mark.parametrize("priority", [5, 6, 9])
def test_a_job_of_the_same_or_a_higher_priority_is_not_asked(yard, priority):
    yard.runs(priority)
    yard.job(5)
    yard.age(1e5)
    assert yard.ask() == ()


def test_a_job_runs_for_a_while_before_it_is_asked(yard):
    low = yard.runs(3, age=0)
    yard.job(9)
    yard.age(LEAST - 2)
    assert yard.ask() == ()
    yard.age(2)
    assert [p.victim_id for p in yard.ask()] == [low]


def test_a_job_gives_way_only_so_often(yard):
    low = yard.runs(3)
    (worker,) = yard.store.workers()
    for _ in range(BUDGET):
        high = yard.job(9)
        yard.age(LEAST)
        assert yard.ask() == (Preemption(high, low),)
        yard.end(low)
        assert yard.claim(worker) == high
        yard.end(high, StopReason.COMPLETED)
        assert yard.claim(worker) == low
    yard.job(9)
    yard.age(1e5)
    assert yard.ask() == ()
    assert yard.get(low).preemptions == BUDGET


def test_the_lowest_is_asked_and_among_equals_the_one_claimed_last(yard):
    middle, first, last = yard.runs(4, "w1"), yard.runs(2, "w2"), yard.runs(2, "w3")
    asked = []
    for _ in range(3):
        yard.job(9)
        yard.age(WAIT)
        asked += [p.victim_id for p in yard.ask()]
    assert asked == [last, first, middle]


def test_several_waiting_jobs_ask_one_each(yard):
    low = {yard.runs(2, "w1"), yard.runs(2, "w2"), yard.runs(2, "w3")}
    high = [yard.job(8), yard.job(9)]
    yard.age(WAIT)
    asks = yard.ask()
    assert [p.job_id for p in asks] == high[::-1]
    assert len({p.victim_id for p in asks} & low) == 2
    for _ in range(3):
        yard.age(1e4)
        assert yard.ask() == ()


def test_a_job_whose_asked_one_has_just_ended_does_not_ask_another_at_once(yard):
    yard.runs(2, "w1"), yard.runs(2, "w2")
    high = yard.job(9)
    yard.age(WAIT)
    ((_, victim),) = [(p.job_id, p.victim_id) for p in yard.ask()]
    yard.end(victim)
    yard.redis.delete(yard.store.keys.worker("w2"))  # it does not come back, and claims nothing
    assert yard.ask() == ()
    yard.age(WAIT)
    assert [p.job_id for p in yard.ask()] == [high]


def test_only_a_worker_of_the_class_of_the_job_is_freed(yard):
    yard.runs(1, "w1"), yard.runs(2, "w2")
    able = yard.runs(5, "w3", kind="gpu")
    yard.job(9, "cuda")
    yard.job(8, "cuda")
    yard.age(WAIT)
    assert [p.victim_id for p in yard.ask()] == [able]


def test_only_a_worker_that_reaches_the_run_folder_is_freed(yard):
    begun = yard.runs(9, "w1", root="r")
    yard.end(begun, StopReason.DRAINED)  # from now on it is bound to r
    yard.store.ask(begun, "pause")
    yard.runs(1, "w2", root="elsewhere")
    able = yard.runs(5, "w1", root="r")
    yard.store.resume(begun)
    yard.age(WAIT)
    assert yard.ask() == (Preemption(begun, able),)


@pytest.mark.parametrize("how", ["finish", "hand_over"])
def test_a_worker_that_takes_no_more_jobs_is_left_alone(yard, how):
    yard.runs(1)
    yard.worker("w", draining=how)
    yard.worker("w2", "gpu", draining=how)  # nor is it waited for, though it is idle
    yard.job(9)
    yard.age(1e5)
    assert yard.ask() == ()
    yard.worker("w")
    assert len(yard.ask()) == 1


def test_a_worker_that_is_not_announced_is_not_counted_on(yard):
    yard.runs(2)
    yard.job(9)
    yard.store.announce_worker(yard.worker("w"), 0)
    yard.age(1e5)
    assert yard.ask() == ()


def test_an_idle_worker_is_waited_for_but_not_for_ever(yard):
    low = yard.runs(2)
    yard.worker("idle")
    yard.job(9)
    yard.age(IDLE - 1)
    assert yard.ask() == ()
    yard.age(2)
    assert [p.victim_id for p in yard.ask()] == [low]


@pytest.mark.parametrize("wish", ["pause", "cancel"])
def test_a_wish_of_the_user_stands_above(yard, wish):
    low = yard.runs(2)
    yard.job(9)
    yard.age(WAIT)
    assert len(yard.ask()) == 1
    asked = yard.store.ask(low, wish)
    assert (asked.wish, asked.yields_to, asked.preempted_by) == (wish, None, None)
    yard.age(1e5)
    assert yard.ask() == () and yard.get(low).wish == wish
    ended = yard.end(low)  # the trainer had already heard the other
    assert ended.state is (S.PAUSED if wish == "pause" else S.CANCELLED)
    assert (ended.message, ended.preemptions) == (wish + ("d" if wish == "pause" else "led"), 0)


def test_a_job_with_a_wish_is_not_asked(yard):
    low = yard.runs(2)
    yard.store.ask(low, "pause")
    yard.job(9)
    yard.age(1e5)
    assert yard.ask() == () and yard.get(low).wish == "pause"


def _no_more(yard, low, high):
    return {
        "the ready one is paused": lambda: yard.store.ask(high, "pause"),
        "the ready one is cancelled": lambda: yard.store.ask(high, "cancel"),
        "the ready one is removed": lambda: yard.store.remove(high),
        "the ready one is lowered": lambda: yard.store.set_priority(high, 2),
        "the running one is raised": lambda: yard.store.set_priority(low, 9),
        "another worker takes the ready one": lambda: yard.claim(yard.worker("w2")),
    }


@pytest.mark.parametrize("what", _no_more(None, None, None))
def test_what_has_become_pointless_is_taken_back(yard, what):
    low, high = yard.runs(2), yard.job(9)
    yard.age(WAIT)
    assert yard.ask() == (Preemption(high, low),)
    _no_more(yard, low, high)[what]()
    left = yard.get(low)
    assert (left.state, left.wish, left.yields_to, left.preempted_by) == (S.RUNNING, None, None, None)


def test_a_small_change_of_priority_takes_nothing_back(yard):
    low, high = yard.runs(2), yard.job(9)
    yard.age(WAIT)
    assert yard.ask() == (Preemption(high, low),)
    yard.store.set_priority(high, 3)
    yard.store.set_priority(low, 1)
    assert yard.get(low).wish == "preempt"


def test_a_vanished_asker_is_noticed_by_the_next_look(yard):
    low, high = yard.runs(2), yard.job(9)
    yard.age(WAIT)
    assert len(yard.ask()) == 1
    # As on a server that was started from an older file.
    yard.redis.delete(yard.store.keys.job(high))
    yard.redis.zrem(yard.store.keys.ready("any", None), high)
    yard.ask()
    assert yard.get(low).wish is None


def test_what_only_exports_neither_asks_nor_is_asked(yard):
    low = yard.runs(2)
    yard.store.publish(low, yard.tokens[low], 1, 5)
    yard.end(low, StopReason.DRAINED)
    yard.store.ask(low, "cancel")  # a worker exports its weights
    other = yard.job(1)
    worker = yard.worker("w")
    assert yard.claim(worker) == low
    yard.redis.hset(yard.store.keys.job(low), "wish", "")  # even so
    yard.store.set_priority(low, 0)
    yard.job(9)
    yard.age(1e5)
    assert yard.ask() == ()

    yard.end(low, StopReason.CANCELLED)
    yard.redis.flushall()
    other = yard.runs(0, "w2")
    export = yard.runs(9, "w3")
    yard.store.publish(export, yard.tokens[export], 1, 5)
    yard.end(export, StopReason.DRAINED)
    yard.store.announce_worker(yard.worker("w3"), 0)
    yard.store.ask(export, "cancel")
    yard.age(1e5)
    assert yard.ask() == () and yard.get(other).wish is None


def test_it_can_be_switched_off(yard):
    yard.runs(2)
    yard.job(9)
    yard.age(1e5)
    assert preempt(yard.store.connection, yard.settings.model_copy(update={"preempt": False})) == ()
    assert len(yard.ask()) == 1


def test_a_wish_that_the_trainer_outran_counts_as_nothing(yard):
    low = yard.runs(2)
    yard.job(9)
    yard.age(WAIT)
    assert len(yard.ask()) == 1
    ended = yard.end(low, StopReason.COMPLETED)
    assert (ended.state, ended.preemptions, ended.wish, ended.yields_to) == (S.SUCCEEDED, 0, None, None)


def test_a_stop_that_could_not_save_says_so(yard):
    low = yard.runs(2)
    yard.job(9)
    yard.age(WAIT)
    yard.ask()
    told = "the trainer was ended by SIGTERM before it could save"
    ended = yard.store.finish(low, yard.tokens[low], Outcome(StopReason.PREEMPTED, told, 5))
    assert ended.message.startswith("gave way to job ") and ended.message.endswith(f"; {told}")
