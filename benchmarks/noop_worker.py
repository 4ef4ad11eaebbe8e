"""The worker of srqueue with jobs that end as soon as they are claimed: what noop_dispatch.py measures."""

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers import tasks
from workers.app import app as app


class NoTraining:
    """Stands where the supervisor of a trainer would: it reports a training that is over."""

    def __init__(self, store, settings, claim, **_):
        self._store, self._claim = store, claim

    def run(self):
        """The record after the attempt."""
        outcome = Outcome(StopReason.COMPLETED, "", self._claim.record.total_iter)
        return self._store.finish(self._claim.record.id, self._claim.token, outcome)


tasks.Supervisor = NoTraining
