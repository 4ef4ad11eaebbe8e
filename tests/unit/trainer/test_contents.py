"""Comparing the files of a data set with its listing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srqueue.errors import DataError
from workers.trainer.data import pictures as module
from workers.trainer.data.decode import DataMissing
from workers.trainer.data.pictures import Pictures, spread


@given(st.integers(1, 3000))
@example(56)
def test_the_order_has_each_once_and_begins_all_over_the_set(count):
    order = list(spread(count))
    assert sorted(order) == list(range(count))
    begun = sorted(order[:8])
    gaps = [b - a for a, b in zip([begun[-1] - count, *begun[:-1]], begun, strict=True)]
    assert max(gaps) <= max(2, 0.3 * count)  # of 8 in a circle: an eighth each at best


@pytest.fixture
def opened(listed):
    def make(lr=None):
        draw = np.random.default_rng(0)
        listing = listed({f"{i}": draw.integers(0, 256, (8, 8, 3), dtype=np.uint8) for i in range(5)}, lr)
        lr_root = Path(listing.lr_root) if listing.lr_root else None
        return Pictures(listing.pictures, Path(listing.hr_root), lr_root, 2)

    return make


@pytest.mark.parametrize(("lr", "files"), [(None, 5), (2, 10)])
def test_all_are_compared_where_there_is_time(opened, lr, files):
    found = opened(lr)
    assert found.files == files
    assert found.check_contents(60.0) == files


def test_at_least_one_is_compared_and_the_same_one_each_time(opened, monkeypatch):
    found, seen = opened(), []
    monkeypatch.setattr(module, "check_content", lambda path, sha256: seen.append(path.name))
    assert [found.check_contents(-1.0), found.check_contents(-1.0)] == [1, 1]
    assert seen[0] == seen[1]


@pytest.mark.parametrize("folder", ["hr", "lr"])
def test_a_byte_that_changed_is_found(opened, tmp_path, folder):
    found = opened(2)
    file = sorted((tmp_path / folder).iterdir())[3]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    found.check_files()  # the size is right
    with pytest.raises(DataError, match="not what it was") as caught:
        found.check_contents(60.0)
    assert caught.value.where == str(file)
    file.unlink()
    with pytest.raises(DataMissing):
        found.check_contents(60.0)
