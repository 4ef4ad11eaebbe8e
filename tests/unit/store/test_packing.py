"""Specs in few bytes; what an older version stored stays readable."""

import base64
import hashlib
import json
import zlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.presets import preset_names
from srqueue.store.packing import pack, unpack
from srqueue.store.record import JobRecord

# The phrases that stored jobs were written with: a change of the file makes every one of them unreadable.
PHRASES = {1: "293a5d3207960890ab5cf6faa83605db0e2eddb0162bc1dd82b1669355422531"}

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, VALUES, max_size=5), st.dictionaries(TEXT, TEXT, max_size=5))
def test_whatever_is_packed_comes_back(spec, origins):
    assert unpack(pack(spec, origins)) == (spec, origins)


@pytest.mark.parametrize("preset", preset_names())
def test_the_spec_of_a_preset_takes_few_bytes(preset):
    expanded = expand(DatasetRef("pictures", "5" * 64), preset=preset)
    spec = expanded.spec.model_dump(mode="json")
    packed = pack(spec, expanded.origins)
    assert len(packed) < 500 < 2000 < len(json.dumps([spec, expanded.origins]))
    assert unpack(packed) == (spec, expanded.origins)


def test_the_phrases_are_what_they_were():
    for number, digest in PHRASES.items():
        text = (files("srqueue.store") / f"phrases_{number}.txt").read_bytes()
        assert hashlib.sha256(text).hexdigest() == digest


def test_nan_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"a": float("nan")}, {})


def test_a_record_of_the_version_before_is_read_and_goes_on(store):
    new, _ = store.create(str(ULID()), spec={"a": 1}, origins={"a": "x"}, spec_id="s", name="n", total_iter=9)
    key = store.keys.job(new.id)
    store.connection.redis.hdel(key, "packed")
    store.connection.redis.hset(key, mapping={"spec": '{"a":1}', "origins": '{"a":"x"}'})
    assert store.get(new.id) == new
    claim = store.claim("w", "h", ["any"], 30, {"root": "/runs"})
    assert (claim.record.spec, claim.record.origins) == ({"a": 1}, {"a": "x"})
    assert JobRecord.from_hash(claim.record.to_hash()) == claim.record


def test_what_unpacks_to_more_than_any_spec_is_refused():
    body = json.dumps([{"a": "x" * (2 << 20)}, {}]).encode()
    with pytest.raises(SpecError, match="longer than"):
        pack({"a": "x" * (2 << 20)}, {})
    packer = zlib.compressobj(level=9, zdict=(files("srqueue.store") / "phrases_1.txt").read_bytes())
    bomb = f"1:{base64.b85encode(packer.compress(body) + packer.flush()).decode()}"
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="longer than any"):
        unpack(bomb)
    with pytest.raises(ValueError, match="cut off"):
        unpack(pack({"a": list(range(100))}, {})[:-10])
