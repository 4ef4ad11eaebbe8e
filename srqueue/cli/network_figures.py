"""The figures of networks: asked of `workers.arch_table`, where torch is, and kept for the next call."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srqueue
from srqueue.cli.output import say
from srqueue.errors import SpecError, SrqueueError
from srqueue.run.atomic import write_file
from srqueue.settings import Settings
from srqueue.spec.networks import SPANDREL
from srqueue.stack.commands import child_environment, require

_LONGEST = 300  # seconds; the largest networks take some each
_CODE = ("workers/arch_table.py", "workers/trainer/archs/*.py", "srqueue/spec/networks.py")

Figures = dict[str, Any]


def network_figures(
    settings: Settings, networks: Mapping[str, Mapping[str, Any]], scale: int
) -> dict[str, Figures]:
    """Figures by name, of `network_g` by name. Raises SpecError for a network that cannot be built here.

    What was found before is read from `<home>/cache/`, but for spandrel's networks, whose code is not ours.
    """
    require("torch", "worker")
    file, made_by = settings.home / "cache" / f"networks-x{scale}.json", _made_by()
    kept = _kept(file, made_by)
    keys = {name: json.dumps(network, sort_keys=True) for name, network in networks.items()}
    asked = {name: network for name, network in networks.items() if keys[name] not in kept}
    found = _ask(settings, asked, scale) if asked else {}
    lasting = {name: figures for name, figures in found.items() if asked[name].get("type") != SPANDREL}
    if lasting:
        _keep(file, made_by, kept | {keys[name]: figures for name, figures in lasting.items()})
    return {name: found[name] if name in found else kept[keys[name]] for name in networks}


def _made_by() -> str:
    """What figures depend on besides the network: versions, and the code itself, which a checkout changes."""
    digest = hashlib.sha256(f"{srqueue.__version__} {version('torch')}".encode())
    root = Path(srqueue.__file__).parents[1]
    for pattern in _CODE:
        for path in sorted(root.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _kept(file: Path, made_by: str) -> dict[str, Figures]:
    """What was kept, if the same code found it; a file that is damaged or not there is empty."""
    try:
        read = json.loads(file.read_bytes())
        kept: dict[str, Figures] = read["networks"] if read["made_by"] == made_by else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return kept


def _keep(file: Path, made_by: str, networks: dict[str, Figures]) -> None:
    try:
        for folder in (file.parents[1], file.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_file(file, json.dumps({"made_by": made_by, "networks": networks}).encode())
    except OSError:
        pass  # a full or foreign disk costs the next call its seconds, nothing else


def _ask(settings: Settings, networks: Mapping[str, Mapping[str, Any]], scale: int) -> dict[str, Figures]:
    if len(networks) > 1:
        say(f"looking at {len(networks)} networks, some seconds; what is found is kept for the next time")
    done = subprocess.run(
        [sys.executable, "-m", "workers.arch_table"],
        input=json.dumps({"scale": scale, "networks": networks}),
        capture_output=True,
        text=True,
        env=child_environment(settings, OMP_NUM_THREADS="1"),
        timeout=_LONGEST,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SrqueueError(f"the networks could not be looked at: {last}") from None
    if "error" in answer:
        said = answer["error"]
        raise SpecError(said["message"], where=said["where"], hint=said["hint"])
    found: dict[str, Figures] = answer["result"]
    return found
