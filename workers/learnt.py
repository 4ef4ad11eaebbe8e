"""What an attempt that has ended tells of its device, and of jobs of its kind."""

from __future__ import annotations

import contextlib

from pydantic import ValidationError

from srqueue.errors import ServiceUnreachable
from srqueue.forecast.kinds import memory_kind, work_text
from srqueue.queue.device_speeds import DeviceSpeeds
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.spec.job import JobSpec
from srqueue.store.known_memory import KnownMemory
from srqueue.store.record import JobRecord
from srqueue.store.store import Store
from workers.devices import Device


def learn(store: Store, settings: Settings, record: JobRecord, device: Device) -> None:
    """Notes its speed on this machine and, where it has succeeded, in Redis what it took of a GPU."""
    try:
        spec = JobSpec.model_validate(record.spec)
    except ValidationError:
        return
    it_s, on_gpu = record.progress.get("it_s"), "cuda" in record.progress
    own = record.progress.get("kwh_token") == record.token  # else it is what another worker was told of
    if own and isinstance(it_s, int | float) and it_s > 0 and on_gpu == (device.name != "cpu"):
        DeviceSpeeds(settings).note(device.model, device.slots, work_text(spec), it_s)
    if on_gpu and record.peak and record.state is JobState.SUCCEEDED:
        with contextlib.suppress(ServiceUnreachable):  # another job of its kind tells
            KnownMemory(store.connection).note(memory_kind(spec), record.peak)
