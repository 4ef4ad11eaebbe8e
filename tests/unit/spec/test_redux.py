"""YAML of traiNNer-redux becomes a partial spec; whatever is lost is said."""

import pytest

from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.originals import ORIGINALS
from srqueue.spec.reading import read_yaml
from srqueue.spec.redux import imported

FIDELITY = """
name: 2x_Compact Fidelity!
scale: 2
use_amp: true
amp_bf16: true
use_channels_last: true
fast_matmul: false
use_compile: false
compile_mode: default
num_gpu: auto
manual_seed: 7
datasets:
  train:
    name: Train Dataset
    type: pairedimagedataset
    dataroot_gt: [data/hr, data/hr2]
    dataroot_lq: [data/lr, data/lr2]
    lq_size: 96
    use_hflip: true
    use_rot: false
    num_worker_per_gpu: 8
    batch_size_per_gpu: 16
    accum_iter: 2
  val:
    name: Val Dataset
    type: pairedimagedataset
    dataroot_gt: data/val/hr
    dataroot_lq: data/val/lr
network_g:
  type: compact
path:
  pretrain_network_g: start.safetensors
  param_key_g: ~
  strict_load_g: true
  resume_state: ~
train:
  ema_decay: 0.999
  ema_power: 0.75
  grad_clip: false
  optim_g:
    type: AdamW
    lr: !!float 2e-4
    weight_decay: 0
    betas: [0.9, 0.99]
  scheduler:
    type: MultiStepLR
    milestones: [100000, 200000, 300000]
    gamma: 0.5
  total_iter: 250000
  warmup_iter: -1
  losses:
    - type: charbonnierloss
      loss_weight: 1.0
    - type: mssimloss
      loss_weight: 0.08
    - type: ganloss
      gan_type: vanilla
      loss_weight: 0
val:
  val_enabled: true
  val_freq: 1000
  save_img: true
  tile_size: 0
  metrics_enabled: true
  metrics:
    psnr: {type: calculate_psnr, crop_border: 4, test_y_channel: false}
logger:
  print_freq: 50
  save_checkpoint_freq: 1000
  save_checkpoint_format: safetensors
  use_tb_logger: true
"""


def read(text):
    return imported(read_yaml(text, "old.yml"))


def expanded(found):
    return expand(DatasetRef("photos"), overrides=[("old.yml", found.spec)]).spec


def test_a_fidelity_yaml_is_carried_over_value_by_value():
    found = read(FIDELITY)
    spec = expanded(found)
    assert spec.name == "2x_Compact-Fidelity"
    assert (spec.scale, spec.manual_seed) == (2, 7)
    assert (spec.network_g.type, spec.network_g.num_feat, spec.network_g.num_conv) == ("compact", 64, 16)
    train = spec.datasets.train
    assert (train.lq_size, train.batch_size, train.accum_iter) == (96, 16, 2)
    assert (train.use_hflip, train.use_rot) == (True, False)
    assert spec.train.optim_g.model_dump() == {
        "type": "AdamW", "lr": 2e-4, "weight_decay": 0, "betas": (0.9, 0.99)
    }  # fmt: skip
    assert (spec.train.total_iter, spec.train.warmup_iter, spec.train.ema_decay) == (250000, 0, 0.999)
    assert spec.train.scheduler.model_dump() == {
        "type": "multistep", "milestones": (100000, 200000), "gamma": 0.5
    }  # fmt: skip
    assert [(loss.type, loss.loss_weight) for loss in spec.train.losses] == [
        ("charbonnier", 1), ("ms_ssim", 0.08)
    ]  # fmt: skip
    assert spec.train.losses[0].eps == pytest.approx(1e-6), "theirs is sqrt(d^2 + 1e-12)"
    assert (spec.val.val_freq, spec.logger.print_freq) == (1000, 50)
    assert (spec.compute.precision, spec.compute.channels_last) == ("bf16", True)
    assert spec.path.pretrain_network_g == "start.safetensors"
    assert found.folders == {
        "train": (["data/hr", "data/hr2"], ["data/lr", "data/lr2"]),
        "val": (["data/val/hr"], ["data/val/lr"]),
    }


def test_nothing_of_a_preset_slips_into_a_run_that_had_it_not():
    spec = expanded(
        read("scale: 2\nnetwork_g: {type: compact}\ntrain: {total_iter: 9000, optim_g: {lr: 1e-3}}")
    )
    assert not spec.train.training_automations.enabled
    assert not spec.train.dynamic_loss_scheduling.enabled
    assert (spec.train.ema_decay, spec.train.grad_clip, spec.train.warmup_iter) == (0, False, 0)
    assert spec.train.scheduler.type == "constant"
    assert spec.train.optim_g.weight_decay == 0.01
    assert spec.train.optim_g.betas == (0.9, 0.999), "torch's, which counted there"


