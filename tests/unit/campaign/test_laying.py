"""A stage over what all stages share, and a command line over both."""

from __future__ import annotations

import pytest

from srqueue.campaign.laying import changed
from srqueue.campaign.spec import campaign_of
from srqueue.errors import SpecError


def base_of(raw, stage="main"):
    return campaign_of(raw, "file", "night").stages[stage].base


def test_a_section_of_a_stage_leaves_the_other_keys_of_the_shared_one():
    raw = {"base": {"datasets.train": {"lq_size": 16, "batch_size": 4}, "dataset": "a"}}
    stages = {"long": {"base": {"datasets": {"train": {"lq_size": 32}}, "datasets.val.name": "b"}}}
    assert base_of({**raw, "stages": stages}, "long") == {
        "datasets.train.batch_size": 4, "dataset": "a", "datasets.train.lq_size": 32, "datasets.val.name": "b"
    }  # fmt: skip


def test_another_type_begins_its_section_anew():
    raw = {"base": {"train.optim_g": {"type": "SOAP", "lr": 6e-3}, "seed": 1}}
    other = {"long": {"base": {"train": {"optim_g": {"type": "AdamW"}}}}}
    assert base_of({**raw, "stages": other}, "long") == {"seed": 1, "train.optim_g.type": "AdamW"}


def test_a_command_line_wins_over_every_base():
    raw = {"base": {"train": {"total_iter": 5}}, "stages": {"a": {}, "b": {"base": {"train.total_iter": 9}}}}
    said = changed(raw, {"train.total_iter": 7}, "file")
    assert base_of(said, "a") == base_of(said, "b") == {"train.total_iter": 7}
    assert raw["base"] == {"train": {"total_iter": 5}}


@pytest.mark.parametrize(
    "raw",
    [
        {"matrix": {"presets": ["quick", "tuned"]}},
        {"stages": {"a": {"matrix": {"preset": ["quick", "tuned"]}}}},
        {"search": {"space": {"preset": {"choice": ["quick", "tuned"]}}}},
    ],
)
def test_what_a_campaign_varies_is_not_set_in_silence_from_the_command_line(raw):
    with pytest.raises(SpecError, match="preset: given one value"):
        changed(raw, {"preset": "fidelity"}, "file")


def test_a_stage_whose_base_would_never_be_heard_is_refused():
    raw = {"matrix": {"arch": ["compact", "span"], "seed": [1, 2]}}
    with pytest.raises(SpecError, match="arch: its base gives one value"):
        base_of({**raw, "stages": {"long": {"base": {"arch": "compact"}}}}, "long")
    own = {"long": {"base": {"arch": "compact"}, "matrix": {"arch": ["span"]}}}
    assert base_of({**raw, "stages": own}, "long") == {"arch": "compact"}
