"""Levers that are measured: each is used where it pays, and what was found is kept."""

import json
import shutil

import pytest
import torch

from srqueue.spec.job import ComputeSpec
from workers.trainer import levers
from workers.trainer.levers import choose
from workers.trainer.resolve import Machine, decide

CPU = torch.device("cpu")
MODERN = Machine(CPU, has_bf16=True, threads=0)


@pytest.fixture
def spec(tiny_spec):
    """A long run of a tiny network, with an asked compute section."""

    def make(total=100_000, **asked):
        given = tiny_spec(None, total, compute=asked)
        return given.model_copy(update={"compute": decide(ComputeSpec(**asked), MODERN, 8)})

    return make


@pytest.fixture
def timed(monkeypatch):
    """Milliseconds of a step by what it is computed with: `words -> ms`."""

    def use(table):
        asked = []

        def milliseconds(spec, compute, device, *_):
            asked.append(levers._words(compute))
            return table[levers._words(compute)]

        monkeypatch.setattr(levers, "_milliseconds", milliseconds)
        return asked

    return use


def never():
    return False


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"bf16 channels_last": 20, "fp32 channels_last": 30, "bf16 contiguous": 25}, ("bf16", True)),
        # bf16 that hardly pays is not worth its digits; a layout is left only for a real gain
        ({"bf16 channels_last": 20, "fp32 channels_last": 20.5, "fp32 contiguous": 20}, ("fp32", True)),
        ({"bf16 channels_last": 20, "fp32 channels_last": 30, "bf16 contiguous": 15}, ("bf16", False)),
    ],
)
def test_what_pays_is_used(tmp_path, spec, timed, table, expected):
    timed(table)
    compute, told = choose(spec(), ComputeSpec(), CPU, tmp_path / "levers.json", never)
    assert (compute.precision, compute.channels_last, compute.compile) == (*expected, False)
    assert all(words in told for words in table)


def test_a_compiler_is_tried_in_the_fast_mode_only_and_none_there_is_no_error(tmp_path, spec, timed):
    table = {"bf16 channels_last": 20, "fp32 channels_last": 30, "bf16 contiguous": 25}
    asked = timed(table | {"bf16 channels_last compiled": 10})
    fast = spec(mode="fast")
    compute, _ = choose(fast, ComputeSpec(mode="fast"), CPU, tmp_path / "a.json", never)
    assert (compute.compile, compute.mode) == (True, "fast")
    timed(table | {"bf16 channels_last compiled": None})
    assert not choose(fast, ComputeSpec(mode="fast"), CPU, tmp_path / "b.json", never)[0].compile
    assert "bf16 channels_last compiled" in asked


def test_what_was_asked_for_or_ends_soon_is_not_measured(tmp_path, spec, timed):
    asked = timed({"bf16 channels_last": 20})
    given = ComputeSpec(precision="bf16", channels_last=True)
    assert choose(spec(precision="bf16", channels_last=True), given, CPU, tmp_path / "c", never)[1] == ""
    assert choose(spec(total=1000), ComputeSpec(), CPU, tmp_path / "c", never)[1] == ""
    assert asked == []
    # a run of five minutes costs the look that tells so
    assert choose(spec(total=15_000), ComputeSpec(), CPU, tmp_path / "c", never)[1] == ""
    assert asked == ["bf16 channels_last"]


def test_a_second_job_of_the_kind_takes_over_what_the_first_found(tmp_path, spec, timed):
    cache = tmp_path / "levers.json"
    timed({"bf16 channels_last": 20, "fp32 channels_last": 30, "bf16 contiguous": 15})
    first, _ = choose(spec(), ComputeSpec(), CPU, cache, never)
    asked = timed({})
    assert choose(spec(), ComputeSpec(), CPU, cache, never) == (first, "")
    assert asked == []
    cache.write_text("[1, 2")  # torn by a full disk: measured again
    timed({"bf16 channels_last": 20, "fp32 channels_last": 30, "bf16 contiguous": 15})
    assert choose(spec(), ComputeSpec(), CPU, cache, never)[0] == first


def test_a_request_to_stop_leaves_the_rule(tmp_path, spec, timed):
    timed({"bf16 channels_last": 20})
    compute, told = choose(spec(), ComputeSpec(), CPU, tmp_path / "levers.json", lambda: True)
    assert (compute.precision, told) == ("bf16", "")
    assert not (tmp_path / "levers.json").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler here")
def test_real_steps_are_timed(tmp_path, spec, monkeypatch):
    monkeypatch.setattr(levers, "WORTH", 0.0)
    cache = tmp_path / "levers.json"
    _, told = choose(spec(mode="fast"), ComputeSpec(mode="fast"), CPU, cache, never)
    (found,) = json.loads(cache.read_text()).values()
    assert set(found["levers"]) == {"precision", "channels_last", "compile"}
    assert len(found["milliseconds_a_step"]) == 4
    assert all(time > 0 for time in found["milliseconds_a_step"].values())
    assert "milliseconds a step" in told