def test_what_changes_the_result_and_is_lost_is_told_and_nothing_else():
    found = read(FIDELITY)
    assert set(found.lost) == {"val.save_img", "logger.save_checkpoint_freq"}
    assert {"datasets.train.num_worker_per_gpu", "train.ema_power"} <= found.needless.keys()


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("network_d: {type: dunet}", "network_d.type", "GAN"),
        ("train: {optim_d: {type: AdamW, lr: 1}}", "train.optim_d.lr", "GAN"),
        ("train: {losses: [{type: ganloss, loss_weight: 0.1}]}", "train.losses.0 (ganloss)", "GAN"),
        ("train: {losses: [{type: perceptualloss}]}", "train.losses.0 (perceptualloss)", "perceptual"),
        ("train: {losses: [{type: hsluvloss}]}", "train.losses.0 (hsluvloss)", "colour"),
        ("train: {losses: [{type: msssiml1loss}]}", "train.losses.0 (msssiml1loss)", "list ms_ssim and l1"),
        ("train: {perceptual_opt: {type: PerceptualLoss}}", "train.perceptual_opt (PerceptualLoss)", "per"),
        ("train: {losses: [{type: l9loss}]}", "train.losses.0 (l9loss)", "no such loss"),
        ("train: {optim_g: {type: adan_sf, lr: 1e-3}}", "train.optim_g", "the preset's stays"),
        ("train: {optim_g: {type: AdamW, lr: 1e-3, fused: true}}", "train.optim_g.fused", "argument"),
        ("train: {scheduler: {type: CyclicLR}}", "train.scheduler", "constant"),
        ("high_order_degradation: true", "high_order_degradation", "datasets.train.degradations"),
        ("{high_order_degradation: true, jpeg_range: [75, 95]}", "jpeg_range", "degradations"),
        ("{datasets: {train: {type: realesrgandataset}}}", "datasets.train.type", "pairs"),
        ("network_g: {type: swinir_l}", "network_g.type", "no network 'swinir_l'"),
        ("network_g: {type: compact, act_type: prelu}", "network_g.act_type", "no such argument"),
        ("scale: 8", "scale", "2, 3 or 4"),
        ("path: {pretrain_network_g: old.pth}", "path.pretrain_network_g", "safetensors"),
        ("path: {resume_state: 40000.state}", "path.resume_state", "starts from weights"),
        ("num_gpu: 4", "num_gpu", "one GPU"),
        ("train: {use_moa: true}", "train.use_moa", "MixUp"),
        ("train: {dynamic_loss_scheduling: {enabled: true, momentum: 0.9}}",
         "train.dynamic_loss_scheduling.momentum", "gradients"),
        ("train: {training_automations: {DynamicBatchSizeOptimizer: {enabled: true}}}",
         "train.training_automations.DynamicBatchSizeOptimizer", "another way"),
        ("brand_new_key: 1", "brand_new_key", "no such key"),
    ],
)  # fmt: skip
def test_each_key_that_is_lost_has_its_reason(text, key, why):
    found = read(text)
    assert key in found.lost
    assert why in found.lost[key]


@pytest.mark.parametrize(
    "text",
    [
        "{high_order_degradation: false, jpeg_range: [75, 95], lq_usm: false, queue_size: 120}",
        "train: {use_moa: false, moa_augs: [none, mixup]}",
        "train: {losses: [{type: distsloss, loss_weight: 0}]}",
        "{num_gpu: 1, fast_matmul: false, path: {resume_state: ~}}",
    ],
)
def test_what_is_switched_off_there_is_not_missed(text):
    assert read(text).lost == {}


