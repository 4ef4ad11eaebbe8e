"""What the fault tests share: runs by hand, jobs through the queue, and what both look like undisturbed.

The undisturbed ones are trained once a process: every test compares its bits with theirs.
"""

import shutil
import subprocess

import pytest

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState, StopReason

pytest.register_assert_rewrite("tests.faults.by_hand", "tests.faults.queued")

from tests.faults import by_hand, queued  # noqa: E402
from tests.faults.proxy import Proxy  # noqa: E402


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, pictures, tiny_spec):
    """State and tensors at the end of a run by hand that nobody touched."""
    job = by_hand.make_job(tmp_path_factory.mktemp("undisturbed"), pictures, tiny_spec)
    assert job.finish(1, fresh=True).reason is StopReason.COMPLETED
    return job.final_state()


@pytest.fixture
def job(tmp_path, pictures, tiny_spec):
    """A run by hand that has not begun; its trainers end with the test."""
    job = by_hand.make_job(tmp_path, pictures, tiny_spec)
    yield job
    for process in job.processes:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


@pytest.fixture(scope="session")
def undisturbed_job(tmp_path_factory, pictures, tiny_spec):
    """The tensors of the spec of `running`, trained by hand: no queue, no worker."""
    total, more = queued.TOTAL, queued.OFTEN
    job = by_hand.make_job(tmp_path_factory.mktemp("job"), pictures, tiny_spec, total=total, **more)
    assert job.finish(1, fresh=True).reason is StopReason.COMPLETED
    return queued.tensors(job.run)


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def own_client(environment, own_valkey):
    """A client of a server that the test may kill."""
    return Client(environment(own_valkey))


@pytest.fixture
def spec_for(tiny_dataset, tiny_spec):
    """The spec of `undisturbed_job`; its data set is registered in the settings of a given client."""

    def spec_for(client, **more):
        identity = tiny_dataset(client.settings).identity
        return tiny_spec(identity, queued.TOTAL, **{**queued.OFTEN, **more})

    return spec_for


@pytest.fixture
def submit(spec_for, wait_until):
    """Submits the job and waits until it runs, with a checkpoint published."""

    def submit(client, **more):
        job = client.submit(spec_for(client, **more)).job
        wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
        job = client.get(job.id)
        assert job.state is JobState.RUNNING and 0 < job.iteration < queued.TOTAL
        return job

    return submit


@pytest.fixture
def running(client, submit):
    return lambda: submit(client)


IN_THE_TRAINER = """
import sys

if "workers.trainer" in sys.orig_argv:
    import runpy

    real = runpy._run_module_as_main

    def run(name, alter_argv=True):
        import fault
        return real(name, alter_argv)

    runpy._run_module_as_main = run
"""


@pytest.fixture
def fault_in_trainers(tmp_path, monkeypatch):
    """Code that runs in every trainer of the workers of this test before it begins.

    It may `import once` and call `once.now()`, which is true a single time over all trainers.
    """

    def put(code):
        folder = tmp_path / "fault"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(IN_THE_TRAINER)
        (folder / "fault.py").write_text(code)
        (folder / "once.py").write_text(
            f"import os\n\ndef now():\n    try:\n        os.mkdir({str(folder / 'done')!r})\n"
            "    except FileExistsError:\n        return False\n    return True\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(folder))
        monkeypatch.setenv("SRQUEUE_WARM", "false")  # a spare would meet it before it has a job

    return put


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or not shutil.which("umount"):
        pytest.skip("there is no mount here")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def proxy(valkey):
    """Stands between a worker that is given its URL and the session's server."""
    proxy = Proxy(valkey.socket)
    yield proxy
    proxy.close()
