"""A wheel built from the tree works in a clean environment, from another folder."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, env: dict[str, str] | None = None, code: int = 0) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), cwd=ROOT)
    return next(out.glob("*.whl"))


def test_the_wheel_carries_workers_presets_and_scripts(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "workers/trainer/__main__.py",
        "srqueue/presets/fidelity/fidelity.yaml",
        "srqueue/py.typed",
        "srqueue/report/templates/report.html",
        "srqueue/report/templates/report.js",
    } <= names
    assert any(name.startswith("srqueue/store/") and name.endswith(".lua") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


@pytest.mark.timeout(300)
def test_a_clean_light_environment_expands_and_submits_from_another_folder(wheel, tmp_path, valkey):
    """No torch there: `pip install srqueue` alone submits to a queue that somebody else's workers serve."""
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    python, srqueue = str(place / "bin/python"), str(place / "bin/srqueue")
    constraints = str(ROOT / "constraints.txt")
    quiet = ["-q", "--disable-pip-version-check"]
    run(python, "-m", "pip", "install", *quiet, "-c", constraints, str(wheel), cwd=tmp_path)
    absent = "import importlib.util as u; print([m for m in ('torch', 'kornia', 'numpy') if u.find_spec(m)])"
    assert run(python, "-c", absent, cwd=tmp_path).strip() == "[]"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    registry = elsewhere / "datasets.yaml"
    registry.write_text(
        "cc0: {hr: /nowhere/hr, identity: " + "a" * 64 + ", scale: 2, pictures: 10, held_out: 1,"
        " min_width: 256, min_height: 256}\n"
    )
    keep = {k: v for k, v in os.environ.items() if not k.startswith("SRQUEUE_") and k != "PYTHONPATH"}
    env = keep | {
        "SRQUEUE_HOME": str(elsewhere),
        "SRQUEUE_DATASETS": str(registry),
        "SRQUEUE_REDIS_URL": valkey.url,
    }
    assert "total_iter: 80000" in run(
        srqueue, "submit", "cc0", "--fidelity", "--dry-run", cwd=elsewhere, env=env
    )
    run(srqueue, "submit", "cc0", "--fidelity", "--name", "from-a-wheel", cwd=elsewhere, env=env)
    assert "from-a-wheel" in run(srqueue, "ls", "--json", cwd=elsewhere, env=env)
