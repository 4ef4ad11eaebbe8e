"""Workers of unlike kinds, jobs that ask for things, and who may take what in plain words."""

from itertools import count

from hypothesis import strategies as st
from ulid import ULID

from srqueue.spec.needs import NeedsSpec
from srqueue.store.new import NewJob
from srqueue.store.offers import Offer
from srqueue.store.record import WorkerRecord

GIB = 2**30
CPU = Offer(host="box0", features=("bf16",), model="cpu")
SMALL = Offer(host="box1.lab", memory=12 * GIB, gpus=1, capability=75, labels=("room=1",), model="T4")
LARGE = Offer(
    host="box2",
    memory=80 * GIB,
    gpus=2,
    capability=90,
    features=("bf16", "fp8"),
    labels=("gpu=h100", "room=2"),
)
CLASSES = {CPU: ("cpu", "any"), SMALL: ("cuda", "any", "cpu"), LARGE: ("cuda", "any")}
ROOTS = {"r": "/runs"}
NEEDS = st.builds(
    NeedsSpec,
    gpu_memory=st.sampled_from([None, 4 * GIB, 24 * GIB]),
    gpus=st.sampled_from([0, 0, 1, 2]),
    require=st.sampled_from([(), (), ("bf16",), ("cc8.0",), ("fp8", "bf16")]),
    host=st.sampled_from([None, None, "box1", "BOX2", "box1.lab"]),
    labels=st.sampled_from([(), (), ("room=1",), ("gpu=h100", "room=2")]),
)
JOBS = st.tuples(
    NEEDS,
    st.sampled_from(["any", "cpu", "cuda"]),
    st.integers(4, 6),
    st.sampled_from(["", "ann", "bob", "cy"]),
)


USERS = st.sampled_from(["ann", "bob", "cy"])
NUMBERS = count(1 << 80)  # of one moment, the lower id goes first


NOTHING = NeedsSpec()


def job(needs=NOTHING, kind="any", priority=5, user="", share=""):
    return NewJob(
        str(ULID.from_int(next(NUMBERS))),
        {},
        {},
        str(ULID()),
        "job",
        9,
        priority,
        kind,
        needs=needs,
        user=user,
        share=share,
    )


def make(store, *jobs, campaign=""):
    return [job_id for job_id, _ in store.create_many(jobs, campaign=campaign)]


def claim(store, offer, worker="w"):
    return store.claim(f"{worker}:7", offer.host, CLASSES[offer], 3600, ROOTS, offer=offer)


def claimed(store, offer, worker="w"):
    found = claim(store, offer, worker)
    return found and found.record.id


def worker(offer, name="w", **more):
    return WorkerRecord(
        name=name, host=offer.host, pid=1, classes=CLASSES[offer], device="d", version="0", since=1.0,
        root_id="r", offer=offer, **more,
    )  # fmt: skip


def may_take(offer, needs):
    """In plain words."""
    host = offer.host.lower()
    least = [int(f[2:].replace(".", "")) for f in needs.require if f.startswith("cc")]
    return (
        (needs.gpu_memory or 0) <= offer.memory
        and needs.gpus <= offer.gpus
        and all(offer.capability >= capability for capability in least)
        and all(f in offer.features for f in needs.require if not f.startswith("cc"))
        and needs.host in (None, host, host.split(".")[0])
        and set(needs.labels) <= set(offer.labels)
    )
