"""What is foreseen of jobs that wait, by what workers announce and trainers tell."""

import torch

from srqueue.forecast.earlier import Earlier, Ended
from srqueue.queue.cell_forecasts import on_cuda
from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.queue.of_queue import before
from srqueue.queue.placing import device_class
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.spec.needs import NeedsSpec
from srqueue.store.record import JobRecord, WorkerRecord
from workers.devices import find_device
from workers.trainer.fingerprint import device_name


def worker():
    device = find_device(Settings(device="cpu"))
    return WorkerRecord(
        name="w@here", host="here", pid=1, classes=device.classes, device=device.label, version="0",
        since=1.0, offer=device.offer(Settings()),
    )  # fmt: skip


def test_the_speed_on_the_workers_own_processor_counts_before_that_on_others(tiny_spec, tmp_path):
    spec, own = tiny_spec(None, 1000), device_name(torch.device("cpu"))
    record = JobRecord(
        id="0" * 26, name="tiny", state=JobState.QUEUED, spec=spec.model_dump(mode="json"), origins={},
        spec_id="s", priority=5, device_class="cpu", created=1.0, updated=1.0, total_iter=1000,
    )  # fmt: skip
    ran = [
        Ended("job", spec, 1000, it_s=it_s, device=name, cuda=False)
        for name, it_s in (("Old Processor", 1.0), (own, 50.0), ("Old Processor", 1.0))
    ]
    kept = KeptSpeeds(Settings(home=tmp_path))
    assert before(record, Earlier.of(ran), [worker()], kept, None).seconds.middle == 1000 / 50


def test_a_spec_that_needs_a_gpu_is_foreseen_on_one_as_it_will_be_queued(tiny_spec):
    spec = tiny_spec(None, 1000)
    auto = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": "auto"})})
    needs = auto.model_copy(update={"needs": NeedsSpec(gpus=1)})
    for one, wanted in ((auto, False), (needs, True), (spec, False)):
        assert on_cuda(Settings(), one, [worker()]) is wanted
        assert (device_class(one.compute.device, one.needs) == "cuda") is wanted