def test_the_wrong_sign_of_ssimloss_is_told():
    found = read("train: {losses: [{type: l1loss, loss_weight: 1}, {type: ssimloss, loss_weight: 0.05}]}")
    assert found.spec["train"]["losses"][1] == {"type": "ssim", "loss_weight": 0.05}
    assert any("wrong sign" in note for note in found.notes)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("{type: ultracompact}", {"type": "compact", "num_feat": 64, "num_conv": 8}),
        ("{type: SuperUltraCompact}", {"type": "compact", "num_feat": 24, "num_conv": 8}),
        ("{type: compact, num_feat: 48}", {"type": "compact", "num_feat": 48, "num_conv": 16}),
        ("{type: span, feature_channels: 32}", {"type": "span", "num_feat": 32}),
        ("{type: edsr_m}", {"type": "edsr", "num_feat": 64, "num_block": 16}),
        ("{type: spandrel:DAT}", {"type": "spandrel", "name": "DAT"}),
        ("{type: paragonsr2_nano, upsampler_alpha: 0.2}", {"type": "paragonsr2_nano", "alpha": -0.2}),
        (
            "{type: paragonsr2_realtime, upsampler_alpha: 0.3, detail_gain: 0.05}",
            {"type": "paragonsr2_realtime", "alpha": -0.3, "detail_gain": 0.05},
        ),
        ("{type: paragonsr2_stream, upsampler_alpha: 0.0}", {"type": "paragonsr2_stream", "alpha": 0}),
        ("{type: paragonsr2_stream, upsampler_alpha: -0.4}", {"type": "paragonsr2_stream", "alpha": 0}),
        ("{type: paragonsr2_nano, alpha: 0.2}", {"type": "paragonsr2_nano", "alpha": -0.2}),
        ("{type: paragonsr2_stream, alpha: 0}", {"type": "paragonsr2_stream", "alpha": 0}),
    ],
)
def test_networks_are_found_by_their_names_there_and_nothing_of_them_is_lost(theirs, ours):
    found = read(f"network_g: {theirs}")
    assert found.spec["network_g"] == ours
    assert found.lost == {}
    whole = expanded(read(f"{{network_g: {theirs}, train: {{total_iter: 100}}}}"))
    assert whole.network_g.type == ours["type"]


def test_what_blurs_there_blurs_here_and_the_mended_defaults_are_told():
    mended, signs = "as it was there: alpha: -0.4, detail_gain: 0.05, layer_scale: 1e-05", "it is -0.4 here"
    plain = read("network_g: {type: paragonsr2_nano}")
    assert "alpha" not in plain.spec["network_g"]
    assert mended in " ".join(plain.notes)
    whole = read("network_g: {type: paragonsr2_nano, alpha: 0.4, detail_gain: 0.05, layer_scale: 1e-5}")
    assert whole.spec["network_g"] == {"type": "paragonsr2_nano", **ORIGINALS["paragonsr2_nano"]}
    assert signs in " ".join(whole.notes)
    assert mended not in " ".join(whole.notes)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("xl", "alpha: -0.6, detail_gain: 0.1, layer_scale: 1e-05"),
        ("micro", "alpha: -0.45, detail_gain: 0.08, layer_scale: 1e-05"),
        ("realtime", "alpha: -0.3, detail_gain: 0.05, layer_scale: 1e-05"),
        ("stream", "alpha: 0, detail_gain: 0.1, layer_scale: 1e-05"),
    ],
)
def test_each_network_is_told_what_it_was_itself_there(name, original):
    notes = read(f"network_g: {{type: paragonsr2_{name}}}").notes
    assert notes == [f"what is not said of the network is mended here; as it was there: {original}"]


@pytest.mark.parametrize("keys", ["alpha: 0.9, upsampler_alpha: 0.3", "upsampler_alpha: 0.3, alpha: 0.9"])
def test_of_two_alphas_the_one_that_was_read_there_counts(keys):
    assert read(f"network_g: {{type: paragonsr2_nano, {keys}}}").spec["network_g"]["alpha"] == -0.3


def test_the_sign_of_upsampler_alpha_is_told():
    read_it = [read(f"network_g: {{type: paragonsr2_s, upsampler_alpha: {v}}}").notes for v in (0.5, -0.4, 0)]
    assert "upsampler_alpha 0.5 there blurs: it is -0.5 here, where above 0 sharpens" in read_it[0]
    assert "upsampler_alpha -0.4 there does nothing: it is 0 here, where above 0 sharpens" in read_it[1]
    assert not any("upsampler_alpha" in note for note in read_it[2])


@pytest.mark.parametrize(
    ("network", "needless"),
    [
        ("{type: paragonsr2_nano, use_norm: false, use_channel_mod: false, fast_body_mode: true, "
         "use_attention: true, use_content_aware: true, use_channels_last: true}", 6),
        ("{type: paragonsr2_m, fast_body_mode: false, use_norm: true}", 2),
        ("{type: paragonsr2_xl, use_attention: true}", 1),
        ("{type: paragonsr2_stream, attention_mode: sdpa, export_safe: true, use_checkpointing: true}", 3),
    ],
)  # fmt: skip
def test_what_the_original_was_built_with_anyway_is_not_missed(network, needless):
    found = read(f"network_g: {network}")
    assert found.lost == {}
    assert len(found.needless) == needless


