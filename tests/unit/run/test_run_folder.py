"""The run folder: names that stay inside it, and a history without doubles."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import DataError, UsageError
from srqueue.run.events import Event, EventWriter, read_events
from srqueue.run.folder import CheckpointName, RunDir, check_name, read_root_id
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, JobState, Requeue, StopReason

HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc",
    "a\n",
    "a\0b",
    ".hidden",
    "-rf",
    "x" * 65,
    "a b",
    "ä",
    "\x1b[31m",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_could_leave_its_folder_is_refused(name):
    with pytest.raises(UsageError):
        check_name(name, "a job")


@given(st.text())
def test_a_name_that_passes_is_one_plain_path_part(name):
    try:
        check_name(name, "a job")
    except UsageError:
        return
    assert name.isascii() and "/" not in name and not name.startswith(".") and name == name.strip()


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_checkpoints_name_can_be_read_back(seq, iteration, token):
    name = CheckpointName(seq, iteration, token)
    assert CheckpointName.parse(str(name)) == name


def test_a_later_attempts_checkpoint_stands_above_an_earlier_ones(tmp_path):
    run = RunDir(tmp_path / "job").create()
    for name in ("ckpt-000009-it90-t1", "ckpt-000006-it60-t2", "bad-ckpt-000010-it100-t2", "tmp.2.70"):
        (run.checkpoints / name).mkdir()
    assert [str(n) for n in run.checkpoint_names()] == ["ckpt-000009-it90-t1", "ckpt-000006-it60-t2"]
    assert run.highest_token() == 2


def write_attempt(run: RunDir, token: int, start: tuple[int, int], its: list[int]) -> list[int]:
    """Writes an attempt's events and returns the offset after each."""
    attempt = run.write_attempt(token, None)
    writer = EventWriter(attempt.events_file, token)
    writer.write(
        "phase", 0, phase="restored" if start[0] else "started", from_token=start[0], from_offset=start[1]
    )
    offsets = []
    for it in its:
        writer.write("train", it, loss=0.1)
        offsets.append(writer.offset)
    writer.close()
    return offsets


def history(run: RunDir) -> list[int]:
    return [e.it for e in run.events() if e.kind == "train"]


def test_events_after_the_checkpoint_that_was_resumed_are_left_out(tmp_path):
    run = RunDir(tmp_path / "job").create()
    first = write_attempt(run, 1, (0, 0), [10, 20, 30])
    write_attempt(run, 2, (1, first[1]), [30, 40])
    assert history(run) == [10, 20, 30, 40]


def test_an_attempt_that_resumed_from_further_back_drops_the_one_between(tmp_path):
    run = RunDir(tmp_path / "job").create()
    first = write_attempt(run, 1, (0, 0), [10, 20, 30])
    write_attempt(run, 2, (1, first[2]), [40, 50])
    write_attempt(run, 3, (1, first[0]), [20, 30])
    assert history(run) == [10, 20, 30]


def test_a_damaged_later_attempt_gives_way_to_its_parents_whole_line(tmp_path):
    run = RunDir(tmp_path / "job").create()
    first = write_attempt(run, 1, (0, 0), [10, 20, 30])
    second = write_attempt(run, 2, (1, first[2]), [40, 50])
    write_attempt(run, 3, (1, first[0]), [20])
    write_attempt(run, 4, (2, second[0]), [50])
    assert history(run) == [10, 20, 30, 40, 50]


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path):
    file = tmp_path / "events.jsonl"
    writer = EventWriter(file, 1)
    writer.write("train", 1, loss=float("nan"))
    with file.open("ab") as raw:
        raw.write(b'{"half":')
    events = list(read_events(file))
    assert [(e.it, e.data) for e, _ in events] == [(1, {"loss": None, "non_finite": ["loss"]})]
    with file.open("ab") as raw:
        raw.write(b" 1}\n")
    writer.write("train", 2, loss=0.5)
    assert [e.it for e, _ in read_events(file, start=events[-1][1])] == [2]


@given(
    st.integers(0, 10**6),
    st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False)),
)
def test_an_event_survives_its_line(it, data):
    event = Event(0, 1.5, 3, it, "train", data)
    assert Event.parse(event.line()) == event


def test_every_reason_has_one_consequence_and_its_counting_follows_the_house_table():
    assert set(CONSEQUENCES) == set(StopReason)
    counted = {r for r, c in CONSEQUENCES.items() if c.counts_as_failure}
    assert counted == {StopReason.WORKER_LOST, StopReason.CRASHED, StopReason.HUNG}
    for reason, consequence in CONSEQUENCES.items():
        waits = consequence.requeue is not Requeue.NEVER
        assert waits == (consequence.next_state in (JobState.QUEUED, JobState.HELD)), reason
        assert consequence.text


def test_an_outcome_that_is_torn_counts_as_none(tmp_path):
    file = tmp_path / "outcome.json"
    outcome = Outcome(StopReason.COMPLETED, "done", 10, 3, {"val/psnr": 30.0}, "export/x.safetensors")
    outcome.write(file)
    assert Outcome.read(file) == outcome
    file.write_text(file.read_text()[:20])
    assert Outcome.read(file) is None
    assert Outcome.read(tmp_path / "none.json") is None


def picture(path: str, **more) -> Picture:
    return Picture(path, 64, 64, 100, 1, "ab", **more)


def test_identity_names_content_split_and_conversion_but_not_place_or_order():
    a, b = picture("a.png"), picture("b.png")
    same = identity_of((a, b), None)
    assert identity_of((b, a), None) == same
    assert identity_of((a, picture("b.png", held_out=True)), None) != same
    assert identity_of((a, b), "lr") != same
    assert identity_of((a,), None) != same


def test_a_listing_can_be_read_back_and_a_torn_one_is_an_error(tmp_path):
    listing = Listing("x", "f" * 64, "/hr", None, None, (picture("a.png"),), {"b.png": "truncated"})
    file = tmp_path / "deep" / "x.json"
    listing.write(file)
    assert Listing.read(file) == listing
    file.write_text(json.dumps({"v": 1}))
    with pytest.raises(DataError, match="list of pictures"):
        Listing.read(file)


def test_a_runs_root_keeps_its_id(tmp_path):
    assert read_root_id(tmp_path / "runs") == read_root_id(tmp_path / "runs")
    assert read_root_id(tmp_path / "other") != read_root_id(tmp_path / "runs")
