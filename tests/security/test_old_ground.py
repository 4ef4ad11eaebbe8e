"""Lines of the checklist that no other test stands on: messages, snapshots, bombs, ends of numbers."""

import copy
import io
import pickle
import struct
import tracemalloc
import zlib
from importlib.metadata import requires

import pytest
from kombu import Queue
from kombu.exceptions import ContentDisallowed
from packaging.requirements import Requirement
from PIL import Image

from srqueue.campaign.spec import campaign_of
from srqueue.errors import DataError, SpecError
from srqueue.queue import drawing
from srqueue.queue.app import make_app
from srqueue.spec.validate import validate
from tests.fuzz.inputs import SPEC
from workers.data_tools.picture import BrokenPicture, inspect
from workers.trainer.data.decode import decode, read_picture


class Evil:
    """Unpickled it makes a file."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return open, (self.file, "w")


def test_torch_is_one_that_reads_weights_without_running_them():
    wanted = [Requirement(text) for text in requires("srqueue") or ()]
    (torch,) = (one for one in wanted if one.name == "torch" and 'extra == "worker"' in str(one.marker))
    assert not torch.specifier.contains("2.9.1") and torch.specifier.contains("2.10.0")


def test_a_pickled_message_is_not_opened(settings, tmp_path):
    app, file = make_app(settings), tmp_path / "ran"
    queue = Queue(app.conf.task_default_queue)
    with app.connection_for_write() as connection:
        connection.Producer().publish(
            pickle.dumps(Evil(file)), routing_key=queue.name, declare=[queue],
            content_type="application/x-python-serialize", content_encoding="binary",
        )  # fmt: skip
        got = []
        consumer = connection.Consumer([queue], accept=app.conf.accept_content, on_message=got.append)
        with consumer:
            connection.drain_events(timeout=10)
        with pytest.raises(ContentDisallowed):
            got[0].decode()
    assert not file.exists()


def test_no_snapshot_of_a_study_is_unpickled(settings, store, tmp_path):
    file = tmp_path / "ran"
    store.connection.redis.set("study:snapshot", pickle.dumps(Evil(file), protocol=0).decode())
    space = {"manual_seed": {"int": [1, 9]}}
    search = {"method": "none", "sampler": "tpe", "trials": 1, "space": space}
    made = campaign_of({"base": {"dataset": "x"}, "search": search}, "n.yaml", "night")
    (stage,) = made.stages.values()
    (trial,) = drawing._ask(settings, "study", stage.search, [], 1)
    assert trial["number"] == 0 and not file.exists()


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes that claims any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_a_picture_that_claims_to_be_huge_costs_no_memory(tmp_path):
    file = tmp_path / "bomb.png"
    file.write_bytes(bomb(1 << 20))
    tracemalloc.start()
    with pytest.raises(BrokenPicture, match="claims"):
        inspect(file)
    with pytest.raises(DataError, match="cannot decode"):
        decode(file.read_bytes(), str(file))
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("train.total_iter", 10**12), ("datasets.train.lq_size", 10**6), ("datasets.train.batch_size", 10**6),
        ("network_g.num_feat", 10**6), ("network_g.num_conv", 10**6), ("scale", 1000), ("name", "x" * 65),
    ],
)  # fmt: skip
def test_a_spec_asks_for_no_boundless_work(place, value):
    with pytest.raises(SpecError, match=place):
        validate(changed(place, value), "mine")


def test_a_network_is_a_name_of_ours_and_nothing_is_imported():
    for name in ("os.system", "srqueue.cli.main", "../net.py", "__import__('os')"):
        with pytest.raises(SpecError, match=r"network_g\.type: unknown value"):
            validate(changed("network_g.type", name), "mine")


def test_a_jpeg_of_endless_scans_or_of_another_format_is_not_decoded(tmp_path):
    made = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(made, "JPEG", progressive=True)
    head, _, rest = made.getvalue().partition(b"\xff\xda")
    bomb = head + (b"\xff\xda" + rest[:12]) * 300 + b"\xff\xda" + rest
    (tmp_path / "bomb.jpg").write_bytes(bomb)
    with pytest.raises(BrokenPicture, match="more than 256 scans"):
        inspect(tmp_path / "bomb.jpg")
    with pytest.raises(DataError, match="more than 256 scans") as caught:
        read_picture(tmp_path / "bomb.jpg")
    assert caught.value.where == str(tmp_path / "bomb.jpg")
    # Pillow hands this one to Ghostscript.
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(DataError, match="not a picture"):
        read_picture(tmp_path / "a.png")


def test_a_deep_picture_takes_no_more_memory_than_a_few_of_its_size():
    png = png_of(2048, 2048, b"\x12\x34" * 3)
    decode(png, "warm")
    tracemalloc.start()
    decode(png, "x")
    assert tracemalloc.get_traced_memory()[1] < 9 * 2048 * 2048 * 3
    tracemalloc.stop()


def png_of(width: int, height: int, pixel: bytes) -> bytes:
    """A PNG with 16 bits a channel, all of one colour."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = zlib.compress((b"\0" + pixel * width) * height, 1)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def changed(place: str, value: object) -> dict:
    spec = copy.deepcopy(SPEC)
    *way, last = place.split(".")
    inner = spec
    for key in way:
        inner = inner[key]
    inner[last] = value
    return spec
