"""Names on the wire: the task, one Celery queue a device class, and one a worker."""

from __future__ import annotations

from collections.abc import Iterable

from srqueue.errors import UsageError
from srqueue.store.record import DEVICE_CLASSES

TASK_RUN_JOB = "srqueue.run_job"


def queue_name(device_class: str) -> str:
    """The Celery queue whose doorbells wake the workers of a device class."""
    if device_class not in DEVICE_CLASSES:
        raise UsageError(f"device class {device_class!r} is none of {', '.join(DEVICE_CLASSES)}")
    return f"srqueue.{device_class}"


_OWN = "srqueue.of."


def own_queue(worker: str) -> str:
    """The Celery queue that this worker alone listens to: for jobs that only some workers fit."""
    return _OWN + worker


def is_own(queue: str) -> bool:
    """Whether a queue is one worker's."""
    return queue.startswith(_OWN)


def queue_names(device_classes: Iterable[str]) -> list[str]:
    """The Celery queues of a worker."""
    return [queue_name(c) for c in device_classes]
