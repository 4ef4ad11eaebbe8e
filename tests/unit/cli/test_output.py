"""Tables, JSON and time spans."""

import json

import pytest

from srqueue.cli.output import duration, print_json, print_table
from srqueue.run.reasons import JobState


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (7620, "2h 07m"),
        (100_800, "1d 04h"),
    ],
)
def test_a_time_span_reads_at_a_glance(seconds, text):
    assert duration(seconds) == text


def test_columns_are_aligned_and_control_characters_cannot_steer_the_terminal(capsys):
    print_table(["NAME", "STATE"], [["a", "queued"], ["long\x1b[2Jname", "held"]])
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    assert len({line.index(word) for line, word in zip(lines, ["STATE", "queued", "held"], strict=True)}) == 1


def test_json_holds_states_as_plain_words(capsys):
    print_json({"state": JobState.QUEUED})
    assert json.loads(capsys.readouterr().out) == {"state": "queued"}
