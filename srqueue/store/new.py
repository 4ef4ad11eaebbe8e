"""A job that is to be created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srqueue.errors import UsageError
from srqueue.run.folder import check_name
from srqueue.spec.needs import NeedsSpec
from srqueue.store.offers import parts_text
from srqueue.store.packing import pack
from srqueue.store.record import DEVICE_CLASSES, HIGHEST_PRIORITY

NOTHING = NeedsSpec()


@dataclass(frozen=True)
class NewJob:
    """What a producer says of a job; the rest of its record is the store's."""

    id: str
    spec: Mapping[str, Any]
    origins: Mapping[str, str]
    spec_id: str
    name: str
    total_iter: int
    priority: int = 5
    device_class: str = "any"
    held_by: str = ""
    """Campaign that holds it until it may begin."""
    after: tuple[str, ...] = ()
    """What a held one waits for: ids of jobs, and `stage:<name>`."""
    message: str = ""
    rungs: tuple[int, ...] = ()
    """Iterations at which a search compares it with others; it may train to the first of them."""
    opens: float | None = None
    """When its window opens, UTC s; None where it may run at once."""
    signature: str = ""
    """Of who submits it; empty without a key."""
    needs: NeedsSpec = NOTHING
    user: str = ""
    guess: int = 0
    """Bytes of a GPU that a job of its kind took before, where none are asked for."""
    share: str = ""
    """Campaign that shares with the others of its user; none: the user's jobs go by age."""

    def check(self) -> None:
        """Raises UsageError where it has no name, or the queue no such priority or device class."""
        if not (self.id and self.name and self.spec_id):
            raise UsageError("a job needs an id, a name and a spec_id")
        check_priority(self.priority)
        if self.user:
            check_name(self.user, "a user")
        if self.device_class not in DEVICE_CLASSES:
            raise UsageError(f"device class {self.device_class!r} is none of {', '.join(DEVICE_CLASSES)}")

    def parts(self) -> list[Any]:
        """Its part of the arguments of `create.lua`."""
        fields = {
            "name": self.name, "packed": pack(self.spec, self.origins), "priority": self.priority,
            "device_class": self.device_class, "total_iter": self.total_iter, "iteration": 0,
        }  # fmt: skip
        if self.signature:
            fields["signature"] = self.signature
        if self.held_by:
            fields |= {"held_by": self.held_by, "after": ",".join(self.after), "message": self.message}
        if self.rungs:
            fields |= {"rungs": ",".join(map(str, self.rungs)), "until": self.rungs[0]}
        if self.opens is not None:
            fields |= {"opens": f"{self.opens:.3f}", "message": self.message}
        placed = {
            "user": self.user, "share": self.share, "gpu_memory": self.needs.gpu_memory,
            "needs": parts_text(self.needs), "guess": self.guess,
        }  # fmt: skip
        fields |= {key: value for key, value in placed.items() if value}
        flat = [part for pair in fields.items() for part in pair]
        return [self.id, self.spec_id, len(flat), *flat]


def check_priority(priority: int) -> None:
    """Raises UsageError where `priority` is not 0 to 9."""
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise UsageError(f"priority {priority} is not between 0 and {HIGHEST_PRIORITY}", hint="9 runs first")
