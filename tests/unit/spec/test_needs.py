"""What a job needs of its worker: how it is written, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SpecError
from srqueue.spec.job import spec_id
from srqueue.spec.needs import FEATURES, NeedsSpec, memory_text, needs_text, parse_labels, parse_memory
from srqueue.spec.validate import validate
from srqueue.store.offers import coarse, needs_from, parts_text


@pytest.mark.parametrize(
    ("text", "amount"),
    [("12GB", 12 * 10**9), ("12 GiB", 12 * 2**30), ("800mb", 8 * 10**8), ("1.5G", 15 * 10**8)],
)
def test_memory_is_written_with_its_unit(text, amount):
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["12", "GB", "12 apples", "-1GB", "0GB", "1e3GB", "9999999TB", ""])
def test_what_is_no_amount_of_memory_says_how_to_write_one(text):
    with pytest.raises(SpecError) as error:
        parse_memory(text)
    assert "12GB" in error.value.hint


@given(st.integers(1, 2**49))
def test_memory_is_read_back_as_it_was_told(amount):
    assert parse_memory(memory_text(amount)) == amount


@given(st.integers(1, 2**40))
def test_a_measured_peak_is_rounded_up_by_an_eighth_at_most_into_few_steps(amount):
    assert max(amount, 1 << 30) <= coarse(amount) <= max(amount * 1.125 + 1, 1 << 30)
    assert coarse(coarse(amount)) == coarse(amount)


def test_there_are_few_steps_up_to_the_largest_card():
    assert len({coarse(mib << 20) for mib in range(1, 200_000, 50)}) < 70


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ({"require": ["bf61"]}, "did you mean 'bf16'"),
        ({"require": "cc8"}, "cc8.0"),
        ({"gpu_memory": "12 apples"}, "12GB"),
        ({"gpu_memory": True}, "needs.gpu_memory"),
        ({"labels": ["gpu"]}, "gpu=a100"),
        ({"labels": ["gpu=a", "gpu=b"]}, "stands twice"),
        ({"labels": ["gpu=a;u=bob"]}, "no label"),
        ({"host": "a;b"}, "no name of a machine"),
        ({"gpu_memry": "12GB"}, "did you mean 'gpu_memory'"),
        ({"gpus": -1}, "needs.gpus"),
    ],
)
def test_what_cannot_be_needed_is_told_with_its_key(tiny_spec, needs, told):
    raw = {**tiny_spec(None, 10).model_dump(mode="json"), "needs": needs, "compute": {"device": "auto"}}
    with pytest.raises(SpecError) as error:
        validate(raw, "test")
    assert told in f"{error.value.message} {error.value.hint}"


def test_a_job_for_the_cpu_cannot_need_a_gpu(tiny_spec):
    raw = tiny_spec(None, 10).model_dump(mode="json")
    with pytest.raises(SpecError, match=r"compute\.device is cpu"):
        validate({**raw, "needs": {"gpu_memory": "1GB"}}, "test")
    assert validate({**raw, "needs": {"require": "bf16", "labels": {"room": 3}}}, "test").needs.labels == (
        "room=3",
    )


def test_what_a_job_needs_is_not_part_of_what_it_is(tiny_spec):
    spec = tiny_spec(None, 10)
    placed = spec.model_copy(update={"needs": NeedsSpec(host="box1")})
    assert spec_id(placed) == spec_id(spec)


def test_needs_survive_the_record():
    needs = NeedsSpec(
        gpu_memory="12GB",
        gpus=2,
        require=("cc8.6", "bf16", "fp8"),
        host="Box1",
        labels=["room=3", "gpu=a100"],
    )
    assert needs.host == "box1"
    assert needs_from(needs.gpu_memory, parts_text(needs)) == needs
    assert needs_text(needs) == "12GB of GPU memory, 2 GPUs, cc8.6, bf16, fp8, host box1, gpu=a100, room=3"
    assert not NeedsSpec() and needs_from(None, None) == NeedsSpec()


def test_labels_of_a_worker_are_read_from_one_text():
    assert parse_labels("room=3, gpu=a100,") == ("gpu=a100", "room=3")
    assert all(name == name.lower() for name in FEATURES)
