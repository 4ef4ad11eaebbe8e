"""Bytes that are nearly right: real ones with something broken, and nests, numbers and words that hurt."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from srqueue.store.packing import pack
from workers.trainer.checkpoint import digest_of

_HURTS = (
    0, -1, 2**63, 10**400, 1e308, float("inf"), float("nan"), "", "\x00", "\ud800", "../../x", "a" * 70,
    None, True,
    "nan", "1e999", "it_s", {}, [], {"type": "x"}, [[]],
)  # fmt: skip
_WORDS = (
    "name", "scale", "network_g", "type", "compact", "datasets", "train", "val", "identity", "total_iter",
    "optim_g",
    "lr", "losses", "path", "pretrain_network_g", "stop", "window", "stages", "matrix", "search", "space",
    "base",
    "choice", "trials", "v", "n", "t", "token", "it", "kind", "data", "digest", "seq", "iteration",
    "pictures", "id",
)  # fmt: skip
_SCALARS = st.sampled_from(_HURTS) | st.integers() | st.floats() | st.text(max_size=20)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)

SPEC = {
    "name": "a", "scale": 2, "network_g": {"type": "compact", "num_feat": 8, "num_conv": 1},
    "datasets": {"train": {"name": "tiny", "lq_size": 16, "batch_size": 4}, "val": {"name": "tiny"}},
    "train": {"total_iter": 9, "optim_g": {"lr": 1e-3}}, "stop": ["4h"], "window": ["22:00-07:00"],
}  # fmt: skip
CAMPAIGN = {
    "base": {"dataset": "tiny"}, "matrix": {"manual_seed": [1, 2]}, "budget": ["4h"], "max_parallel": 2,
    "search": {"rungs": [2, 4], "sampler": "tpe", "trials": 3, "space": {"scale": {"choice": [2, 3]}}},
}  # fmt: skip
EVENT = {"v": 1, "n": 0, "t": 1.5, "token": 1, "it": 10, "kind": "train", "data": {"loss": 0.1}}
MANIFEST = {
    "name": "ckpt-000001-it10-t1", "parent": None, "spec_id": "s", "data": {}, "fingerprint": {},
    "events_offset": 0, "state": {}, "bytes": 3, "sha256": "0" * 64, "saved": 1.0, "v": 1, "trained": {},
}  # fmt: skip
CARD = {
    "id": "x", "name": "n", "priority": 5, "device_class": "any", "origins": {}, "created": 1.0,
    "spec_id": "s", "v": 1,
}  # fmt: skip
LISTING = {
    "v": 3, "name": "n", "identity": "0" * 64, "hr_root": "/x", "lr_root": None, "scale": None,
    "quarantined": {},
    "pictures": [{"path": "a.png", "width": 9, "height": 9, "size": 9, "mtime_ns": 1, "sha256": "0" * 64}],
}  # fmt: skip
_MAPPINGS = {
    "yaml": SPEC, "spec": SPEC, "campaign": CAMPAIGN, "event": EVENT, "card": CARD, "listing": LISTING,
    **{key: {"digest": digest_of(MANIFEST), **MANIFEST} for key in ("manifest", "seal")},
    "results": {"v": 1, "files": {"export/a.png": {"bytes": 9, "sha256": "0" * 64}}},
    "outcome": {"reason": "completed", "message": "", "iteration": 9},
    "scores": {"v": 1, "sets": {}},
}  # fmt: skip


@st.composite
def _changed(draw: st.DrawFn, value: object) -> object:
    """A value with one place in it made something else."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {**value, draw(st.sampled_from(_WORDS) | st.text(max_size=5)): draw(_VALUES)}
        return {**value, key: draw(_changed(value[key]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [draw(_changed(value[0])), *value[1:]]
    return draw(_VALUES)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _nested(text: str) -> st.SearchStrategy[bytes]:
    return st.integers(1, 3000).map(lambda depth: (text * depth).encode())


def _picture_files() -> list[bytes]:
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8))
    files = []
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        data = io.BytesIO()
        image.save(data, kind)
        files.append(data.getvalue())
    return files


def _npz() -> bytes:
    data = io.BytesIO()
    np.savez(data, sha256=np.zeros((2, 32), np.uint8), levels=np.zeros((2, 256), np.int8))
    return data.getvalue()


@st.composite
def _damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Some bytes changed, cut off, or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at, kind = draw(st.integers(0, max(len(data) - 1, 0))), draw(st.integers(0, 3))
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at:at] = draw(st.binary(max_size=12))
        else:
            data[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
    return bytes(data)


def inputs(target: str) -> st.SearchStrategy[bytes]:
    """For one target: of its own form and broken, any nest, any text, any bytes."""
    some = [st.binary(max_size=200), st.text(max_size=100).map(lambda t: t.encode(errors="replace"))]
    some += [_nested("["), _nested('{"a":'), _nested("- "), _nested("? "), _VALUES.map(_json)]
    if target in _MAPPINGS:
        whole = _MAPPINGS[target]
        some += [_changed(whole).map(_json)] * 4 + [_damaged(_json(whole))]
    if target == "picture":
        some += [_damaged(file) for file in _picture_files()]
    if target == "thumbnails":
        some += [_damaged(_npz())] * 3
    if target == "packed":
        some += [_damaged(pack(SPEC, {}).encode()), _VALUES.map(lambda v: b"1:" + zlib.compress(_json(v)))]
    if target == "rules":
        words = [
            "4h",
            "2d",
            "psnr>30",
            "Sun 22:00",
            "at",
            "22:00-07:00",
            "plateau",
            "5kWh",
            "3EUR",
            "<",
            "=",
            ",",
            " ",
        ]
        some += [st.lists(st.sampled_from(words), max_size=6).map(lambda w: " ".join(w).encode())] * 3
    return st.one_of(*some)
