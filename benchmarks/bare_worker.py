"""Celery apps whose tasks do nothing: noop_dispatch.py compares with them.

`plain` is as anybody would begin it. `same` has all settings of our own app: three queues,
nothing prefetched, events for Flower.
"""

from celery import Celery

from srqueue.queue.app import make_app
from srqueue.settings import load_settings


def nothing(hint):
    """Does nothing."""
    return hint


plain = Celery("plain", broker=load_settings().broker_url)
plain.conf.update(task_ignore_result=True, broker_transport_options={"global_keyprefix": "plain:"})
same = make_app(load_settings())
same.conf.broker_transport_options["global_keyprefix"] = "same:"
for app in (plain, same):
    app.task(nothing, name="nothing")
