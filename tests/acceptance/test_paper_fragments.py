"""The paper's side-by-side fragments, each against the preset that it describes."""

import re
from pathlib import Path

import pytest

from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.layers import get_path, leaves, set_path
from srqueue.spec.reading import read_yaml

TRAINING_DURATION = """
# Convenience-Optimized (Faster)
total_iter: 40000          # 8-12 hours

# Fidelity-Optimized (Higher Quality)
total_iter: 80000          # 20-30 hours
"""

LEARNING_RATES = """
# Convenience-Optimized (Faster Convergence)
optim_g:
  lr: 2e-4                 # Faster initial learning

# Fidelity-Optimized (Finer Optimization)
optim_g:
  lr: 1e-4                 # Slower, more careful learning
"""

EARLY_STOPPING_PATIENCE = """
# Convenience-Optimized (Stop Earlier)
IntelligentEarlyStopping:
  patience: 2000           # Stop if no improvement for 2000 iterations

# Fidelity-Optimized (More Patient)
IntelligentEarlyStopping:
  patience: 5000           # Wait much longer for improvement
"""

LEARNING_RATE_ADJUSTMENTS = """
# Convenience-Optimized (Aggressive)
IntelligentLearningRateScheduler:
  plateau_patience: 1000   # Reduce LR after 1000 iterations
  min_lr_factor: 0.1       # Allow LR to drop to 10%

# Fidelity-Optimized (Conservative)
IntelligentLearningRateScheduler:
  plateau_patience: 2000   # Wait longer before reducing LR
  min_lr_factor: 0.5       # Keep LR higher for longer
"""

VALIDATION_FREQUENCY = """
# Convenience-Optimized (Less Computation)
val_freq: 1000             # Validate every 1000 iterations

# Fidelity-Optimized (Better Monitoring)
val_freq: 500              # Validate more frequently for better tracking
"""

PAPER = Path(__file__).parents[3] / "shared/reference/convenience-vs-fidelity.md"
CC0 = DatasetRef("cc0", None, 2, "cc0", None)

# Each side-by-side fragment and where in a spec it belongs.
FRAGMENTS = {
    "training duration": (TRAINING_DURATION, "train"),
    "learning rates": (LEARNING_RATES, "train"),
    "early stopping patience": (EARLY_STOPPING_PATIENCE, "train.training_automations"),
    "learning rate adjustments": (LEARNING_RATE_ADJUSTMENTS, "train.training_automations"),
    "validation frequency": (VALIDATION_FREQUENCY, "val"),
}


def side(fragment, word):
    """The values under `# Convenience-Optimized ...` or `# Fidelity-Optimized ...`."""
    parts = re.split(r"^# (\w+)-Optimized.*$", fragment, flags=re.M)[1:]
    return read_yaml(dict(zip(parts[::2], parts[1::2], strict=True))[word], "the paper")


@pytest.mark.parametrize("what", FRAGMENTS)
@pytest.mark.parametrize(("word", "preset"), [("Convenience", "convenience"), ("Fidelity", "fidelity")])
def test_each_side_by_side_fragment_is_what_its_preset_holds(what, word, preset):
    fragment, section = FRAGMENTS[what]
    spec = expand(CC0, preset=preset).spec.model_dump(mode="json")
    stated = dict(leaves(side(fragment, word)))
    assert stated
    assert {path: get_path(spec, f"{section}.{path}") for path in stated} == stated


@pytest.mark.parametrize("what", FRAGMENTS)
def test_the_fidelity_side_of_a_fragment_is_an_override_of_zero_config(what):
    fragment, section = FRAGMENTS[what]
    layer = {}
    set_path(layer, section, side(fragment, "Fidelity"))
    expanded = expand(CC0, overrides=[("the paper", layer)])
    assert {path for path, origin in expanded.origins.items() if origin == "the paper"} == {
        path for path, _ in leaves(layer)
    }


def test_no_snippet_of_the_paper_is_left_out():
    if not PAPER.is_file():
        pytest.skip(f"the paper is not at {PAPER}")
    printed = re.findall(r"```(?:yaml|python)\n(.*?)```", PAPER.read_text(), re.S)
    tested = "".join(file.read_text() for file in Path(__file__).parent.glob("test_paper*.py"))
    assert len(printed) == 9
    assert [text for text in printed if text.strip() not in tested] == []
