"""The Celery app as Flower's command line finds it, and with it the Training pages."""

from srqueue.monitor.extension import install
from srqueue.queue.app import make_app
from srqueue.settings import load_settings

_settings = load_settings()
app = make_app(_settings)
install(_settings)
