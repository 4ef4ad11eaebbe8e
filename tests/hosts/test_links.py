"""The network between a worker's host and Redis: cut, cut for longer than a lease, and slow."""

import time

from srqueue.run.reasons import JobState
from tests.faults.queued import TOTAL, assert_exact, assert_one_run, iteration_on_disk, run_of


def test_a_host_that_is_cut_off_and_comes_back_goes_on(
    lab, client, submit, work_on, wait_until, undisturbed_job, note
):
    worker = work_on(lab.one)
    job = submit(client)
    lab.one.cut_off()
    begun, seen = time.monotonic(), iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > min(seen + 300, TOTAL - 1), "the training goes on")
    time.sleep(max(0.0, begun + 1.5 * client.settings.lease - time.monotonic()))
    cut = time.monotonic() - begun
    lab.one.back()
    done = client.wait(job.id, timeout=300)
    assert_one_run(done)  # nobody else was there to take it
    assert_exact(client, done, undisturbed_job)
    assert "Traceback" not in worker.text()
    note("the only worker's link cut, longer than a lease, and back", done, cut_s=round(cut, 1))


def test_the_job_of_a_host_that_stays_cut_off_ends_elsewhere_and_the_first_one_gives_up(
    lab, client, submit, spec_for, tiny_spec, work_on, wait_until, undisturbed_job, note
):
    first = work_on(lab.one)
    job = submit(client)
    second = work_on(lab.two)
    assert client.get(job.id).host == "one"
    lab.one.cut_off()
    begun = time.monotonic()
    wait_until(lambda: client.get(job.id).token == 2, "it is taken over", 120)
    taken = time.monotonic() - begun
    lab.one.back()
    done = client.wait(job.id, timeout=300)
    assert done.host == "two" and done.attempts == 2
    assert run_of(done).attempt(2).read()["resume"] is not None
    assert_exact(client, done, undisturbed_job)
    # Both hosts work: the one that was cut off hears a bell again once the other is gone.
    second.terminate()
    second.process.wait(120)
    small = client.submit(tiny_spec(spec_for(client).datasets.train.identity, 20)).job
    assert client.wait(small.id, timeout=300).state is JobState.SUCCEEDED
    assert client.get(small.id).host == "one" and "Traceback" not in first.text()
    note("a worker's link cut; its job taken over by another host", done, taken_over_after_s=round(taken, 1))


def test_a_slow_link_that_loses_packets_changes_nothing(lab, client, submit, work_on, undisturbed_job, note):
    how = lab.one.slow()
    worker = work_on(lab.one, SRQUEUE_LEASE="10")  # of a machine that is busy as well, 2 s are too short
    done = client.wait(submit(client).id, timeout=300)
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)
    assert "Traceback" not in worker.text()
    note(f"a slow link all along: {how}", done)
