"""Two machines, one much slower: a job that could begin there is left to the faster one, and ends there."""

from pathlib import Path

from srqueue.run.reasons import JobState
from srqueue.spec.needs import NeedsSpec
from tests.conftest import ROOT
from tests.faults.conftest import IN_THE_TRAINER

OLD = "Old Processor"
SLOW = """
import time

from workers.trainer.optim.ema import Ema

update = Ema.update

def slowly(self, done):
    time.sleep(0.15)
    update(self, done)

Ema.update = slowly
"""


def test_a_job_is_left_to_the_faster_of_two_machines_and_ends_there(
    lab, client, work_on, tiny_dataset, tiny_spec, tmp_path, wait_until
):
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(IN_THE_TRAINER)
    (folder / "fault.py").write_text(SLOW)
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" not in line]
    processor = tmp_path / "cpuinfo"
    processor.write_text("\n".join([f"model name\t: {OLD}", *names, ""]))
    work_on(lab.one, SRQUEUE_LABELS="room=1")
    slow = work_on(lab.two, within=processor, SRQUEUE_LABELS="room=2", PYTHONPATH=f"{folder}:{ROOT}")
    identity = tiny_dataset(client.settings).identity

    def submit(seed, total, room=None):
        spec = tiny_spec(identity, total, manual_seed=seed)
        needs = NeedsSpec(labels=[f"room={room}"]) if room else NeedsSpec()
        return client.submit(spec.model_copy(update={"needs": needs})).job

    for job in (submit(1, 200, 1), submit(2, 60, 2)):  # from now on it is known how fast they are
        assert client.wait(job.id, timeout=300).state is JobState.SUCCEEDED
    long = submit(3, 2500, 1)
    wait_until(lambda: client.get(long.id).progress.get("eta_s"), "it is known when it ends", 120)
    job = submit(4, 2500)
    told = wait_until(lambda: (m := client.get(job.id).message) and "left to" in m and m, "it is left", 60)
    assert told.startswith(f"left to {client.get(long.id).worker}, which is free in about ")
    done = client.wait(job.id, timeout=600)
    assert (done.state, done.attempts, done.failures) == (JobState.SUCCEEDED, 1, 0)
    (attempt,) = client.store.attempts(job.id)
    assert attempt.worker.startswith(f"w@{lab.one.name}") and done.started > client.get(long.id).finished
    assert "Traceback" not in slow.text()
