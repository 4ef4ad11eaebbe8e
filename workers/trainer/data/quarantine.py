"""Training pictures that a run found unreadable: it goes on without a few of them."""

from __future__ import annotations

from collections.abc import Callable

from srqueue.counting import counted
from srqueue.errors import DataError
from workers.trainer.data.decode import DataChanged, DataMissing
from workers.trainer.data.pictures import Pictures

ALLOWED_SHARE = 0.01
"""Of the training pictures; one is always allowed."""


class Quarantine:
    """The bad ones among `pictures`. `names` (paths) is the run's own list, which every checkpoint holds.

    `tell` gets a sentence about each new one. A run that is `resumed` leaves out none that is gone or
    changed: it may have trained on it before, and would end otherwise than without the interruption.
    """

    def __init__(
        self,
        pictures: Pictures,
        names: list[str],
        tell: Callable[[str], object] = lambda text: None,
        resumed: bool = False,
    ) -> None:
        self._pictures, self._names, self._tell, self._resumed = pictures, names, tell, resumed
        known = set(names)
        self.indices = {i for i, picture in enumerate(pictures.pictures) if picture.path in known}

    def add(self, index: int, error: DataError) -> None:
        """Leaves a picture out of the rest of the run.

        Raises DataMissing where the whole folder is gone, or a picture of a resumed run; DataError where too
        many are bad.
        """
        self._pictures.check_folders()
        if self._resumed and isinstance(error, DataMissing | DataChanged):
            hint = "bring the file back as it was; until then the job waits"
            raise DataMissing(error.message, where=error.where, hint=hint) from None
        total, name = len(self._pictures), self._pictures.pictures[index].path
        allowed = max(1, int(total * ALLOWED_SHARE))
        bad = len(self.indices | {index})
        told = f"{bad} of {counted(total, 'training picture')}"
        if bad > allowed or bad == total:
            raise DataError(
                f"{told} cannot be read, {min(allowed, total - 1)} may be bad; the last one: {error.message}",
                where=error.where,
                hint=error.hint,
            )
        self.indices.add(index)
        self._names.append(name)
        self._tell(f"{name} is left out from here on ({told}): {error.message}; to train on it, {error.hint}")
