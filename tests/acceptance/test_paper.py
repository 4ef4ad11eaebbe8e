"""Every YAML and Python snippet of the paper works as printed (folders put in)."""

import ast
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from srqueue import create_zero_config_training
from srqueue.errors import DataError, SpecError
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.layers import get_path, leaves, normalised
from srqueue.spec.reading import read_yaml
from srqueue.spec.validate import validate

FIRST_CALL = """
config = create_zero_config_training(
    architecture="paragonsr2_nano",
    # ... your paths
)

# Auto-generated settings:
- total_iter: 40000
- lr: 2e-4
- patience: 2000
- val_freq: 1000
"""

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

LAST_CALL = """
# Fidelity-optimized for your specific case:
fidelity_config = create_zero_config_training(
    architecture="paragonsr2_nano",
    dataset_gt_path="/home/phips/Documents/dataset/cc0/hr",
    dataset_lq_path="/home/phips/Documents/dataset/cc0/lr_x2_bicubic_aa",
    custom_overrides={
        "train": {
            "total_iter": 100000,      # Very long training
            "optim_g": {
                "lr": 5e-5             # Very slow, careful learning
            },
            "training_automations": {
                "IntelligentEarlyStopping": {
                    "patience": 8000,   # Extremely patient
                    "min_improvement": 0.0002
                },
                "IntelligentLearningRateScheduler": {
                    "plateau_patience": 3000,
                    "min_lr_factor": 0.7
                }
            },
            "val": {
                "val_freq": 200        # Very frequent validation
            }
        }
    }
)
"""

CC0 = DatasetRef("cc0", None, 2, "cc0", None)


def keywords(call):
    """Keyword arguments of the one call in a snippet of Python."""
    (node,) = [n for n in ast.walk(ast.parse(call)) if isinstance(n, ast.Call)]
    assert node.func.id == "create_zero_config_training"
    return {k.arg: ast.literal_eval(k.value) for k in node.keywords}


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
    printed = keywords(LAST_CALL)
    hr, lr = folders
    assert (Path(printed["dataset_gt_path"]).name, Path(printed["dataset_lq_path"]).name) == (
        hr.name,
        lr.name,
    )
    config = create_zero_config_training(
        **{**printed, "dataset_gt_path": str(hr), "dataset_lq_path": str(lr)}
    )
    assert config["train"]["total_iter"] == 100000
    assert config["train"]["optim_g"]["lr"] == 5e-5
    automations = config["train"]["training_automations"]
    stopping, cutting = (
        automations[name] for name in ("IntelligentEarlyStopping", "IntelligentLearningRateScheduler")
    )
    assert (stopping["patience"], stopping["min_improvement"]) == (8000, 0.0002)
    assert (cutting["plateau_patience"], cutting["min_lr_factor"]) == (3000, 0.7)
    assert config["val"]["val_freq"] == 200
    assert config["scale"] == 2
    assert config["train"]["warmup_iter"] == 1000, "convenience, not fidelity, lies underneath"
    assert validate(config, "config").datasets.val.name == config["datasets"]["train"]["name"]


def test_the_last_calls_overrides_are_the_max_fidelity_preset():
    overrides = keywords(LAST_CALL)["custom_overrides"]
    spec = expand(CC0, preset="max-fidelity").spec.model_dump(mode="json")
    stated = dict(leaves(normalised(overrides, "the paper")))
    assert {path: get_path(spec, path) for path in stated} == stated


def test_the_papers_first_call_gives_its_auto_generated_settings(folders):
    call, _, settings = FIRST_CALL.partition("# Auto-generated settings:")
    config = create_zero_config_training(
        **keywords(call), dataset_gt_path=folders[0], dataset_lq_path=folders[1]
    )
    places = {"total_iter": "train", "lr": "train.optim_g", "val_freq": "val",
              "patience": "train.training_automations.IntelligentEarlyStopping"}  # fmt: skip
    stated = {key: value for line in read_yaml(settings, "the paper") for key, value in line.items()}
    assert stated.keys() == places.keys()
    assert {key: get_path(config, f"{places[key]}.{key}") for key in stated} == stated


def test_explain_tells_where_every_value_comes_from(folders, capsys):
    config = create_zero_config_training(
        "compact", *folders, custom_overrides={"manual_seed": 7}, explain=True
    )
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if "  # " in line]
    assert read_yaml("\n".join(lines[:1]), "stderr")
    assert len(lines) >= len(list(leaves(config)))
    origins = {line.split(":")[0].strip(): line.partition("  # ")[2] for line in reversed(lines)}
    assert origins["manual_seed"] == "custom_overrides"
    assert origins["total_iter"] == "preset convenience"
    (network,) = [line for line in lines if line.strip().startswith("type: compact")]
    assert network.endswith("  # argument architecture")
    assert origins["threads"].startswith("derived: ")
    plain = create_zero_config_training("compact", *folders, custom_overrides={"manual_seed": 7})
    assert plain == config
    assert "  # " not in capsys.readouterr().err


def test_another_preset_may_lie_underneath(folders):
    config = create_zero_config_training("compact", *folders, preset="tuned")
    assert config["train"]["optim_g"]["type"] == "SOAP"
    with pytest.raises(SpecError, match="did you mean 'tuned'"):
        create_zero_config_training("compact", *folders, preset="tunde")


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
