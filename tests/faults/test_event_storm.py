"""A trainer that writes fifty thousand event lines at once."""

import psutil

from srqueue.store.store import EVENTS_KEPT
from tests.faults.queued import assert_exact, assert_one_run, run_of, trainer_of

STORM = 50_000
STORMS = f"""
from srqueue.run.events import EventWriter

real = EventWriter.write

def write(self, kind, iteration, **data):
    event = real(self, kind, iteration, **data)
    if kind == "val" and not hasattr(self, "stormed"):
        self.stormed = True
        for number in range({STORM}):
            real(self, "message", iteration, level="info", text=f"drop {{number}}")
    return event

EventWriter.write = write
"""


def test_the_lease_is_kept_and_nothing_grows_without_bound(
    client, spec_for, start_worker, fault_in_trainers, undisturbed_job, wait_until
):
    fault_in_trainers(STORMS)
    start_worker()
    job = client.submit(spec_for(client)).job
    wait_until(lambda: client.get(job.id).run_dir, "it is claimed")
    trainer = wait_until(lambda: trainer_of(client.get(job.id)), "its trainer is noted")
    supervisor = psutil.Process(trainer.ppid())
    before = supervisor.memory_info().rss
    done = client.wait(job.id, timeout=240)
    assert supervisor.memory_info().rss - before < 50e6
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)
    assert sum(1 for _ in run_of(done).events()) > STORM
    kept = client.store.connection.redis.xlen(client.store.connection.keys.events(job.id))
    assert EVENTS_KEPT / 4 <= kept <= 1.5 * EVENTS_KEPT
    last = list(client.events(job.id))[-1]
    assert (last.kind, last.data["phase"]) == ("phase", "finished")
