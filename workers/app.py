"""The Celery app of a worker: `celery -A workers.app worker`."""

from __future__ import annotations

import signal
import sys
from functools import cache, partial
from types import FrameType
from typing import Any

from celery import signals
from kombu.entity import Queue

from srqueue.errors import SrqueueError
from srqueue.queue.app import make_app
from srqueue.queue.routing import own_queue, queue_names
from srqueue.remote.url import check_installed
from srqueue.settings import Settings, load_settings
from srqueue.store.acting import acts_by
from workers import draining
from workers.devices import Device, find_device
from workers.elsewhere import listen_elsewhere
from workers.manners import Manners
from workers.notifier import Notifier, start_notifier
from workers.spares import Spares
from workers.sweeper import Sweeper
from workers.unique import refuse_taken
from workers.uploads import Uploads

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


@cache
def settings() -> Settings:
    """The settings of this worker, read once."""
    return load_settings()


@cache
def this_device() -> Device:
    """The device of this worker, looked for once, before the child is forked."""
    return find_device(settings())


acts_by("worker")
app = make_app(settings())
app.conf.include = ["workers.tasks"]
app.conf.worker_concurrency = settings().slots

_sweepers: list[Sweeper] = []
_notifiers: list[Notifier] = []
_uploads: list[Uploads] = []
_spares: list[Spares] = []
_manners: list[Manners] = []
_interrupted: list[bool] = []


def own_spares() -> Spares | None:
    """Of this process, a child of the pool: the trainer that stands ready for its next job."""
    return _spares[0] if _spares else None


@signals.celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def _listen_to_own_queues(instance: Any, **_: Any) -> None:
    """A worker hears the doorbells of the classes it can run, its own, and no others."""
    try:
        device = this_device()
        refuse_taken(settings(), instance.hostname)
        if settings().remote:
            check_installed(settings().remote)
    except SrqueueError as error:
        # Celery logs what a receiver raises and goes on; a worker without its device must not.
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    own = own_queue(instance.hostname)
    instance.app.amqp.queues.add(Queue(own))  # type: ignore[no-untyped-call]
    instance.app.amqp.queues.select([*queue_names(device.classes), own])
    _manners[:] = [Manners(settings(), device)]  # before a child is forked, or takes a job


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def _start_sweeping(sender: Any, **_: Any) -> None:
    for manners in _manners:
        if manners.needed:
            manners.start()
    sweeper = Sweeper(settings(), sender.hostname, this_device(), partial(_follow, sender))
    _sweepers.append(sweeper)
    sweeper.start()
    if notifier := start_notifier(settings()):
        _notifiers.append(notifier)
    if settings().remote:
        _uploads.append(Uploads())
        _uploads[0].start()


def _follow(consumer: Any, there: Settings) -> None:
    settings.cache_clear()  # for children that are forked from now on
    listen_elsewhere(consumer, there)


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _keep_a_spare(**_: Any) -> None:
    if not settings().warm:
        return
    device = this_device()

    def wanted() -> bool:
        return not draining.asked() and not draining.finishing()

    _spares[:] = [Spares(device.threads(settings(), device.name), wanted, settings().lease / 8)]
    _spares[0].start()


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end_the_spare(**_: Any) -> None:
    while _spares:
        _spares.pop().end()


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _hand_back(how: str, sig: str, **_: Any) -> None:
    _interrupted[:] = [sig == "SIGINT"]
    draining.shutting_down(at_once=how == "Cold")
    # Celery's own handler of a second Ctrl-C waits for the broker within the first one's shutdown, for ever.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _asked_again)


def _asked_again(number: int, _frame: FrameType | None) -> None:
    """A finishing worker now hands over; one that does ends at once; the next signal ends it as it stands."""
    draining.start(at_once=draining.asked())
    if draining.at_once():
        signal.signal(number, signal.SIG_DFL)


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def _stop_sweeping(sender: Any, **_: Any) -> None:
    if any(_interrupted):
        sender.exitcode = INTERRUPTED
    while _manners:
        _manners.pop().stop()
    while _notifiers:
        _notifiers.pop().stop()
    while _uploads:
        _uploads.pop().stop()
    while _sweepers:
        _sweepers.pop().stop()
