"""Who goes on from a rung."""

from hypothesis import given
from hypothesis import strategies as st

from srqueue.campaign.search.asha import Place, Standing, Trial, decide, level, ranking

RUNGS = (100, 300)
NEW, GOING, WAITS, OVER = Standing.NEW, Standing.GOING, Standing.WAITS, Standing.OVER


def trial(name, standing, *values):
    return Trial(name, standing, dict(zip(RUNGS, values, strict=False)))


def waiting(*values):
    return [trial(str(i), WAITS, value) for i, value in enumerate(values)]


def test_of_three_at_a_rung_the_best_goes_on_and_of_two_nobody():
    more = [trial("new", NEW)]
    assert decide([*waiting(1, 3), *more], RUNGS, 3, "asha").promoted == ()
    assert decide([*waiting(1, 3, 2), *more], RUNGS, 3, "asha").promoted == (("1", 300),)


def test_who_went_on_before_counts_among_the_best():
    trials = [trial("gone", GOING, 9), *waiting(1, 3, 2), trial("new", NEW)]
    assert decide(trials, RUNGS, 3, "asha").promoted == ()
    more = [*trials, trial("x", WAITS, 0), trial("y", WAITS, 0)]
    assert decide(more, RUNGS, 3, "asha").promoted == (("1", 300),)


def test_from_the_last_rung_a_trial_goes_on_to_its_end_and_stands_before_those_below():
    trials = [
        trial("a", WAITS, 9, 5),
        trial("b", OVER, 8, 4),
        trial("c", OVER, 7, 3),
        *waiting(6, 5, 4, 3, 2, 1),
    ]
    assert decide([*trials, trial("new", NEW)], RUNGS, 3, "asha").promoted == (("a", None),)
    better = [*trials, trial("z", WAITS, 9.5), trial("new", NEW)]
    assert decide(better, RUNGS, 3, "asha").promoted == (("a", None), ("z", 300))


def test_a_rung_that_nobody_can_reach_any_more_lets_one_go_on_and_stops_the_others():
    decision = decide(waiting(1, 3), RUNGS, 3, "asha")
    assert decision.promoted == (("1", 300),)
    assert decision.stopped == (("0", Place(100, 2, 2)),)


def test_nothing_is_stopped_while_somebody_may_still_come():
    for other in (trial("x", NEW), trial("x", GOING)):
        assert decide([*waiting(1, 2, 3, 4), other], RUNGS, 3, "asha").stopped == ()


def test_halving_waits_for_all():
    late = [*waiting(1, 2, 3), trial("x", GOING)]
    assert decide(late, RUNGS, 3, "halving").promoted == ()
    assert decide([*waiting(1, 2, 3), trial("x", WAITS, 9)], RUNGS, 3, "halving").promoted == (("x", 300),)


def test_what_is_no_number_is_the_last():
    assert ranking(waiting(float("nan"), 1, float("-inf"), 2), 100)[:2] == ["3", "1"]


def test_where_the_rungs_were_changed_who_has_no_value_goes_to_the_first():
    assert decide([trial("a", WAITS), trial("b", GOING)], RUNGS, 3, "asha").promoted == (("a", 100),)


@st.composite
def searches(draw):
    """Trials somewhere on their way; values repeat now and then."""
    found = []
    for i in range(draw(st.integers(0, 14))):
        reached = draw(st.integers(0, 2))
        values = [draw(st.sampled_from([1.0, 2.0, 2.5, 3.0, 4.0])) for _ in range(reached)]
        standing = draw(st.sampled_from([GOING, WAITS, OVER] if reached else [NEW, GOING]))
        if standing is OVER:
            values = [*values, *values, 1.0][:2]
        found.append(trial(f"t{i}", standing, *values))
    return found


@given(searches(), st.integers(2, 4), st.sampled_from(["asha", "halving"]))
def test_nobody_is_left_behind_who_is_better_than_one_that_goes_on(trials, one_of, method):
    decision = decide(trials, RUNGS, one_of, method)
    by_id = {t.id: t for t in trials}
    going_on = dict(decision.promoted)
    for i in going_on:
        k = level(by_id[i], RUNGS)
        for other in trials:
            if other.standing is WAITS and level(other, RUNGS) == k and other.id not in going_on:
                assert other.values[RUNGS[k]] <= by_id[i].values[RUNGS[k]]
    assert not going_on.keys() & {i for i, _ in decision.stopped}
    for i, _ in (*decision.promoted, *decision.stopped):
        assert by_id[i].standing is WAITS


@given(searches(), st.integers(2, 4), st.sampled_from(["asha", "halving"]))
def test_at_most_one_in_so_many_goes_on_or_one_where_nobody_comes_any_more(trials, one_of, method):
    promoted = decide(trials, RUNGS, one_of, method).promoted
    by_id = {t.id: t for t in trials}
    for k, rung in enumerate(RUNGS):
        there = ranking(trials, rung)
        best = there[: max(1, len(there) // one_of)]
        assert {i for i, _ in promoted if level(by_id[i], RUNGS) == k} <= set(best)


@given(searches(), st.randoms(), st.integers(2, 4), st.sampled_from(["asha", "halving"]))
def test_the_order_decides_nothing_where_no_two_are_equal(trials, random, one_of, method):
    apart = [
        Trial(t.id, t.standing, {rung: value + n / 1000 for rung, value in t.values.items()})
        for n, t in enumerate(trials)
    ]
    mixed = list(apart)
    random.shuffle(mixed)
    one, other = decide(apart, RUNGS, one_of, method), decide(mixed, RUNGS, one_of, method)
    assert set(one.promoted) == set(other.promoted) and set(one.stopped) == set(other.stopped)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True), st.integers(2, 4), st.randoms(),
       st.sampled_from(["asha", "halving"]), st.integers(1, 5))  # fmt: skip
def test_every_search_ends_with_a_winner_and_never_without_the_best_at_each_rung(
    quality, one_of, random, method, beside
):
    """Trials whose order is the same at each rung, trained in any order, some at a time."""
    trials = {str(i): Trial(str(i), NEW, {}) for i in range(len(quality))}
    until = dict.fromkeys(trials, RUNGS[0])
    best = str(max(range(len(quality)), key=quality.__getitem__))
    for _ in range(10 * len(quality) + 10):
        going = [t for t in trials.values() if t.standing is GOING]
        decision = decide(list(trials.values()), RUNGS, one_of, method)
        for i, further in decision.promoted[: max(0, beside - len(going))]:
            until[i] = further
            trials[i] = Trial(i, GOING, trials[i].values)
        going = [t for t in trials.values() if t.standing is GOING]
        for t in [t for t in trials.values() if t.standing is NEW][: max(0, beside - len(going))]:
            trials[t.id] = Trial(t.id, GOING, {})
        going = [t for t in trials.values() if t.standing is GOING]
        if not going:
            break
        t = random.choice(going)
        if until[t.id] is None:
            trials[t.id] = Trial(t.id, OVER, t.values)
        else:
            trials[t.id] = Trial(t.id, WAITS, {**t.values, until[t.id]: float(quality[int(t.id)])})
    assert not going
    assert trials[best].standing is OVER
    last = decide(list(trials.values()), RUNGS, one_of, method)
    assert last.promoted == ()
    assert {i for i, _ in last.stopped} == {t.id for t in trials.values() if t.standing is WAITS}
