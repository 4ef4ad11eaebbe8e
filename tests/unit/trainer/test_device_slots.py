"""A GPU that several trainers share: never more than the whole of it."""

import json
from contextlib import ExitStack

import pytest

from workers.trainer.budget import CONTEXT, share_of
from workers.trainer.device_lock import MOST_SLOTS, hold_device, is_held, lock_files, read_holder

GIB = 1 << 30


@pytest.fixture
def card(tmp_path):
    """Takes the card, or a slot of it: whether it was free. What was taken is held until the test ends."""
    path = tmp_path / "srqueue-GPU-1.lock"
    with ExitStack() as held:

        def take(slots=1, job="x"):
            return held.enter_context(hold_device(path, {"job": job}, lambda holder: False, slots))

        take.path = path
        yield take


def test_as_many_as_there_are_slots(card):
    assert [card(3) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("first", "second"), [(1, 3), (3, 1), (1, 1)])
def test_the_whole_card_and_a_slot_of_it_exclude_each_other(card, first, second):
    assert card(first) and not card(second)


def test_slots_of_different_sizes_never_make_more_than_a_whole(card):
    assert [card(n) for n in (2, 4, 2, 4, 4)] == [True, True, False, True, False]


def test_a_slot_is_free_again_with_its_holder_and_a_waiting_one_holds_nothing(card):
    with hold_device(card.path, {"job": "a"}, lambda holder: False, 2) as held:
        assert held and card(2) and not card(2)
    assert card(2)


def test_who_waits_is_told_who_has_a_slot(card):
    card(2, "JOB-ONE")
    card(2, "JOB-TWO")
    told = []
    with hold_device(card.path, {}, lambda holder: told.append(holder), 2):
        pass
    assert told[0].startswith("job ob-two (process ") or told[0].startswith("job ob-one (process ")
    assert [read_holder(file).get("job") for file in lock_files(card.path) if is_held(file)] == [
        None,  # the card's own file is held together: nobody writes there
        "JOB-ONE",
        "JOB-TWO",
    ]


@pytest.mark.parametrize("share", [-1, 0, "much", None, 7])
def test_a_share_that_makes_no_sense_is_a_whole_card(card, share):
    card(4)
    slot = card.path.with_suffix(".1.lock")
    slot.write_text(json.dumps({"share": share}))
    assert not card(4)


def test_the_memory_of_a_share_leaves_room_for_what_torch_does_not_count():
    assert share_of(80 * GIB, 4) * 80 * GIB == pytest.approx(20 * GIB - CONTEXT)
    assert share_of(2 * GIB, 4) == pytest.approx(1 / 8)  # a card that is too small for it: half


def test_where_no_file_of_a_slot_may_be_used_there_is_no_lock(card):
    for number in range(1, MOST_SLOTS + 1):
        card.path.with_suffix(f".{number}.lock").symlink_to(card.path)
    assert card(2) and card(2) and card(2)
