"""The crop bank: tiles, records, damage."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.run.banks import BankDir, create_bank
from srqueue.run.listing import Listing, Picture
from workers.data_tools.packer import Packer
from workers.trainer.data.bank import Bank, Damaged
from workers.trainer.data.layout import TILE, TILE_BYTES, Layout, from_tiles, note_of, to_tiles
from workers.trainer.data.pairs import Source
from workers.trainer.data.pictures import Pictures


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_what_tiles_make_is_the_picture(height, width, data):
    picture = noise(height, width)
    tiles = to_tiles(picture)
    rows, columns = -(-height // TILE), -(-width // TILE)
    assert tiles.shape == (rows * columns, TILE_BYTES)
    whole = from_tiles(tiles.reshape(rows, columns, TILE_BYTES))
    assert np.array_equal(whole[:height, :width], picture)
    assert not whole[height:].any()
    assert not whole[:, width:].any()


@given(
    st.lists(st.tuples(st.integers(20, 700), st.integers(20, 700)), min_size=1, max_size=5),
    st.sampled_from([2, 3, 4]),
)
def test_no_two_pictures_share_a_tile_and_none_is_left_over(sizes, scale):
    pictures = tuple(Picture(f"{i}", w, h, 1, 1, "") for i, (h, w) in enumerate(sizes))
    layout = Layout(Listing("x", "0" * 64, "/", None, None, pictures, {}), scale)
    taken = []
    for index, (h, w) in enumerate(sizes):
        hr, lr = layout.hr(index), layout.lr(index)
        assert (hr.height, hr.width) == (h // scale * scale, w // scale * scale)
        assert (lr.height * scale, lr.width * scale) == (hr.height, hr.width)
        for plane in (hr, lr):
            taken += range(plane.first, plane.first + plane.tiles)
    assert taken == list(range(layout.tiles))


class Made:
    """A bank of three pictures that are larger than a tile, one of them grey."""

    def __init__(self, listing, root):
        self.listing, self.root = listing, root
        self.layout = Layout(listing, 2)
        self.note = note_of(listing, 2, self.layout)
        self.folder = create_bank(root, self.note, 0)

    def pack(self, **more):
        packer = Packer(self.folder, self.listing, 2, 2)
        told = []
        try:
            packer.run(told.append, **more)
        finally:
            packer.close()
        return packer, told

    def open(self):
        return Bank(self.folder, self.layout)

    def pairs(self):
        source = Source(Path(self.listing.hr_root), None, 2)
        return [source.load(p) for p in self.listing.pictures]

    def pictures(self, bank, keep_free=2**62):
        found = Pictures(self.listing.pictures, Path(self.listing.hr_root), None, 2, keep_free)
        found.use_bank(bank, {p.path: i for i, p in enumerate(self.listing.pictures)})
        return found

    def content(self):
        return self.folder.pixels_file.read_bytes(), self.folder.table_file.read_bytes()


@pytest.fixture
def made(listed, tmp_path):
    from PIL import Image

    listing = listed({"a": noise(131, 201), "b": noise(300, 90, 1), "c": noise(128, 128, 2)})
    file = tmp_path / "hr" / "c.png"
    Image.fromarray(noise(128, 128, 2)[..., 0]).save(file)
    import hashlib

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    grey = replace(listing.pictures[2], sha256=digest, size=file.stat().st_size)
    return Made(replace(listing, pictures=(*listing.pictures[:2], grey)), tmp_path / "bank")


def test_a_bank_holds_the_pixels_that_decoding_gives(made):
    packer, told = made.pack()
    assert packer.failed == {}
    assert told[-1] == 3
    bank = made.open()
    for index, pair in enumerate(made.pairs()):
        assert bank.has(index)
        assert bank.is_grey(index) == pair.grey == (index == 2)
        lr, hr = bank.whole(index)
        assert np.array_equal(lr, pair.lr)
        assert np.array_equal(hr, pair.hr)
        height, width = pair.lr.shape[:2]
        for top, left, side in (
            (0, 0, 16),
            (height - 16, width - 16, 16),
            (5, 7, 31),
            (0, 1, min(height, width) - 1),
        ):
            lr, hr = bank.crop(index, top, left, side)
            assert np.array_equal(lr, pair.lr[top : top + side, left : left + side])
            top, left, side = 2 * top, 2 * left, 2 * side
            assert np.array_equal(hr, pair.hr[top : top + side, left : left + side])
    bank.close()
    assert made.folder.done(3) == 3


def test_packing_again_changes_nothing(made):
    made.pack()
    before = made.content()
    _, told = made.pack(verify=True)
    assert told[-1] == 3
    assert made.content() == before


def test_an_empty_bank_has_nothing(made):
    bank = made.open()
    assert [bank.has(i) for i in range(3)] == [False] * 3
    assert made.folder.done(3) == 0
    made.pack()
    assert [bank.has(i) for i in range(3)] == [True] * 3, "what is built meanwhile is seen"


@pytest.mark.parametrize("where", ["record", "sums"])
def test_a_torn_entry_is_none_and_is_made_again(made, where):
    made.pack()
    whole = made.content()
    at = 8 + 5 if where == "record" else made.layout.sums_at(made.layout.hr(1).first + 2)
    flip(made.folder.table_file, at)
    bank = made.open()
    assert [bank.has(i) for i in range(3)] == [True, False, True]
    bank.close()
    made.pack()
    assert made.content() == whole


@pytest.mark.parametrize("plane", ["hr", "lr"])
def test_a_damaged_tile_is_noticed_decoded_instead_and_made_again(made, plane):
    made.pack()
    whole = made.content()
    damaged = getattr(made.layout, plane)(1)
    flip(made.folder.pixels_file, damaged.first * TILE_BYTES + 77)
    bank = made.open()
    pictures = made.pictures(bank)
    lr, hr = pictures.crop(1, 0, 0, 20)
    pair = made.pairs()[1]
    assert np.array_equal(lr, pair.lr[:20, :20])
    assert np.array_equal(hr, pair.hr[:40, :40])
    assert pictures.decoded == 1
    assert not bank.has(1)
    with pytest.raises(Damaged):
        bank.whole(1)
    bank.close()
    assert made.folder.done(3) == 2
    made.pack()
    assert made.content() == whole


def test_verify_finds_a_damage_that_nobody_has_read(made):
    made.pack()
    whole = made.content()
    flip(made.folder.pixels_file, made.layout.lr(2).first * TILE_BYTES)
    made.pack()
    assert made.content() != whole
    made.pack(verify=True)
    assert made.content() == whole


@pytest.mark.parametrize("file", ["pixels_file", "table_file"])
def test_a_file_that_was_cut_ends_no_training(made, file):
    made.pack()
    bank = made.open()
    pictures = made.pictures(bank)
    os.truncate(getattr(made.folder, file), 100)
    for index, pair in enumerate(made.pairs()):
        lr, _ = pictures.crop(index, 3, 4, 17)
        assert np.array_equal(lr, pair.lr[3:20, 4:21])
        assert np.array_equal(pictures[index].hr, pair.hr)


def test_a_table_of_another_length_is_refused(made):
    os.truncate(made.folder.table_file, made.layout.table_bytes - 4)
    with pytest.raises(Damaged):
        made.open()


def test_pictures_that_are_gone_are_not_missed_where_the_bank_has_them(made, tmp_path):
    made.pack()
    pictures = made.pictures(made.open())
    expected = [pair.lr for pair in made.pairs()]
    (tmp_path / "hr" / "a.png").unlink()
    (tmp_path / "hr" / "b.png").write_bytes(b"another")
    assert np.array_equal(pictures.crop(0, 1, 1, 9)[0], expected[0][1:10, 1:10])
    assert np.array_equal(pictures[1].lr, expected[1])
    pictures.check_files()
    assert pictures.files == 0


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_packed(made, tmp_path):
    (tmp_path / "hr" / "b.png").write_bytes(b"another")
    packer, told = made.pack()
    assert list(packer.failed) == ["b.png"]
    assert (told[-1], made.folder.done(3)) == (3, 2)  # it may come back as it was: the next one looks again
    bank = made.open()
    assert [bank.has(i) for i in range(3)] == [True, False, True]
    bank.close()


def test_the_key_is_of_all_that_pixels_depend_on(made, monkeypatch):
    from workers.trainer.data import layout

    keys = {made.note.key, note_of(made.listing, 4, Layout(made.listing, 4)).key}
    keys.add(note_of(replace(made.listing, identity="1" * 64), 2, made.layout).key)
    monkeypatch.setattr(layout, "_version", lambda package: "another")
    keys.add(note_of(made.listing, 2, made.layout).key)
    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)


def test_memory_is_filled_from_the_bank_and_not_by_decoding(made):
    made.pack()
    pictures = made.pictures(made.open(), keep_free=0)
    assert pictures[0] is pictures[0]
    assert pictures.decoded == 0
    assert np.array_equal(pictures[0].hr, made.pairs()[0].hr)


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 0x40
    file.write_bytes(content)


def test_a_bank_is_used_when_it_is_opened(made):
    os.utime(made.folder.use_file, (1, 1))
    made.open()
    assert time.time() - made.folder.used() < 60
    assert BankDir(made.folder.path).note() == made.note
