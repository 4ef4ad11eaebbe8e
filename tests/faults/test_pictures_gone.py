"""Training pictures are removed or changed under a run."""

import shutil

import pytest

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import assert_exact, iteration_on_disk, trainer_of


@pytest.fixture(scope="session")
def pictures(pictures, tmp_path_factory):
    """A copy that may be spoilt."""
    return shutil.copytree(pictures, tmp_path_factory.mktemp("own") / "pictures")


SPOIL = {"removed": lambda file: file.unlink(), "changed": lambda file: file.write_bytes(b"x" * 999)}


@pytest.mark.parametrize("how", SPOIL)
def test_the_run_goes_on_and_a_resumed_one_waits_for_the_file(
    client, running, start_worker, pictures, undisturbed_job, wait_until, how
):
    start_worker()
    job = running()
    file = pictures / "a.png"
    whole = file.read_bytes()
    try:
        SPOIL[how](file)
        seen = iteration_on_disk(job)
        wait_until(lambda: iteration_on_disk(job) > seen, "the training goes on, from memory")
        trainer_of(job).kill()
        wait_until(lambda: client.get(job.id).state is JobState.HELD, "the job is held")
        held = client.get(job.id)
        assert (held.reason, held.failures) == (StopReason.DATA_MISSING, 0)
        assert str(file) in held.message
        assert held.not_before is not None  # looked at again by itself
    finally:
        file.write_bytes(whole)
    client.resume(job.id)
    done = client.wait(job.id, timeout=120)
    assert_exact(client, done, undisturbed_job)
