"""Every YAML and Python snippet of the paper works as printed (folders put in)."""

import pytest
from PIL import Image
from skimage import data

from srqueue import create_zero_config_training
from srqueue.errors import DataError, SpecError
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.reading import read_yaml
from srqueue.spec.validate import validate

FULL_FIDELITY = """
train:
  total_iter: 80000                    # Double training duration
  warmup_iter: 2000                    # Longer warmup

  optim_g:
    lr: 1e-4                          # Slower learning rate
    weight_decay: 5e-5                # Slightly less regularization

  training_automations:
    enabled: true

    IntelligentLearningRateScheduler:
      enabled: true
      plateau_patience: 2000          # Wait longer
      improvement_threshold: 0.0005    # More sensitive to small improvements
      min_lr_factor: 0.5              # Keep LR higher

    IntelligentEarlyStopping:
      patience: 5000                  # Much more patient
      min_improvement: 0.0005         # Detect smaller improvements
      monitor_metric: "val/psnr"

  # Keep other automations but with more conservative settings
  dynamic_loss_scheduling:
    enabled: true
    auto_calibrate: true
    # Slower adaptation for more stable optimization
"""

CONVERSION = """
# Add these overrides to your zero-config:
train:
  total_iter: 80000                    # Double training duration
  optim_g:
    lr: 1e-4                          # Slower learning rate

  training_automations:
    IntelligentEarlyStopping:
      patience: 5000                  # Much more patient
      min_improvement: 0.0005         # Detect smaller improvements

    IntelligentLearningRateScheduler:
      plateau_patience: 2000          # Wait longer before LR reduction
      min_lr_factor: 0.5              # Keep LR higher

  val:
    val_freq: 500                     # Validate more frequently
"""

LAST_EXAMPLE = {
    "train": {
        "total_iter": 100000,
        "optim_g": {"lr": 5e-5},
        "training_automations": {
            "IntelligentEarlyStopping": {"patience": 8000, "min_improvement": 0.0002},
            "IntelligentLearningRateScheduler": {"plateau_patience": 3000, "min_lr_factor": 0.7},
        },
        "val": {"val_freq": 200},
    }
}
CC0 = DatasetRef("cc0", None, 2, "cc0", None)


def test_the_full_fidelity_yaml_over_zero_config_is_the_fidelity_preset_but_for_validation():
    ours = expand(CC0, overrides=[("paper", read_yaml(FULL_FIDELITY, "paper"))]).spec
    preset = expand(CC0, preset="fidelity").spec
    assert ours.train == preset.train
    assert (ours.val.val_freq, preset.val.val_freq) == (1000, 500)


def test_the_conversion_yaml_works_with_val_under_train():
    ours = expand(CC0, overrides=[("paper", read_yaml(CONVERSION, "paper"))]).spec
    assert (ours.train.total_iter, ours.train.optim_g.lr, ours.val.val_freq) == (80000, 1e-4, 500)
    assert ours.train.warmup_iter == 1000


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """HR and LR x2 folders of real pictures, and a registry of their own."""
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SRQUEUE_DATASETS", str(tmp_path / "config/datasets.yaml"))
    hr, lr = tmp_path / "cc0/hr", tmp_path / "cc0/lr_x2_bicubic_aa"
    hr.mkdir(parents=True)
    lr.mkdir()
    astronaut = Image.fromarray(data.astronaut())
    for i, (x, y) in enumerate([(0, 0), (200, 0), (0, 200), (200, 200)]):
        crop = astronaut.crop((x, y, x + 160, y + 160))
        crop.save(hr / f"{i}.png")
        crop.resize((80, 80), Image.Resampling.BICUBIC).save(lr / f"{i}.png")
    return hr, lr


def test_the_papers_last_python_call_works_as_printed(folders):
    hr, lr = folders
    config = create_zero_config_training(
        architecture="paragonsr2_nano",
        dataset_gt_path=str(hr),
        dataset_lq_path=str(lr),
        custom_overrides=LAST_EXAMPLE,
    )
    assert config["train"]["total_iter"] == 100000
    assert config["train"]["optim_g"]["lr"] == 5e-5
    assert config["train"]["training_automations"]["IntelligentEarlyStopping"]["patience"] == 8000
    assert config["val"]["val_freq"] == 200
    assert config["scale"] == 2
    assert config["train"]["warmup_iter"] == 1000, "convenience, not fidelity, lies underneath"
    assert validate(config, "config").datasets.val.name == config["datasets"]["train"]["name"]


def test_the_papers_first_call_gives_its_auto_generated_settings(folders):
    config = create_zero_config_training("paragonsr2_nano", *folders)
    assert config["train"]["total_iter"] == 40000
    assert config["train"]["optim_g"]["lr"] == 2e-4
    assert config["train"]["training_automations"]["IntelligentEarlyStopping"]["patience"] == 2000
    assert config["val"]["val_freq"] == 1000


def test_the_same_folders_are_the_same_data_set_the_second_time(folders):
    first = create_zero_config_training("compact", *folders)
    second = create_zero_config_training("compact", *folders)
    assert first == second


def test_wrong_folders_and_names_are_told_before_anything_is_queued(folders, tmp_path):
    with pytest.raises(DataError):
        create_zero_config_training("paragonsr2_nano", tmp_path / "nowhere", None)
    with pytest.raises(SpecError, match="did you mean 'paragonsr2_nano'"):
        create_zero_config_training("paragonsr2_nan", *folders)
    with pytest.raises(SpecError, match="unknown key"):
        create_zero_config_training("compact", *folders, custom_overrides={"train": {"totl_iter": 5}})
