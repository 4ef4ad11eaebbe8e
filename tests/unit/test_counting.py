"""Counts in words."""

import pytest

from srqueue.counting import counted, kwh_text, of_all
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


@pytest.mark.parametrize(
    ("kwh", "text"),
    [
        (0.0, "0 Wh"),
        (2.1e-6, "0.0021 Wh"),
        (0.000318, "0.318 Wh"),
        (0.0124, "0.0124 kWh"),
        (1234.4, "1234 kWh"),
    ],
)
def test_an_energy_is_never_in_powers_of_ten(kwh, text):
    assert kwh_text(kwh) == text
