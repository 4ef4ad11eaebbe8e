"""A Celery app whose task does nothing, as anybody would begin it: noop_dispatch.py compares with it.

With OURS in the environment it has the settings of our own app: events for Flower, nothing prefetched.
"""

import os

from celery import Celery

from srqueue.queue.app import make_app
from srqueue.settings import load_settings

settings = load_settings()
app = Celery("bare", broker=settings.broker_url)
app.conf.update(task_ignore_result=True, broker_transport_options={"global_keyprefix": "bare:"})
if "OURS" in os.environ:
    same = make_app(settings).conf
    keys = (
        "task_acks_late",
        "worker_prefetch_multiplier",
        "worker_disable_prefetch",
        "task_track_started",
        "task_send_sent_event",
        "worker_send_task_events",
    )
    app.conf.update({key: same[key] for key in keys})


@app.task
def nothing(hint):
    """Does nothing."""
    return hint
