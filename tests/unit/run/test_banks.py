"""Crop banks as folders: made whole, given up by age, never while somebody uses them."""

import os
import shutil
from collections import namedtuple

import pytest

from srqueue.run import banks
from srqueue.run.banks import BankNote, InUse, create_bank, find_banks, is_in_use, remove_bank, reserve

PICTURES = 10
SIZE = 1_000_000


def note(key, size=SIZE):
    return BankNote(key * 64, "tiny", key * 64, 2, "pillow", PICTURES, size, PICTURES * 8, 0.0)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "bank"


def made(root, key, quota=0, used=None, stored=False, size=SIZE, tell=lambda text: None):
    bank = create_bank(root, note(key, size), quota, tell)
    if not isinstance(bank, str) and used is not None:
        os.utime(bank.use_file, (used, used))
    if stored:
        bank.pixels_file.write_bytes(b"x" * size)
    return bank


def keys(root):
    return [found.key[0] for _, found in find_banks(root)]


def test_a_new_bank_is_sparse_empty_and_has_its_note(root):
    bank = made(root, "a")
    assert bank.note() == note("a")
    assert bank.pixels_file.stat().st_size == SIZE
    assert bank.stored() < SIZE / 4
    assert bank.done(PICTURES) == 0
    assert made(root, "a") == bank, "it is made once"


def test_what_was_dealt_with_is_counted_by_the_first_byte_of_each_record(root):
    bank = made(root, "a")
    with bank.table_file.open("r+b") as table:
        for index, flags in ((0, 1), (3, 3), (9, 4)):
            table.seek(index * 8)
            table.write(bytes([flags]))
    assert bank.done(PICTURES) == 3


def test_the_least_recently_used_give_way_to_the_quota(root):
    room = 3 * (SIZE + PICTURES * 8)
    for key, used in (("a", 30), ("b", 10), ("c", 20)):
        made(root, key, room, used)
    told = []
    assert not isinstance(made(root, "d", room, 40, tell=told.append), str)
    assert keys(root) == ["c", "a", "d"]
    assert len(told) == 1 and "gave way" in told[0]


def test_one_in_use_never_gives_way(root):
    room = 2 * (SIZE + PICTURES * 8)
    held = InUse(made(root, "a", room, used=10))
    made(root, "b", room, used=2e9)  # later than now
    assert is_in_use(banks.BankDir(root / ("a" * 64)))
    made(root, "c", room)
    assert "a" in keys(root)
    assert "b" not in keys(root)
    held.close()
    held.close()
    assert not is_in_use(banks.BankDir(root / ("a" * 64)))


def test_where_there_will_be_no_room_nothing_is_given_up(root):
    held = InUse(made(root, "a"))
    made(root, "b")
    told = create_bank(root, note("c", 3 * SIZE), 4 * SIZE)
    assert "SRQUEUE_BANK_QUOTA is 4.0 MB" in told
    assert sorted(keys(root)) == ["a", "b"]
    held.close()


def test_the_disk_counts_what_other_banks_will_still_take(root, monkeypatch):
    """Two sparse banks must not both be promised the same space."""
    usage = namedtuple("usage", "total used free")
    room = reserve_of = None
    root.mkdir()
    total = 100 * SIZE
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(total, 0, 5 * SIZE + total // 20))
    reserve_of = reserve(root)
    assert reserve_of == total // 20
    held = InUse(made(root, "a", size=3 * SIZE))
    room = create_bank(root, note("b", 3 * SIZE), 0)
    assert "not so much to spare" in room
    assert not isinstance(create_bank(root, note("c", SIZE), 0), str)
    held.close()
    assert not isinstance(create_bank(root, note("b", 3 * SIZE), 0), str), "an unused one gives way"


def test_a_bank_that_is_removed_is_gone_at_once_and_tells_what_it_freed(root):
    bank = made(root, "a", stored=True)
    held = InUse(bank)
    assert remove_bank(bank) is None
    held.close()
    assert remove_bank(bank) >= SIZE
    assert not bank.path.exists()
    with pytest.raises(OSError):
        InUse(bank)


def test_what_a_crash_left_half_made_is_cleared_away(root):
    made(root, "a")
    (root / ".bank-left").mkdir()
    (root / ".bank-left" / "pixels").write_bytes(b"x")
    made(root, "b")
    assert sorted(p.name[0] for p in root.iterdir()) == [".", "a", "b"]
    assert (root / ".lock").exists()


def test_a_bank_of_another_version_is_none_and_is_replaced(root):
    bank = made(root, "a")
    bank.note_file.write_text(bank.note_file.read_text().replace('"v": 1', '"v": 99'))
    assert bank.note() is None
    assert find_banks(root) == []
    assert made(root, "a").note() == note("a")


def test_a_bank_that_may_only_be_read_can_be_used(root):
    bank = made(root, "a")
    for path in (*bank.path.iterdir(), bank.path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    InUse(bank).close()
    bank.path.chmod(0o755)
