"""What is installed with srqueue: its licences are ones that we can ship, its versions are pinned by hash."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS = (
    "worker", "monitor", "notices", "search", "tensorboard", "plot", "onnx", "mlflow", "archs", "embedded",
)  # fmt: skip
ALLOWED = (
    "MIT", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation", "MPL-2.0", "HPND", "Unlicense",
    "Mozilla Public License 2.0", "0BSD", "Zlib", "CC0-1.0", "BSL-1.0", "LLVM-exception", "matplotlib",
    "Historical Permission",
)  # fmt: skip
"""Permissive ones, and MPL 2.0, which asks for nothing where its files are not changed."""
KNOWN = {"nvidia-ml-py": "BSD"}
"""Where the metadata says nothing that could be read; looked up in the files."""


def licence_of(found: Distribution) -> str:
    """Expression, else classifiers, else the field, which may be a whole text."""
    told = found.metadata
    if expression := told.get("License-Expression"):
        return expression
    prefix = "License :: OSI Approved :: "
    if classes := [c.removeprefix(prefix) for c in told.get_all("Classifier") or [] if c.startswith(prefix)]:
        return " AND ".join(classes)
    return (told.get("License") or "unknown").strip().splitlines()[0][:80]


def installed() -> dict[str, Distribution]:
    """srqueue's dependencies with all that an installation for work brings, as far as they are here."""
    left = [Requirement(f"srqueue[{','.join(EXTRAS)}]")]
    found, seen = {}, set()
    while left:
        one = left.pop()
        name = canonicalize_name(one.name)
        try:
            here = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        found[name] = here
        for text in here.requires or ():
            wanted = Requirement(text)
            extras = one.extras or {""}
            is_meant = wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in extras)
            if is_meant and str(wanted) not in seen:
                seen.add(str(wanted))
                left.append(wanted)
    del found["srqueue"]
    return found


def allowed(licence: str) -> bool:
    """Of `A OR B` one is enough, of `A AND B` both are needed."""
    words = re.sub(r"[()]", " ", licence)
    return any(
        all(
            any(good.lower() in part.lower() for good in ALLOWED)
            for part in re.split(r" AND | WITH ", choice)
        )
        for choice in words.split(" OR ")
    )


def test_no_dependency_has_a_licence_that_binds_what_we_ship():
    packages = installed()
    assert {"torch", "celery", "flower", "pydantic", "safetensors"} <= packages.keys()
    told = {name: KNOWN.get(name) or licence_of(found) for name, found in packages.items()}
    assert {n: text for n, text in told.items() if not allowed(text)} == {}
    for wrong in ("GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0-only", "unknown", "SSPL-1.0"):
        assert not allowed(wrong)


def pins(path: Path) -> dict[str, tuple[str, int]]:
    """Version and number of hashes by name."""
    text = path.read_text().replace("\\\n", " ")
    found = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("#"):
            continue
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        assert match, f"no exact version: {line[:60]}"
        found[canonicalize_name(match[1])] = (match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}", line)))
    return found


@pytest.mark.parametrize("name", ["producer", "worker", "tools"])
def test_every_version_of_an_image_is_pinned_by_hash(name):
    pinned = pins(ROOT / "deploy" / f"requirements-{name}.txt")
    assert len(pinned) > 15 and not [one for one, (_, hashes) in pinned.items() if not hashes]
    if name == "tools":
        return
    tested = pins_of_constraints()
    assert {n: v for n, (v, _) in pinned.items() if tested.get(n, v) != v} == {}, "make pins"
    wanted = (
        ("celery", "redis", "pydantic", "flower")
        if name == "producer"
        else ("torch", "safetensors", "kornia")
    )
    assert set(wanted) <= pinned.keys()


def pins_of_constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {
        canonicalize_name(n): v for n, _, v in (line.partition("==") for line in lines if "==" in line[:60])
    }
