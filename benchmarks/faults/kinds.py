"""Every kind of fault of the soak, and how often it is in the deck."""

import signal

from benchmarks.faults import file_faults as files
from benchmarks.faults import process_faults as processes
from benchmarks.faults import service_faults as services
from benchmarks.faults.chaos import Fault

KINDS: dict[str, tuple[Fault, int]] = {
    "trainer SIGKILL": (processes.trainer_dies(signal.SIGKILL), 2),
    "trainer SIGSEGV": (processes.trainer_dies(signal.SIGSEGV), 1),
    "spare trainer SIGKILL": (processes.spare_goes(signal.SIGKILL), 1),
    "spare trainer stopped": (processes.spare_goes(signal.SIGSTOP), 1),
    "worker's main process SIGKILL": (processes.worker_goes(processes.kill_main, True), 2),
    "all of a worker's processes SIGKILL": (processes.worker_goes(processes.kill_all, True), 2),
    "worker SIGTERM": (processes.worker_goes(processes.terminate, False), 2),
    "worker SIGINT twice": (processes.interrupted_twice, 1),
    "supervisor stopped for seconds": (processes.frozen(processes.only_supervisor, False), 1),
    "trainer stopped for seconds": (processes.frozen(processes.only_trainer, False), 1),
    "worker and trainer stopped for seconds": (processes.frozen(processes.everybody, False), 1),
    "supervisor stopped beyond its lease": (processes.frozen(processes.only_supervisor, True), 1),
    "trainer stopped beyond the lease": (processes.frozen(processes.only_trainer, True), 1),
    "worker and trainer stopped beyond the lease": (processes.frozen(processes.everybody, True), 2),
    "connections reset": (services.connections_reset, 1),
    "Redis SIGKILL and restart": (services.server_killed, 1),
    "Redis frozen": (services.server_frozen, 1),
    "half-open network of one worker": (services.half_open, 2),
    "doorbells lost": (services.bells_lost, 1),
    "doorbells twenty times": (services.bells_doubled, 1),
    "newest checkpoint flipped, job waiting": (files.checkpoint_damaged(files.flip, False), 1),
    "newest checkpoint cut, trainer killed": (files.checkpoint_damaged(files.cut, True), 1),
    "newest checkpoint emptied, trainer killed": (files.checkpoint_damaged(files.empty_file, True), 1),
    "disk full": (files.disk_filled, 1),
    "pause and resume": (services.paused, 2),
    "priority raised": (services.priority_raised, 1),
}
"""Each with how often it is in the deck."""
