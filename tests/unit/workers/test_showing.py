"""What is only looked at on its way to Redis: it raises nothing and is tried again."""

import pytest
from ulid import ULID

from srqueue.errors import ServiceUnreachable
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.pictures import Crop, Pictures, picture_file, write_pictures
from srqueue.run.reasons import StopReason
from workers import showing
from workers.showing import Showing

CROPS = (Crop("a.png", 0, 0, 8, 8),)


class Looked:
    """A running job with a folder, whose clock goes on when it is told to."""

    def __init__(self, store, folder, clock):
        self.store, self.clock = store, clock
        self.job = str(ULID())
        store.create(self.job, spec={}, origins={}, spec_id="s", name="job", total_iter=9)
        self.token = store.claim("w:1", "h", ["any"], 30, {"root": "/runs"}).token
        self.run = RunDir(folder / self.job).create()
        self.attempt = self.run.write_attempt(self.token, None)
        self.showing = Showing(store, self.job, self.run, self.attempt)

    def print(self, text):
        with self.attempt.log_file.open("ab") as file:
            file.write(text)

    def draw(self, iteration):
        for what in ("bicubic", "original", str(iteration)):
            file = picture_file(self.run, 0, what)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(what.encode())
        write_pictures(self.run, Pictures(CROPS, (iteration,)))

    def send(self, after=2.0, **how):
        self.clock[0] += after
        self.showing.send(**how)

    @property
    def printed(self):
        return [line.partition(" ")[2] for line in self.store.log_tail(self.job)]


@pytest.fixture
def looked(store, tmp_path, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(showing.time, "monotonic", lambda: clock[0])
    return Looked(store, tmp_path, clock)


def test_whole_lines_are_sent_as_they_come_and_the_rest_at_the_end(looked):
    looked.send()
    looked.print("eins\n\x1b[31mzwei\tdr\u00fc".encode())
    looked.send()
    assert looked.printed == ["eins"]
    looked.print(b"ben\n\xff\xfe killed")
    looked.send()
    assert looked.printed == ["eins", " [31mzwei dr\u00fcben"]
    looked.send(0, at_end=True)
    assert looked.printed[-1] == "\ufffd\ufffd killed"


def test_of_a_flood_the_newest_lines_are_sent(looked):
    looked.print(b"".join(b"line %d\n" % i for i in range(50_000)))
    looked.send()
    assert looked.printed[-1] == "line 49999" and len(looked.printed) == 200
    looked.print(b"x" * 100_000 + b"\n")
    looked.send()
    assert looked.printed[-1] == "x" * 500


def test_pictures_are_sent_where_they_are_new(looked, monkeypatch):
    calls, real = [], looked.store.put_pictures
    monkeypatch.setattr(
        looked.store, "put_pictures", lambda *a, **k: calls.append(k["whole"]) or real(*a, **k)
    )
    looked.draw(10)
    looked.send()
    looked.send()
    assert calls == [False, True]
    looked.draw(20)
    looked.send(0.1)
    assert calls == [False, True], "looked just now"
    looked.send()
    assert calls == [False, True, False]
    found = looked.store.pictures(looked.job)
    assert (found.iteration, found.images["0/model"], found.images["0/bicubic"]) == (20, b"20", b"bicubic")


def test_failures_are_kept_to_itself_and_tried_again_ever_more_seldom(looked, monkeypatch):
    tried = []

    def away(script, *args):
        tried.append(script)
        raise ServiceUnreachable("Redis does not answer")

    monkeypatch.setattr(looked.store, "_run", away)
    looked.print(b"one\n")
    looked.send()
    for _ in range(60):
        looked.send(1.0)
    looked.send(0, at_end=True)
    assert tried == ["log"] * 3, "after 15 and 30 more seconds"
    monkeypatch.undo()
    monkeypatch.setattr(showing.time, "monotonic", lambda: looked.clock[0])
    looked.send(100)
    assert looked.printed == ["one"]


def test_a_lost_job_and_a_missing_picture_raise_nothing(looked):
    looked.draw(10)
    picture_file(looked.run, 0, "10").unlink()
    looked.send()
    looked.store.finish(looked.job, looked.token, Outcome(StopReason.DRAINED, "", 0))
    looked.draw(20)
    looked.print(b"late\n")
    looked.send(1000)
    assert looked.printed == [] and looked.store.pictures(looked.job) is None
