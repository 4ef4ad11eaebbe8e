"""The variations of a spec: one for every member of its unions."""

from typing import get_args

import pytest
from pydantic import ValidationError

from srqueue.spec.automations import AutomationsSpec
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.job import spec_id
from srqueue.spec.losses import LossSpec
from srqueue.spec.optimizers import OptimizerSpec
from srqueue.spec.schedules import SchedulerSpec
from srqueue.spec.variations import changed, variations

SPEC = expand(DatasetRef("d"), preset="tuned", architecture="compact").spec


def kinds(union):
    return {member.model_fields["type"].default for member in get_args(get_args(union)[0])}


def test_every_member_of_every_union_has_its_variation():
    found = variations(SPEC)
    assert found["as given"] == SPEC
    specs = found.values()
    assert {loss.type for s in specs for loss in s.train.losses} == kinds(LossSpec)
    assert {s.train.optim_g.type for s in specs} == kinds(OptimizerSpec)
    assert {s.train.scheduler.type for s in specs} == kinds(SchedulerSpec)
    assert {s.compute.precision for s in specs} == {"auto", "fp32", "bf16", "fp16"}
    for name in set(AutomationsSpec.model_fields) - {"enabled"}:
        given = found[f"automation {name}"].train.training_automations
        on = {n for n in set(AutomationsSpec.model_fields) - {"enabled"} if getattr(given, n).enabled}
        assert given.enabled and on == {name}


def test_a_changed_spec_is_checked():
    assert changed(SPEC, {"train.optim_g.lr": 0.5}).train.optim_g.lr == 0.5
    assert spec_id(changed(SPEC, {})) == spec_id(SPEC)
    with pytest.raises(ValidationError):
        changed(SPEC, {"train.optim_g.lr": -1})
