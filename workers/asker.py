"""Draws cells of searches beside all else: to ask takes seconds, in which a sweeper must not stand still."""

from __future__ import annotations

import logging
import threading

from celery import Celery

from srqueue.errors import ServiceUnreachable
from srqueue.queue.app import make_app
from srqueue.queue.doorbell import ring_missing
from srqueue.queue.drawing import draw
from srqueue.queue.stewarding import tend
from srqueue.settings import Settings
from srqueue.store.connection import Connection
from srqueue.store.store import Store
from workers.verdicts import report_beside

log = logging.getLogger(__name__)


class Asker:
    """One thread at a time, with connections of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None

    def look(self) -> None:
        """Begins to draw what may begin, unless that is being done."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._draw, name="asker", daemon=True)
            self._thread.start()

    def _draw(self) -> None:
        connection = Connection(self._settings)
        try:
            draw_and_ring(Store(connection), make_app(self._settings), self._settings)
        except ServiceUnreachable as error:
            log.debug("no cell was drawn: %s", error.message)
        except Exception:  # whatever a library raises, the sweeper goes on
            log.warning("no cell was drawn", exc_info=True)
        finally:
            connection.close()


def draw_and_ring(store: Store, app: Celery, settings: Settings) -> None:
    """Draws cells, lets them begin and wakes workers for them."""
    if draw(store):
        ring_missing(app, tend(store, lambda record: report_beside(store, settings, record)))