@pytest.mark.parametrize(
    ("network", "key", "default"),
    [
        ("{type: paragonsr2_nano, use_attention: false}", "use_attention", "use_attention true"),
        ("{type: paragonsr2_nano, use_norm: true}", "use_norm", "use_norm false"),
        ("{type: paragonsr2_s, fast_body_mode: false}", "fast_body_mode", "fast_body_mode true"),
        ("{type: paragonsr2_stream, use_norm: true}", "use_norm", "no such argument"),
    ],
)
def test_what_gives_an_original_other_tensors_is_lost_and_told(network, key, default):
    found = read(f"network_g: {network}")
    assert key not in found.spec["network_g"]
    assert default in found.lost[f"network_g.{key}"]


def test_an_unknown_network_is_not_replaced_by_the_presets():
    found = read("{network_g: {type: ESRGAN, num_block: 23}, train: {total_iter: 100}}")
    assert "known are compact, edsr" in found.lost["network_g.type"]
    assert "spandrel:NAME" in found.lost["network_g.type"]
    with pytest.raises(SpecError, match="no architecture 'ESRGAN'"):
        expanded(found)


@pytest.mark.parametrize(
    ("amp", "precision"),
    [("use_amp: false", "fp32"), ("use_amp: true", "fp16"), ("{use_amp: true, amp_bf16: true}", "bf16")],
)
def test_mixed_precision_has_one_name_here(amp, precision):
    assert read(amp).spec["compute"]["precision"] == precision


def test_old_keys_of_crop_and_losses_are_read():
    found = read("{scale: 4, datasets: {train: {gt_size: 128}}, train: {pixel_opt: {type: L1Loss}}}")
    assert found.spec["datasets"]["train"]["lq_size"] == 32
    assert found.spec["train"]["losses"] == [{"type": "l1", "loss_weight": 1.0}]


def test_a_cosine_keeps_its_floor():
    found = read("train: {optim_g: {type: Adam, lr: 1e-3}, scheduler: {type: CosineAnnealingLR, T_max: 9, "
                 "eta_min: 1e-5}}")  # fmt: skip
    assert found.spec["train"]["scheduler"]["min_factor"] == pytest.approx(0.01)
    assert any("ends with the run" in note for note in found.notes)


def test_schedule_free_takes_neither_average_nor_schedule():
    found = read("train: {total_iter: 900, ema_decay: 0.999, optim_g: {type: AdamWScheduleFree, lr: 1e-3}, "
                 "scheduler: {type: MultiStepLR, milestones: [500]}}")  # fmt: skip
    spec = expanded(found)
    assert (spec.train.optim_g.type, spec.train.ema_decay, spec.train.scheduler.type) == (
        "ScheduleFreeAdamW", 0, "constant"
    )  # fmt: skip
    assert {"train.ema_decay", "train.scheduler"} <= found.needless.keys()


def test_automations_of_the_same_name_are_kept():
    found = read(
        "train: {training_automations: {enabled: true, IntelligentEarlyStopping: "
        "{patience: 5000, min_improvement: 0.001, min_epochs: 5, monitor_metric: val/lpips}}}"
    )
    assert found.spec["train"]["training_automations"] == {
        "enabled": True,
        "IntelligentEarlyStopping": {"patience": 5000, "min_improvement": 0.001},
    }
    path = "train.training_automations.IntelligentEarlyStopping"
    assert {f"{path}.min_epochs", f"{path}.monitor_metric"} <= found.lost.keys()
    assert any("counts iterations" in note for note in found.notes)


@pytest.mark.parametrize(("theirs", "ours"), [("true", True), ("false", False), (None, True)])
def test_adaptive_clipping_stays_on_or_off_and_its_bounds_are_told(theirs, ours):
    """Where it does not say `enabled`, it is on there."""
    said = f"enabled: {theirs}, " if theirs else ""
    path = "train.training_automations.AdaptiveGradientClipping"
    found = read(
        "train: {total_iter: 900, training_automations: {enabled: true, AdaptiveGradientClipping: "
        f"{{{said}initial_threshold: 1.0, max_threshold: 10.0}}}}}}"
    )
    assert expanded(found).train.training_automations.AdaptiveGradientClipping.enabled is ours
    assert set(found.lost) == {f"{path}.initial_threshold", f"{path}.max_threshold"}
    assert all("usual norm" in why for why in found.lost.values())


def test_an_automation_that_is_not_known_is_told_as_such():
    found = read("train: {training_automations: {BrandNew: {enabled: true}}}")
    assert found.lost["train.training_automations.BrandNew"] == "there is no such automation here"


@pytest.mark.parametrize(
    "text", ["{}", "train: 5", "datasets: [1]", "network_g: compact", "train: {losses: 3}"]
)
def test_nonsense_is_no_crash(text):
    read(text)
