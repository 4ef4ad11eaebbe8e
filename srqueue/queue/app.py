"""The Celery app that producers, workers and Flower share."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Queue

from srqueue.queue.routing import queue_name, queue_names
from srqueue.settings import Settings, load_settings
from srqueue.store.keys import broker_prefix
from srqueue.store.record import DEVICE_CLASSES


def make_app(settings: Settings) -> Celery:
    """A Celery app on the server of `settings`. Connects when first used."""
    app = Celery("srqueue", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        # JSON only: a pickled message is code from whoever can write to Redis.
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        # A message only wakes a worker; the record, its lease and its token say who runs a job. Late
        # acknowledgement would run a 30-hour job twice after the visibility timeout or a lost connection.
        task_acks_late=False,
        task_ignore_result=True,
        # A busy worker must not take a doorbell that another could answer, and sit on it for 30 hours.
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # The training goes on where Redis blinks.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=settings.broker_tls,
        broker_transport_options={
            **settings.broker_options,
            "global_keyprefix": broker_prefix(settings.prefix),
            # Any bell serves the best ready job: priorities are the index's affair. Ten lists a queue cost a
            # worker twice the time of a bell.
            "priority_steps": [0],
            "visibility_timeout": 3600,
            "health_check_interval": 25,
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "socket_timeout": 15,  # a bell on a dead connection must not hold up its sweeper
        },
        task_queues=[Queue(name) for name in queue_names(DEVICE_CLASSES)],  # type: ignore[no-untyped-call]
        task_default_queue=queue_name("any"),
        task_create_missing_queues=False,
        # What Flower lives on.
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_track_started=True,
        enable_utc=True,
    )
    return app


def __getattr__(name: str) -> Any:
    """`celery -A srqueue.queue.app`: the app of the environment's settings, made when it is asked for."""
    if name == "app":
        return make_app(load_settings())
    raise AttributeError(f"module 'srqueue.queue.app' has no attribute {name!r}")
