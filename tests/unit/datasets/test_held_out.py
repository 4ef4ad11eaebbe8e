"""Which pictures are held out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import DataError, UsageError
from workers.data_tools.held_out import named, share

paths = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=300)


@given(paths, st.randoms())
def test_the_share_does_not_depend_on_the_order(names, random) -> None:
    assert share(names) == share(random.sample(names, len(names)))


@given(paths)
def test_the_share_is_one_percent_and_leaves_something_to_train_on(names) -> None:
    held = share(names)
    assert held <= set(names)
    assert len(held) == (max(1, len(names) // 100) if len(names) >= 2 else 0)


@given(paths, st.text(min_size=9, max_size=12))
def test_one_more_picture_changes_at_most_one_of_the_held_out(names, more) -> None:
    assert len(share(names) - share([*names, more])) <= 1


def test_the_share_is_never_more_than_a_hundred() -> None:
    assert len(share([f"{i}.png" for i in range(20_000)])) == 100


@given(paths, st.data())
def test_what_may_be_wrong_is_never_chosen_and_others_take_its_place(names, data) -> None:
    never = data.draw(st.sets(st.sampled_from(names))) if names else set()
    held = share(names, never)
    assert not held & never
    assert len(held) == min(len(share(names)), len(names) - len(never))
    assert share(names) - never <= held


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert share([f"{i}.png" for i in range(250)]) == {"192.png", "212.png"}


def test_names_mean_pictures_by_path_file_name_or_stem() -> None:
    found = ["a/one.png", "b/two.jpg", "b/three.webp", "four.png"]
    assert named(found, [], ["one", "b/two", "three.webp"]) == {"a/one.png", "b/two.jpg", "b/three.webp"}


def test_an_unknown_ambiguous_or_broken_name_is_refused() -> None:
    found = ["a/one.png", "b/one.png", "b/two.png"]
    with pytest.raises(UsageError, match=r"means 2 pictures: a/one\.png, b/one\.png"):
        named(found, [], ["one"])
    with pytest.raises(UsageError) as caught:
        named(found, [], ["tow"])
    assert "did you mean 'two'?" in str(caught.value)
    with pytest.raises(DataError, match="cannot be used: bad"):
        named(found, ["bad.png"], ["bad"])
    with pytest.raises(UsageError, match="no picture"):
        named(found, [], ["../two"])


def test_not_all_pictures_can_be_held_out() -> None:
    with pytest.raises(DataError, match="all pictures are held out"):
        named(["a.png"], [], ["a"])
