"""/metrics: Flower's figures and ours, with the password where Flower has one."""

from __future__ import annotations

import prometheus_client

from srqueue.monitor.backend import Backend
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.metrics import TrainingCollector, snapshot


class MetricsHandler(JsonHandler):
    """In place of Flower's own, which asks nobody for a password."""

    def initialize(self, backend: Backend, collector: TrainingCollector) -> None:  # type: ignore[override]
        """`collector`: registered once in the process."""
        super().initialize(backend)
        self.collector = collector

    async def get(self) -> None:
        """The text format of Prometheus."""
        self.application.purge_offline_worker_metrics()
        self.collector.seen = await self.backend.ask(snapshot, self.backend.store)
        self.set_header("Content-Type", prometheus_client.CONTENT_TYPE_LATEST)
        self.finish(prometheus_client.generate_latest())


def collector() -> TrainingCollector:
    """A collector that prometheus_client asks."""
    made = TrainingCollector()
    prometheus_client.REGISTRY.register(made)
    return made
