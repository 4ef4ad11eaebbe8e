"""A worker whose queue has moved to another server hears the bells there, without being started anew."""

from __future__ import annotations

from typing import Any

from srqueue.settings import Settings


class MovedAway(ConnectionError):
    """For Celery's consumer: a connection that was lost, so it connects anew."""


def listen_elsewhere(consumer: Any, there: Settings) -> None:
    """From any thread: the consumer leaves its broker for the one of `there`. What runs goes on."""
    conf = consumer.app.conf
    for name in ("broker_url", "broker_read_url", "broker_write_url"):
        conf[name] = there.broker_url
    conf.broker_transport_options |= there.broker_options
    conf.broker_use_ssl = there.broker_tls
    consumer.hub.call_soon(_lose_connection)


def _lose_connection() -> None:
    raise MovedAway("the queue has moved to another server")
