"""Scores in Redis: bounded, fenced, and not believed blindly."""

import zlib

import pytest
from ulid import ULID

from srqueue.run.scores import PictureScore, Scores
from srqueue.store.record import LeaseLost
from srqueue.store.scores import PICTURES_KEPT, packed, stored_scores, unpacked


def scores(number):
    pictures = tuple(
        PictureScore(f"{i:05}.png", 30 + i / 7, 0.9, 28.0, 29.0, 0.8, 27.0) for i in range(number)
    )
    return Scores(pictures=pictures, count=number, parameters=7, ms_per_megapixel=1.25, device="a card")


def test_what_is_packed_comes_back_to_the_last_digit():
    assert unpacked(packed(scores(14))) == scores(14)
    assert unpacked(packed(Scores())) == Scores()


def test_of_many_pictures_the_same_are_kept_of_every_job():
    one, other = (unpacked(packed(scores(1009))) for _ in range(2))
    assert one == other and len(one.pictures) == PICTURES_KEPT and one.count == 1009
    names = [p.name for p in one.pictures]
    assert names == sorted(set(names)) and names[0] == "00000.png" and names[-1] > "01000.png"


@pytest.mark.parametrize(
    "data", [b"", b"no zlib", zlib.compress(b"[1]"), zlib.compress(b"{}"), zlib.compress(b"{")]
)
def test_what_cannot_be_read_is_not_there(data):
    assert unpacked(data) is None


def test_who_lost_the_lease_writes_none(store):
    job = str(ULID())
    store.create(job, spec={}, origins={}, spec_id=job, name="job", total_iter=9)
    token = store.claim("w:1", "h", ["any"], 30, {"root": "/runs"}).token
    store.put_scores(job, token, scores(2))
    assert stored_scores(store.connection, [job]) == {job: scores(2)}
    with pytest.raises(LeaseLost):
        store.put_scores(job, token - 1, scores(3))
    assert stored_scores(store.connection, [job]) == {job: scores(2)}
