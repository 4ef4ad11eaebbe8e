"""Presets expand to the paper's values, and every value says where it came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef, expand, set_value
from srqueue.spec.job import JobSpec, spec_id
from srqueue.spec.optimizers import MuonSpec
from srqueue.spec.presets import architecture_names, load_architecture, load_preset, preset_names
from srqueue.spec.schedules import CosineSpec

CC0 = DatasetRef("cc0", identity="a" * 64, scale=2, val_name="cc0", val_identity="a" * 64)
STOP = "train.training_automations.IntelligentEarlyStopping"
RATE = "train.training_automations.IntelligentLearningRateScheduler"


def value(spec: JobSpec, path: str):
    node = spec.model_dump(mode="json")
    for key in path.split("."):
        node = node[key]
    return node


# The paper's "Key Parameter Differences", its two full configurations and its last example.
PAPER = {
    "convenience": {
        "train.total_iter": 40000, "train.optim_g.lr": 2e-4, f"{STOP}.patience": 2000,
        f"{RATE}.plateau_patience": 1000, f"{RATE}.min_lr_factor": 0.1, "val.val_freq": 1000,
    },
    "fidelity": {
        "train.total_iter": 80000, "train.warmup_iter": 2000, "train.optim_g.lr": 1e-4,
        "train.optim_g.weight_decay": 5e-5, f"{STOP}.patience": 5000, f"{STOP}.min_improvement": 0.0005,
        f"{STOP}.monitor_metric": "val/psnr", f"{RATE}.plateau_patience": 2000,
        f"{RATE}.improvement_threshold": 0.0005, f"{RATE}.min_lr_factor": 0.5, "val.val_freq": 500,
        "train.dynamic_loss_scheduling.enabled": True, "train.dynamic_loss_scheduling.auto_calibrate": True,
    },
    "max-fidelity": {
        "train.total_iter": 100000, "train.optim_g.lr": 5e-5, f"{STOP}.patience": 8000,
        f"{STOP}.min_improvement": 0.0002, f"{RATE}.plateau_patience": 3000, f"{RATE}.min_lr_factor": 0.7,
        "val.val_freq": 200, "train.warmup_iter": 2000, "train.optim_g.weight_decay": 5e-5,
    },
}  # fmt: skip


@pytest.mark.parametrize("preset", PAPER)
def test_a_preset_holds_exactly_the_papers_values(preset):
    spec = expand(CC0, preset=preset).spec
    assert {path: value(spec, path) for path in PAPER[preset]} == PAPER[preset]
    assert spec.network_g.type == "paragonsr2_nano"


def test_convenience_fills_what_the_paper_leaves_open_as_decided():
    spec = expand(CC0).spec
    assert spec.train.warmup_iter == 1000
    assert spec.train.optim_g.weight_decay == 1e-4
    assert [(loss.type, loss.loss_weight) for loss in spec.train.losses] == [("l1", 1.0), ("ssim", 0.05)]
    assert spec.train.ema_decay == 0.999
    assert (spec.datasets.train.batch_size, spec.datasets.train.lq_size) == (16, 64)
    assert spec.train.scheduler.type == "constant"
    assert value(spec, f"{RATE}.improvement_threshold") == 0.001
    assert value(spec, f"{STOP}.min_improvement") == 0.001


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("architecture", [None, *architecture_names()])
def test_every_preset_expands_for_every_architecture(preset, architecture):
    expanded = expand(CC0, preset=preset, architecture=architecture)
    if architecture:
        assert expanded.spec.network_g.type == load_architecture(architecture).tree["network_g"]["type"]
    assert JobSpec.model_validate_json(expanded.spec.model_dump_json()) == expanded.spec


def test_every_preset_says_what_it_is_for():
    assert all(load_preset(name).description for name in preset_names())


def test_later_layers_win_and_each_value_keeps_its_origin():
    over = {"train": {"optim_g": {"lr": 5e-5}}}
    expanded = expand(
        CC0, preset="fidelity", overrides=[("mine.yaml", over), ("flag --set", set_value("val.val_freq=200"))]
    )
    assert expanded.spec.train.optim_g.lr == 5e-5
    assert expanded.origins["train.optim_g.lr"] == "mine.yaml"
    assert expanded.origins["val.val_freq"] == "flag --set"
    assert expanded.origins["train.total_iter"] == "preset fidelity"
    assert expanded.origins["train.ema_decay"] == "preset convenience"
    assert expanded.origins["datasets.train.identity"] == "data set cc0"


def test_a_shorter_run_scales_the_presets_own_lengths_and_says_so():
    expanded = expand(CC0, preset="fidelity", overrides=[("flag --set", set_value("train.total_iter=8000"))])
    spec = expanded.spec
    assert spec.train.warmup_iter == 200
    assert value(spec, f"{STOP}.patience") == 500
    assert value(spec, f"{RATE}.plateau_patience") == 200
    assert spec.val.val_freq == 50
    assert expanded.origins["train.warmup_iter"].startswith("scaled: ")
    assert expanded.origins["val.val_freq"].startswith("scaled: ")


def test_what_the_user_set_is_not_scaled():
    overrides = [
        ("flag --set", set_value("train.total_iter=8000")),
        ("flag --set", set_value("val.val_freq=500")),
    ]
    expanded = expand(CC0, preset="fidelity", overrides=overrides)
    assert expanded.spec.val.val_freq == 500
    assert expanded.origins["val.val_freq"] == "flag --set"


def test_what_the_user_set_is_checked():
    overrides = [
        ("flag --set", set_value("train.total_iter=800")),
        ("mine.yaml", {"train": {"warmup_iter": 900}}),
    ]
    with pytest.raises(SpecError, match=r"warmup_iter \(900\) must be less than train.total_iter \(800\)"):
        expand(CC0, overrides=overrides)


def test_a_longer_run_keeps_the_presets_lengths():
    expanded = expand(CC0, overrides=[("flag --set", set_value("train.total_iter=400000"))])
    assert expanded.spec.train.warmup_iter == 1000
    assert expanded.spec.val.val_freq == 1000


@given(st.integers(min_value=2, max_value=79_999))
def test_no_length_of_run_breaks_a_presets_proportions(total):
    spec = expand(CC0, preset="fidelity", overrides=[("flag", {"train": {"total_iter": total}})]).spec
    assert 1 <= spec.train.warmup_iter < total or total == 1
    assert 1 <= spec.val.val_freq <= total


VAL = "datasets.val.identity"


@pytest.mark.parametrize(
    ("layers", "identity"),
    [
        ([{"datasets": {"val": {"name": "other"}}}], None),
        ([{"datasets": {"val": {"name": "other", "identity": "b" * 64}}}], "b" * 64),
        ([{"datasets": {"val": {"name": "cc0"}}}], "a" * 64),
        ([{"datasets": {"val": {"identity": "b" * 64}}}, {"datasets": {"val": {"name": "other"}}}], None),
    ],
)
def test_another_data_set_does_not_keep_the_identity_of_the_one_before(layers, identity):
    expanded = expand(CC0, overrides=[(f"mine{n}", layer) for n, layer in enumerate(layers)])
    assert expanded.spec.datasets.val.identity == identity
    assert expanded.spec.datasets.train.identity == "a" * 64


def test_flags_of_one_command_line_may_come_in_any_order():
    flags = [set_value(f"{VAL}={'b' * 64}"), set_value("datasets.val.name=other")]
    for order in (flags, flags[::-1]):
        spec = expand(CC0, overrides=[("flag --set", layer) for layer in order]).spec
        assert (spec.datasets.val.name, spec.datasets.val.identity) == ("other", "b" * 64)


def test_other_weights_do_not_keep_the_hash_of_those_before():
    before = ("job x", {"path": {"pretrain_network_g": "a.safetensors", "pretrain_sha256": "a" * 64}})
    other = ("flag --set", set_value("path.pretrain_network_g=b.safetensors"))
    assert expand(CC0, overrides=[before]).spec.path.pretrain_sha256 == "a" * 64
    assert expand(CC0, overrides=[before, other]).spec.path.pretrain_sha256 is None


@pytest.mark.parametrize(
    ("preset", "architecture", "told"),
    [("tuned", "compact", None), ("tuned", None, None), ("convenience", "edsr", None),
     ("tuned", "edsr", "not for edsr"), ("tuned", "edsr_full", "not for edsr"),
     ("tuned", "spandrel:DAT", "not for spandrel:DAT"), ("quick", None, None),
     ("quick", "edsr", "not for edsr")],
)  # fmt: skip
def test_a_recipe_for_a_network_that_it_was_not_measured_for_is_told(preset, architecture, told):
    found = [n for n in expand(CC0, preset=preset, architecture=architecture).notices if "recipe of" in n]
    assert len(found) == (told is not None)
    if told:
        assert "was measured for compact and paragonsr2_nano" in found[0]
        assert told in found[0]


def test_val_is_read_under_train_as_the_paper_prints_it():
    for layer in ({"train": {"val": {"val_freq": 123}}}, {"val": {"val_freq": 123}}):
        assert expand(CC0, overrides=[("mine.yaml", layer)]).spec.val.val_freq == 123


def test_val_given_twice_with_two_values_is_refused():
    layer = {"train": {"val": {"val_freq": 123}}, "val": {"val_freq": 200}}
    with pytest.raises(SpecError, match="stands twice"):
        expand(CC0, overrides=[("mine.yaml", layer)])


def test_arguments_of_the_presets_own_network_do_not_reach_another():
    expanded = expand(CC0, preset="quick", architecture="paragonsr2_nano")
    assert expanded.spec.network_g.type == "paragonsr2_nano"


def test_an_override_may_name_the_network():
    spec = expand(CC0, overrides=[("mine.yaml", {"network_g": {"type": "compact", "num_feat": 16}})]).spec
    assert (spec.network_g.type, spec.network_g.num_feat) == ("compact", 16)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(SpecError, match="did you mean 'fidelity'"):
        expand(CC0, preset="fidelty")
    with pytest.raises(SpecError, match="did you mean 'compact'"):
        expand(CC0, architecture="compct")


def test_a_scale_that_does_not_fit_the_pairs_is_refused():
    with pytest.raises(SpecError, match="are x2, the spec asks for x4"):
        expand(CC0, overrides=[("flag --set", set_value("scale=4"))])
    assert expand(DatasetRef("hr-only"), overrides=[("flag --set", set_value("scale=4"))]).spec.scale == 4


def test_the_id_names_what_influences_training_and_nothing_else():
    plain = expand(CC0)
    renamed = expand(CC0, name="other")
    reported = expand(CC0, overrides=[("f", {"logger": {"print_freq": 7}})])
    seeded = expand(CC0, overrides=[("f", {"manual_seed": 7})])
    same_pictures = expand(DatasetRef("other", "a" * 64, 2, "other", "a" * 64))
    other_pictures = expand(DatasetRef("cc0", "b" * 64, 2, "cc0", "b" * 64))
    same_as_first = {spec_id(e.spec) for e in (plain, renamed, reported, same_pictures)}
    assert same_as_first == {spec_id(plain.spec)}
    assert len({spec_id(e.spec) for e in (plain, seeded, other_pictures)}) == 3


@given(
    st.floats(min_value=1e-6, max_value=1),
    st.integers(min_value=2001, max_value=10**7),
    st.integers(0, 2**40),
)
def test_a_spec_survives_the_round_trip_with_its_id(lr, total, seed):
    layer = {"manual_seed": seed, "train": {"total_iter": total, "optim_g": {"lr": lr}}}
    spec = expand(CC0, overrides=[("f", layer)]).spec
    again = JobSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert spec_id(again) == spec_id(spec)


def test_another_type_begins_its_section_anew():
    """The rate of SOAP and the floor of its decay mean nothing to what takes their place."""
    changes = {"train": {"optim_g": {"type": "Muon"}, "scheduler": {"type": "cosine"}}}
    spec = expand(DatasetRef("cc0"), preset="quick", overrides=[("mine.yaml", changes)]).spec
    assert spec.train.optim_g == MuonSpec()
    assert spec.train.scheduler == CosineSpec()
