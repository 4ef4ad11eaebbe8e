"""Who can write to Redis alone gets no file of this machine shown, however a person looks at the job."""

import json
import re
import socket
from pathlib import Path

import pytest
from ulid import ULID

from srqueue.cli.__main__ import main
from srqueue.monitor.backend import run_folder
from srqueue.queue.forecasts import from_history
from srqueue.run.events import Event
from srqueue.run.folder import RunDir, read_root_id
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec
from srqueue.store.run_folders import not_read, run_of

ROOT = Path(__file__).parents[2]
CANARY = "not-for-your-eyes"
SHOWN_ONLY = {
    "srqueue/cli/live.py": "prints where the log lies",
    "srqueue/cli/rm.py": "compares it with the runs root before anything is deleted",
    "srqueue/queue/explaining.py": "prints where the log lies",
    "srqueue/store/run_folders.py": "the one place that decides",
}
"""Where a path is made of what a record says, and why nothing can be read by it."""


@pytest.fixture
def forged(store, settings, tmp_path, tiny_spec):
    """A job of this machine whose record names a folder that looks like a run folder, outside every root."""
    spec = tiny_spec(None, 9).model_dump(mode="json")
    read_root_id(settings.runs_root)
    job, _ = store.create(str(ULID()), spec=spec, origins={}, spec_id="x", name="a", total_iter=9)
    claim = store.claim("w:1", socket.gethostname(), ["any"], 60, {"root": str(settings.runs_root)})
    store.finish(job.id, claim.token, Outcome(StopReason.COMPLETED, "", 9, metrics={"best/psnr": 30.0}))
    run = RunDir(tmp_path / "home" / job.id).create()
    attempt = run.write_attempt(claim.token, None)
    run.spec_file.write_text(json.dumps({**spec, "name": CANARY}))
    run.resolved_file.write_text(json.dumps({"compute": {"device": "cpu"}}))
    attempt.log_file.write_text(CANARY)
    attempt.events_file.write_text(
        Event(0, 1.0, claim.token, 1, "message", {"level": "info", "text": CANARY}).line() + "\n"
        + Event(1, 2.0, claim.token, 2, "train", {"it_s": 5.0, "seconds": 1.0}).line() + "\n"
    )  # fmt: skip
    run.export.mkdir(exist_ok=True)
    (run.export / f"{CANARY}.safetensors").write_bytes(CANARY.encode())
    fields = {"run_dir": str(run.path), "root_id": read_root_id(settings.runs_root)}
    store.connection.redis.hset(store.keys.job(job.id), mapping=fields)
    return store.get(job.id)


@pytest.mark.parametrize(
    "argv",
    [["logs"], ["logs", "--json"], ["logs", "-f"], ["show"], ["show", "--json"], ["explain"], ["report"]],
    ids=" ".join,
)
def test_no_command_shows_a_folder_that_a_record_made_up(argv, forged, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, *options = argv
    assert main([verb, forged.id, *options]) == 0
    told = capsys.readouterr()
    reports = "".join(file.read_text() for file in tmp_path.glob("*.html"))
    assert CANARY not in told.out + told.err + reports
    if verb == "logs":
        assert "is not read: it is no run folder" in told.err


def test_neither_flower_nor_a_forecast_nor_a_campaign_reads_there(forged, store):
    assert "in a runs root" in (not_read(forged) or "")
    assert run_of(forged) is None and run_folder(forged) is None
    assert from_history(JobSpec.model_validate(forged.spec), [forged], "cpu") is None
    # Only what asks `run_of` makes a folder of a record.
    made = re.compile(r"Path\([^()]*(?:\([^()]*)?run_dir")
    found = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "srqueue").rglob("*.py")
        if any(made.search(line) and "settings" not in line for line in file.read_text().splitlines())
    }
    assert found - set(SHOWN_ONLY) <= {"srqueue/run/confined.py"}
