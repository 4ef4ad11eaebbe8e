"""What reads bytes of others: each takes any bytes, and raises nothing but what it says it raises."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from srqueue.campaign.spec import campaign_of
from srqueue.errors import CheckpointError, DataError, SpecError, SrqueueError
from srqueue.remote.pulling import read_list
from srqueue.remote.sealed import read_seal
from srqueue.run.card import JobCard
from srqueue.run.events import Event, read_events
from srqueue.run.listing import Listing
from srqueue.run.outcome import Outcome
from srqueue.spec.job import spec_id
from srqueue.spec.reading import read_yaml
from srqueue.spec.stopping import parse_rules
from srqueue.spec.validate import validate
from srqueue.spec.windows import parse_windows
from srqueue.store.packing import unpack
from srqueue.store.record import JobRecord
from srqueue.store.scores import unpacked
from srqueue.store.signing import Keyring
from workers.data_tools.picture import BrokenPicture, inspect
from workers.thumbnails import read_thumbnails
from workers.trainer.checkpoint import MANIFEST, digest_of, read_manifest
from workers.trainer.versions import NewerVersion

_FOLDER = Path(tempfile.mkdtemp(prefix="srq-fuzz-"))
_KEYS = Keyring((b"k" * 32,))


def _file(data: bytes, name: str = "file") -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def yaml(data: bytes) -> None:
    with suppress(SpecError):
        read_yaml(_text(data), "fuzz")


def spec(data: bytes) -> None:
    with suppress(SrqueueError):
        value = read_yaml(_text(data), "fuzz")
        if isinstance(value, dict):
            checked = validate(value, "fuzz")
            assert validate(checked.model_dump(mode="json"), "again") == checked
            spec_id(checked)


def campaign(data: bytes) -> None:
    with suppress(SrqueueError):
        value = read_yaml(_text(data), "fuzz")
        if isinstance(value, dict):
            campaign_of(value, "fuzz", "night")


def rules(data: bytes) -> None:
    for parse in (parse_rules, parse_windows):
        with suppress(SrqueueError):
            for one in parse(_text(data)):
                assert parse(str(one)) == (one,)


def event(data: bytes) -> None:
    with suppress(ValueError, KeyError, TypeError):
        Event.parse(data).line()
    found = list(read_events(_file(data + b"\n")))
    assert all(0 < offset <= len(data) + 1 for _, offset in found)


def manifest(data: bytes) -> None:
    folder = _FOLDER / "ckpt-000001-it10-t1"
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_bytes(data)
    with suppress(CheckpointError, NewerVersion):
        read_manifest(folder)
    with suppress(ValueError, RecursionError):  # with a digest that is right: what is behind it is reached
        body = json.loads(data)
        if isinstance(body, dict):
            body = {key: value for key, value in body.items() if key != "digest"}
            (folder / MANIFEST).write_text(json.dumps({"digest": digest_of(body), **body}))
            with suppress(CheckpointError, NewerVersion):
                read_manifest(folder)


def seal(data: bytes) -> None:
    name = "ckpt-000001-it10-t1"
    with suppress(CheckpointError):
        read_seal(data, name)
    with suppress(ValueError, RecursionError):  # with a digest that is right, as above
        body = json.loads(data)
        if isinstance(body, dict):
            body = {key: value for key, value in body.items() if key != "digest"}
            with suppress(CheckpointError):
                read_seal(json.dumps({"digest": digest_of(body), **body}).encode(), name)


def results(data: bytes) -> None:
    with suppress(DataError):
        for one in read_list(data, "fuzz"):
            assert ".." not in one.path and one.path[:1] != "/"


def listing(data: bytes) -> None:
    with suppress(DataError):
        Listing.read(_file(data))


def card(data: bytes) -> None:
    with suppress(OSError, ValueError, TypeError):
        JobCard.read(_file(data))


def outcome(data: bytes) -> None:
    Outcome.read(_file(data))


def packed(data: bytes) -> None:
    with suppress(ValueError, zlib.error):
        unpack(_text(data))


def scores(data: bytes) -> None:
    unpacked(data)
    unpacked(zlib.compress(data))


def thumbnails(data: bytes) -> None:
    read_thumbnails(_file(data))


def picture(data: bytes) -> None:
    with suppress(BrokenPicture):
        inspect(_file(data), thumbnail=True)


def signature(data: bytes) -> None:
    fields = {
        "id": "x",
        "name": "n",
        "state": "queued",
        "spec_id": "s",
        "priority": "5",
        "device_class": "any",
    }
    job = JobRecord.from_hash({**fields, "created": "1", "updated": "1", "spec": "{}", "origins": "{}"})
    assert _KEYS.wrong_with_job(job, _text(data))


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (
        yaml, spec, campaign, rules, event, manifest, seal, results, listing, card, outcome, packed,
        scores, thumbnails, picture, signature,
    )
}  # fmt: skip
"""By name: the folder of its corpus."""
