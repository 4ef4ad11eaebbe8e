"""What a job needs that no worker has, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srqueue.counting import counted
from srqueue.spec.needs import memory_text, needs_text
from srqueue.store.offers import Offer, fits, needed, parts_of
from srqueue.store.record import JobRecord, WorkerRecord

_NAMED = 3


def unmet(record: JobRecord, workers: Sequence[WorkerRecord]) -> str | None:
    """What keeps every worker that serves the job's class from it; None where one of them fits.

    `workers`: those that go on taking jobs, some of the class among them.
    """
    serving = [w for w in workers if record.device_class in w.classes]
    if not serving or any(fits(w.offer, record.lot) for w in serving):
        return None
    known = [(w, w.offer) for w in serving if w.offer is not None]
    if not known:
        told = "every worker that is up is of an earlier version, which takes only jobs without needs"
        return f"{told}: {_lot(record)}"
    old = len(serving) - len(known)
    beside = f" ({counted(old, 'worker')} of an earlier version not counted)" if old else ""
    if record.guessed and any(fits(w.offer, _without_guess(record.lot)) for w in serving):
        told = _card(
            float(record.guessed), f"a job of its kind took {_gib(record.guessed)} of GPU memory", known
        )
        return f"{told}; in some seconds it may begin with less"
    for letter, value in parts_of(needed(record.lot)):
        if not any(offer.has(letter, value) for _, offer in known):
            return _TOLD[letter](value, known) + beside
    return f"no worker has all that it needs: {_lot(record)}{beside}"


def _without_guess(lot: str) -> str:
    return ";".join(f"{letter}={value}" for letter, value in parts_of(lot) if letter != "p")


_Known = Sequence[tuple[WorkerRecord, Offer]]


def _lot(record: JobRecord) -> str:
    asked = [needs_text(record.wants)]
    if record.peak and record.peak > (record.gpu_memory or 0):
        asked.append(f"{record.peak / 2**30:.1f} GiB of GPU memory, as measured")
    if record.guessed:
        asked.append(f"{record.guessed / 2**30:.1f} GiB of GPU memory, as a job of its kind took")
    return ", ".join(filter(None, asked)) or f"those of user {record.user}"


def _card(amount: float, what: str, known: _Known) -> str:
    worker, best = max(known, key=lambda pair: pair[1].memory)
    if not best.memory:
        return f"{what}, and none of {counted(len(known), 'worker')} has a GPU whose memory is known"
    of = "the card" if len(known) == 1 else "the largest card"
    return f"{what}; {of} of {counted(len(known), 'worker')} gives a job {_gib(best.memory)} ({worker.name})"


def _memory(value: str, known: _Known) -> str:
    return _card(
        float(value), f"it needs {memory_text(int(value))} of GPU memory ({_gib(int(value))})", known
    )


def _measured(value: str, known: _Known) -> str:
    return _card(float(value), f"it was measured to need {_gib(int(value))} of GPU memory", known)


def _gpus(value: str, known: _Known) -> str:
    worker, best = max(known, key=lambda pair: pair[1].gpus)
    if not best.gpus:
        return f"it needs {value} GPUs, and none of {counted(len(known), 'worker')} has one"
    return f"it needs {value} GPUs; no worker has more than {best.gpus} ({worker.name})"


def _capability(value: str, known: _Known) -> str:
    worker, best = max(known, key=lambda pair: pair[1].capability)
    told = f"it needs compute capability {int(value) / 10:.1f}"
    if not best.capability:
        return f"{told}, and none of {counted(len(known), 'worker')} has a GPU that tells its own"
    of = f"the newest card of {counted(len(known), 'worker')}"
    return f"{told}; {of} has {best.capability / 10:.1f} ({worker.name})"


def _feature(value: str, known: _Known) -> str:
    return f"it needs {value}, which none of {counted(len(known), 'worker')} computes in"


def _host(value: str, known: _Known) -> str:
    hosts = sorted({worker.host for worker, _ in known})
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return f"it is for the machine {value}, and workers are up on {', '.join(hosts[:_NAMED])}{more} only"


def _label(value: str, known: _Known) -> str:
    key = value.partition("=")[0]
    others = [f"{one} ({w.name})" for w, offer in known for one in offer.labels if one.startswith(f"{key}=")]
    told = f"it needs the label {value}; "
    if not others:
        return f"{told}none of {counted(len(known), 'worker')} has a label {key}"
    return f"{told}there is {', '.join(others[:_NAMED])}" + (" and more" if len(others) > _NAMED else "")


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.1f} GiB"


_TOLD: dict[str, Callable[[str, _Known], str]] = {
    "m": _memory, "p": _measured, "g": _gpus, "c": _capability, "f": _feature, "h": _host, "l": _label,
}  # fmt: skip
