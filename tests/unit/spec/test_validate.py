"""A wrong spec is answered with what is wrong, where, and what to do."""

import pytest

from srqueue.errors import SpecError
from srqueue.spec.complete import complete
from srqueue.spec.expand import DatasetRef, expand, set_value
from srqueue.spec.validate import validate

CC0 = DatasetRef("cc0", identity="a" * 64, val_name="cc0", val_identity="a" * 64)
SETTINGS = [
    ("train.optim_g.lrr=1", "train.optim_g.lrr: unknown key", "did you mean 'lr'"),
    ("trian.total_iter=1", "trian: unknown key", "did you mean 'train'"),
    ("network_g.num_fet=3", "network_g.num_fet: unknown key", "known: act, alpha"),
    ("train.losses=[{type: l3}]", "unknown value 'l3'", "known: charbonnier, fft"),
    ("train.scheduler={type: cosin}", "unknown value 'cosin'", "did you mean 'cosine'"),
    ("train.scheduler={min_factor: 0.1}", "train.scheduler.min_factor: unknown key", "known: type"),
    ("train.losses=[{loss_weight: 1}]", "train.losses.0.type: is missing", "known types"),
    ("train.optim_g.lr=-1", "greater than 0, not -1", None),
    ("val.val_freq=abc", "valid integer", None),
    (
        "train.training_automations.IntelligentEarlyStoping.patience=3",
        "unknown key",
        "IntelligentEarlyStopping",
    ),
    ("scale=5", "unknown value 5", None),
    ("name=../../etc", "name: '../../etc' cannot be the name of a job", "1 to 64 letters"),
    ("datasets.val={name: a b}", "datasets.val.name: 'a b' cannot be the name of a data set", "1 to 64"),
    ("train.losses=[]", "train.losses: needs at least one loss", None),
    ("train=", "train: must hold `key: value` lines", None),
    ("logger=3", "logger: must hold `key: value` lines, not 3", None),
    ("train.optim_g.lr=.nan", "finite", None),
]


@pytest.mark.parametrize(("setting", "message", "hint"), SETTINGS)
def test_one_wrong_setting_is_named(setting, message, hint):
    with pytest.raises(SpecError) as caught:
        expand(DatasetRef("cc0"), overrides=[("flag --set", set_value(setting))])
    assert message in caught.value.message
    assert "flag --set" in caught.value.message
    if hint:
        assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


def test_all_problems_are_told_at_once():
    layer = {"train": {"total_iter": 0, "optim_g": {"lr": 0}}, "vall": 3}
    with pytest.raises(SpecError) as caught:
        expand(DatasetRef("cc0"), overrides=[("mine.yaml", layer)])
    assert all(key in caught.value.message for key in ("train.total_iter", "train.optim_g.lr", "vall"))


def test_an_assignment_without_equals_is_explained():
    with pytest.raises(SpecError, match="is not a setting"):
        set_value("train.total_iter")


PATIENT = {"train": {"training_automations": {"IntelligentEarlyStopping": {"patience": 10**6}}}}
RANGE = [{"type": "blur", "sigma": [2, 1]}]


@pytest.mark.parametrize(
    ("preset", "layers", "told"),
    [
        ("convenience", [PATIENT],
         "(IntelligentEarlyStopping.patience from mine0, train.total_iter from preset convenience)"),
        ("convenience", [{"train": {"total_iter": 900}}, {"train": {"warmup_iter": 900}}],
         "(train.warmup_iter from mine1, train.total_iter from mine0)"),
        ("convenience", [{"train": {"warmup_iter": 900, "total_iter": 900}}], "(900) (from mine0)"),
        ("convenience", [{"train": {"scheduler": {"type": "multistep", "milestones": [5, 4]}}}],
         "train.scheduler: milestones must rise (from mine0)"),
        ("convenience", [{"datasets": {"train": {"degradations": {"after": RANGE}}}}],
         "sigma must rise: [from, to] (from mine0)"),
        ("convenience", [{"path": {"resume_from": "a"}}, {"path": {"pretrain_network_g": "b"}}],
         "(path.resume_from from mine0, path.pretrain_network_g from mine1)"),
        ("convenience", [{"train": {"optim_g": {"type": "ScheduleFreeAdamW"}, "ema_decay": 0.5}}],
         "scheduler: {type: constant}"),
    ],
)  # fmt: skip
def test_what_a_section_is_accused_of_comes_from_the_keys_it_names(preset, layers, told):
    named = [(f"mine{number}", layer) for number, layer in enumerate(layers)]
    with pytest.raises(SpecError) as caught:
        expand(DatasetRef("cc0"), preset=preset, overrides=named)
    assert caught.value.message.endswith(told)


def test_something_that_is_no_mapping_is_refused():
    with pytest.raises(SpecError, match="key: value"):
        validate([1, 2], "here")  # type: ignore[arg-type]


def test_the_error_class_of_a_user_is_a_spec_error_for_the_cli():
    with pytest.raises(SpecError):
        validate({"name": "x"}, "here")


@pytest.mark.parametrize(
    ("layer", "message", "hint"),
    [
        ({"trian": {}}, "trian: unknown key (from custom_overrides)", "did you mean 'train'?"),
        ({"train": {"optimg": {}}}, "train.optimg: unknown key (from custom_overrides)", "'optim_g'"),
        ({"trian": {"optim_g": {}}}, "trian: unknown key", "did you mean 'train'?"),
        ({"train": {"total_iter": {}}}, "train.total_iter: ", ""),
        ({"network_g": {"type": "compact", "arguments": {}}}, "network_g.arguments: unknown key", ""),
    ],
)
def test_an_empty_section_that_nobody_knows_is_refused_like_any_unknown_key(layer, message, hint):
    raw = expand(CC0).spec.model_dump(mode="json")
    for laid in (
        lambda: expand(CC0, overrides=[("custom_overrides", layer)]),
        lambda: complete(raw, "file", overrides=[("custom_overrides", layer)]),
    ):
        with pytest.raises(SpecError) as caught:
            laid()
        assert message in str(caught.value)
        assert hint in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [
        {},
        {"train": {}, "val": {}, "logger": {}, "path": {}, "compute": {}, "network_g": {}, "datasets": {}},
        {"train": {"val": {}, "optim_g": {}, "scheduler": {}, "training_automations": {}}},
        {"datasets": {"train": {"degradations": {}}, "val": {}}},
    ],
)
def test_an_empty_section_changes_nothing(layer):
    plain = expand(CC0)
    given = expand(CC0, overrides=[("custom_overrides", layer)])
    assert (given.spec, given.origins) == (plain.spec, plain.origins)
    least = {
        "name": "least",
        "network_g": {"type": "compact"},
        "datasets": {"train": {"name": "cc0"}},
        "train": {"total_iter": 10},
    }
    assert complete(least, "file", overrides=[("mine", layer)]) == complete(least, "file")


@pytest.mark.parametrize("layer", [[1], "train", 5, None])
def test_a_partial_spec_that_is_no_mapping_is_told_with_an_example(layer):
    with pytest.raises(SpecError) as caught:
        expand(CC0, overrides=[("custom_overrides", layer)])
    assert f"not {layer!r}" in str(caught.value)
    assert "'total_iter': 5000" in str(caught.value)
    assert caught.value.where == "custom_overrides"
