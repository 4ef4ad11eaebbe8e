"""Counts in words."""

import pytest

from srqueue.counting import counted, of_all
from srqueue.spec.derive import PictureStats


@pytest.mark.parametrize(("number", "text"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures")])
def test_one_is_no_plural(number, text):
    assert counted(number, "picture") == text


def test_some_of_all():
    assert of_all(1, 7, "picture") == "1 of 7 pictures is"
    assert of_all(2, 7, "picture") == "2 of 7 pictures are"
    assert of_all(1, 1, "picture") == "1 of 1 picture is"


def test_a_note_on_few_pictures_counts_right():
    told = [PictureStats(pictures=number).too_few(16) for number in (1, 2)]
    assert [str(text)[:15] for text in told] == ["only 1 picture ", "only 2 pictures"]
