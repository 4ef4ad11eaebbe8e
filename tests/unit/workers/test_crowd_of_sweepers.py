"""Many sweepers wait for the same moment, and what is due then is done once."""

import threading

from srqueue.run.reasons import JobState
from workers import sweeper as sweeping
from workers.devices import find_device
from workers.sweeper import Sweeper


def test_one_that_comes_later_sees_that_it_is_done(settings, store, wait_until, monkeypatch):
    patient = settings.model_copy(update={"sweep": 300.0, "lease": 1200.0})
    first, later = (Sweeper(patient, f"w{i}@here", find_device(patient)) for i in range(2))
    swept, looked, real = [], [], Sweeper.sweep
    monkeypatch.setattr(Sweeper, "sweep", lambda self: (swept.append(self), real(self)))
    due = type(store).next_due
    monkeypatch.setattr(type(store), "next_due", lambda self: (looked.append(self), due(self))[1])
    last = {first: 0.0, later: 1.5}
    monkeypatch.setattr(sweeping.random, "uniform", lambda _, most: last[threading.current_thread()])
    job, _ = store.create("0" * 26, spec={}, origins={}, spec_id="x", name="n", total_iter=1)
    store.claim("gone:1", "h", ["any"], 1.0, {"root": "/runs"})
    for one in (first, later):
        one.start()
    try:
        wait_until(lambda: swept.count(first) >= 3, "its lease ended, and then its wait after the failure")
        assert store.get(job.id).state is JobState.QUEUED and store.get(job.id).not_before is None
        wait_until(lambda: looked.count(later._store) >= 3, "the other has looked as well")
        assert swept.count(later) == 1  # when it began
    finally:
        for one in (first, later):
            one.stop()
            one.join(5)
