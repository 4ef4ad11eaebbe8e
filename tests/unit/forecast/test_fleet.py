"""A queue played through."""

from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.fleet import Server, Slot, Task, last_end, play_queue

ONE = [Server("w1", 1, ("cpu", "any"))]


def test_jobs_run_by_priority_then_order():
    tasks = [Task("a", 10, order=2), Task("b", 20, order=1), Task("c", 5, priority=9, order=3)]
    assert play_queue(tasks, ONE) == {"c": Slot(0, 5), "b": Slot(5, 25), "a": Slot(25, 35)}


def test_slots_run_beside_each_other_and_what_runs_takes_one():
    two = [Server("w1", 2, ("any",))]
    tasks = [Task("r", 30, on="w1"), Task("a", 10, order=1), Task("b", 10, order=2)]
    assert play_queue(tasks, two) == {"r": Slot(0, 30), "a": Slot(0, 10), "b": Slot(10, 20)}


def test_a_job_goes_only_where_it_can():
    workers = [Server("cpu", 1, ("cpu", "any")), Server("gpu", 1, ("cuda", "any"), roots=("r",))]
    tasks = [Task("g", 10, device_class="cuda"), Task("f", 10, root="r", order=1), Task("x", 5, root="gone")]
    found = play_queue(tasks, workers)
    assert found["g"] == Slot(0, 10) and found["f"] == Slot(10, 20) and "x" not in found


def test_what_waits_for_others_begins_when_the_last_has_ended():
    workers = [Server("w", 3, ("any",))]
    tasks = [
        Task("a", 10),
        Task("b", 30),
        Task("c", 5, after=frozenset("ab")),
        Task("d", 1, after=frozenset("c")),
    ]
    assert play_queue(tasks, workers)["c"] == Slot(30, 35)
    assert play_queue(tasks, workers)["d"] == Slot(35, 36)


def test_a_campaign_runs_as_many_as_it_may_and_others_pass_by():
    workers = [Server("w", 3, ("any",))]
    tasks = [Task(f"c{n}", 10, cap="night", order=n) for n in range(3)] + [Task("own", 10, order=9)]
    found = play_queue(tasks, workers, {"night": 1})
    assert [found[f"c{n}"].begin for n in range(3)] == [0, 10, 20] and found["own"].begin == 0


def test_nobody_runs_anything_without_a_worker():
    assert play_queue([Task("a", 1)], []) == {} and last_end([]) is None
    assert play_queue([Task("a", 7, not_before=5)], ONE) == {"a": Slot(5, 12)}


TASKS = st.lists(
    st.tuples(
        st.integers(1, 50),
        st.integers(0, 9),
        st.sampled_from([None, "x"]),
        st.sets(st.integers(0, 20), max_size=2),
    ),
    max_size=20,
)


@given(TASKS, st.integers(1, 3), st.integers(1, 2))
def test_no_slot_is_used_twice_and_nobody_begins_before_those_it_waits_for(rows, slots, cap):
    tasks = [
        Task(str(n), float(seconds), priority, n, cap=under, after=frozenset(str(i) for i in after if i < n))
        for n, (seconds, priority, under, after) in enumerate(rows)
    ]
    found = play_queue(tasks, [Server("w", slots, ("any",))], {"x": cap})
    assert set(found) == {t.id for t in tasks}
    for task in tasks:
        mine = found[task.id]
        assert mine.end == mine.begin + task.seconds
        assert all(found[i].end <= mine.begin for i in task.after)
        at_once = [t for t in tasks if found[t.id].begin <= mine.begin < found[t.id].end]
        assert len(at_once) <= slots
        assert len([t for t in at_once if t.cap == "x"]) <= cap


def test_what_the_clock_ends_is_over_then_however_late_it_began():
    tasks = [Task("a", 10, order=1), Task("b", 20, order=2, ends_by=15), Task("c", 5, order=3, ends_by=12)]
    assert play_queue(tasks, ONE) == {"a": Slot(0, 10), "b": Slot(10, 15), "c": Slot(15, 15)}
