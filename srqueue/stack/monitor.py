"""The Celery app as Flower's command line finds it."""

from srqueue.queue.app import make_app
from srqueue.settings import load_settings

app = make_app(load_settings())
