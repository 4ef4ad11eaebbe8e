"""What a job needs that no worker has, in words; and who is woken for one that several could take."""

import pytest

from srqueue.forecast.earlier import Earlier, Ended
from srqueue.queue.explaining_waits import waiting
from srqueue.queue.facts import Facts
from srqueue.queue.fitting import unmet
from srqueue.queue.steering import fastest
from srqueue.queue.waiting import able, why_waiting
from srqueue.run.reasons import JobState
from srqueue.store.moments import Moments
from srqueue.store.offers import Offer
from srqueue.store.quotas import UserStanding
from srqueue.store.record import JobRecord, WorkerRecord

GIB = 2**30


def worker(name, offer, classes=("cuda", "any")):
    return WorkerRecord(
        name=name,
        host=name,
        pid=1,
        classes=classes,
        device="d",
        version="0",
        since=1.0,
        root_id="r",
        offer=offer,
    )


SMALL = worker("w1", Offer(host="w1", memory=8 * GIB, gpus=1, capability=75, labels=("gpu=t4",), model="T4"))
LARGE = worker("w2", Offer(host="w2", memory=12 * GIB, gpus=1, capability=86, features=("bf16",), model="A"))
PLAIN = worker("w3", Offer(host="w3", features=("bf16",), model="Xeon"), ("any", "cpu"))
OLD = worker("w4", None)
FLEET = [SMALL, LARGE, PLAIN]


def job(lot="", kind="any", **more):
    return JobRecord(
        id="0" * 26, name="job", state=JobState.QUEUED, spec={}, origins={}, spec_id="s", priority=5,
        device_class=kind, created=1.0, updated=1.0, total_iter=9, lot=lot, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lot", "told"),
    [
        (
            "m=24000000000",
            "it needs 24GB of GPU memory (22.4 GiB); the largest card of 3 workers gives a job 12.0 GiB (w2)",
        ),
        ("g=2", "it needs 2 GPUs; no worker has more than 1 (w1)"),
        ("c=90", "it needs compute capability 9.0; the newest card of 3 workers has 8.6 (w2)"),
        ("f=fp8", "it needs fp8, which none of 3 workers computes in"),
        ("h=box", "it is for the machine box, and workers are up on w1, w2, w3 only"),
        ("l=gpu=a100", "it needs the label gpu=a100; there is gpu=t4 (w1)"),
        ("l=room=1", "it needs the label room=1; none of 3 workers has a label room"),
        ("u=bob;m=9999;k=night", None),
        ("", None),
    ],
)
def test_what_no_worker_has_is_named_with_what_there_is(lot, told):
    assert unmet(job(lot), FLEET) == told


def test_a_measured_need_says_so():
    record = job(f"p={40 * GIB}", "cuda", peak=40 * GIB)
    assert unmet(record, FLEET) == (
        "it was measured to need 40.0 GiB of GPU memory; "
        "the largest card of 2 workers gives a job 12.0 GiB (w2)"
    )
    assert unmet(job(f"p={40 * GIB}"), FLEET) is None  # a CPU will do


def test_a_default_that_no_gpu_has_is_told_and_for_how_long():
    record = job(f"p={40 * GIB}", "cuda", guess=40 * GIB)
    assert unmet(record, FLEET) == (
        "a job of its kind took 40.0 GiB of GPU memory; the largest card of 2 workers gives a job 12.0 GiB "
        "(w2); in some seconds it may begin with less"
    )
    why, _ = waiting(Facts(job("", "cuda", guess=40 * GIB, guess_off=True), Moments(2.0), workers=FLEET))
    assert "a job of its kind took 40.0 GiB of GPU memory; no worker had so much: " in " ".join(why)


def test_needs_that_only_several_workers_have_between_them():
    record = job(f"m={10 * GIB};l=gpu=t4", gpu_memory=10 * GIB, needs="l=gpu=t4")
    assert unmet(record, FLEET) == "no worker has all that it needs: 10GiB of GPU memory, gpu=t4"


def test_workers_of_the_version_before_take_only_what_needs_nothing():
    record = job("g=2", needs="g=2")
    assert able(job(), [OLD]) == [OLD] and able(record, [OLD]) == []
    assert "earlier version" in unmet(record, [OLD]) and "2 GPUs" in unmet(record, [OLD])
    assert unmet(record, [OLD, SMALL]).endswith("(1 worker of an earlier version not counted)")


def test_a_job_that_nobody_fits_says_why_it_waits_and_what_to_do():
    record = job("m=24000000000", gpu_memory=24 * 10**9)
    told = why_waiting(record, FLEET, 0, 2.0)
    assert told.startswith("it needs 24GB of GPU memory")
    why, then = waiting(Facts(record, Moments(2.0), workers=FLEET, waits=told))
    assert why == [f"now it waits: {told}"]
    assert then == "start a worker that has it, or ask for less: srqueue needs JOB --help"


def test_a_quota_and_the_turns_of_users_are_told():
    record = job(user="ann")
    assert why_waiting(record, FLEET, 4, 2.0, {"ann": 2}) == (
        "its user ann runs 2 jobs, as many as the quota allows"
    )
    users = [
        UserStanding("ann", 2, 3, 7200.0),
        UserStanding("bob", 0, 1, 60.0),
        UserStanding("cy", 5, 0, 0.0),
    ]
    why, _ = waiting(Facts(record, Moments(2.0), workers=FLEET, waits="behind 1 job", users=users))
    assert (
        "users take turns within a priority, who runs and has trained least first: bob runs 0, 60 s lately, "
        "ann (its own) runs 2, 2.0 h lately" in [line.replace("120 min", "2.0 h") for line in why]
    )


def test_the_device_that_was_fastest_at_the_same_work_is_woken(tiny_spec):
    made = tiny_spec(None, 100)
    spec = made.model_copy(update={"compute": made.compute.model_copy(update={"device": "auto"})})
    record = job()
    record.spec.update(spec.model_dump(mode="json"))

    def ended(model, rate):
        return Ended("job", spec, 100, it_s=rate, device=model, cuda=True)

    assert fastest(record, FLEET, Earlier.of([])) == LARGE  # nothing is known: the newest GPU
    known = [ended("T4", 90.0), ended("A", 60.0)]
    assert fastest(record, [SMALL, LARGE], Earlier.of(known)) == SMALL
    assert fastest(record, FLEET, Earlier.of(known)) == LARGE  # of the CPU nothing is known
    assert fastest(record, FLEET, Earlier.of([*known, ended("Xeon", 100.0)])) == PLAIN
