"""The rules of the house, checked on the tree itself."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from srqueue.spec.networks import NETWORK_TYPES, SPANDREL
from srqueue.spec.presets import architecture_names, load_preset

ROOT = Path(__file__).parents[2]
CODE = sorted([*ROOT.glob("srqueue/**/*.py"), *ROOT.glob("workers/**/*.py")])


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_the_import_contracts_hold():
    # In a process of its own: it switches off all loggers that are there, and with them other tests' logs.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_stay_small():
    sizes = [n for n in map(lines, CODE) if n > 3]
    assert statistics.median(sizes) <= 120
    assert [p.relative_to(ROOT) for p in CODE if lines(p) > 400] == []


def test_no_module_is_a_drawer():
    banned = re.compile(r"util|common|helper|misc|manager")
    assert [p.name for p in CODE if banned.search(p.stem)] == []


def test_every_module_says_what_it_is_in_its_first_line():
    silent = [p for p in CODE if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))]
    assert [str(p.relative_to(ROOT)) for p in silent] == []


def calls(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_nothing_unpickles_and_nothing_runs_a_shell():
    for path in CODE:
        assert not re.search(r"^\s*(import|from) (pickle|shelve|marshal|dill)\b", path.read_text(), re.M), (
            path
        )
        assert not calls(path) & {
            "torch.load",
            "torch.save",
            "eval",
            "exec",
            "os.system",
            "yaml.unsafe_load",
        }, path
        assert "shell=True" not in path.read_text(), path


def test_nothing_unpacks_an_archive():
    """Members, links and sizes of one that is brought would all have to be looked at."""
    for path in CODE:
        assert not re.search(r"^\s*(import|from) tarfile\b", path.read_text(), re.M), path
        opened = {call.rpartition(".")[2] for call in calls(path)}
        assert not opened & {"ZipFile", "extractall", "unpack_archive"}, path


def test_nothing_in_training_draws_from_a_global_generator():
    """What a step trains on must be a pure function of (seed, iteration, slot)."""
    for path in ROOT.glob("workers/trainer/**/*.py"):
        drawn = {
            c
            for c in calls(path)
            if re.match(r"(random|np\.random|numpy\.random|torch)\.(rand|shuffle|choice)", c)
        }
        assert drawn == set(), path


def test_each_network_of_the_specs_has_an_architecture_file_and_a_class():
    from workers.trainer.archs import ARCHITECTURES

    types = {load_preset(name, "architectures").tree["network_g"]["type"] for name in architecture_names()}
    assert set(NETWORK_TYPES) == set(ARCHITECTURES) == types | {SPANDREL}


@pytest.mark.parametrize("path", sorted((ROOT / "presets").glob("*/*.yaml")), ids=lambda p: p.stem)
def test_a_preset_file_begins_with_when_to_use_it(path):
    assert path.read_text().startswith("#")


def test_what_an_architecture_is_does_not_say_how_many_parameters_it_has():
    """They depend on the scale; `arch ls` counts them."""
    told = [load_preset(name, "architectures").description for name in architecture_names()]
    assert [text for text in told if re.search(r"parameters|\d\s*[kM]\b", text)] == [
        "SPAN-S, attention without parameters"
    ]


def test_architecture_files_hold_no_rates_and_no_lengths():
    for path in (ROOT / "presets/architectures").glob("*.yaml"):
        assert not re.search(r"^\s*(train|val|lr|total_iter|warmup_iter)\s*:", path.read_text(), re.M), path
