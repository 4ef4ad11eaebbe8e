"""What a request is refused with: errors of the pages, and the HTTP status of each error."""

from __future__ import annotations

from srqueue.errors import ServiceUnreachable, SrqueueError, UsageError


class NotThere(UsageError):
    """No such job, campaign or file (404)."""


class Malformed(UsageError):
    """What was sent is not what the act needs (400)."""


class Refused(SrqueueError):
    """An act that this user, or this Flower, may not do. `status`: 401 or 403."""

    def __init__(self, status: int, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def status_of(error: SrqueueError, otherwise: int) -> int:
    """The HTTP status of an error; `otherwise` for one that the request itself brought about."""
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, NotThere):
        return 404
    if isinstance(error, Malformed):
        return 400
    return 503 if isinstance(error, ServiceUnreachable) else otherwise


def told(error: SrqueueError) -> dict[str, str | None]:
    """An error as the API answers it."""
    where = f" ({error.where})" if error.where else ""
    return {"error": error.message + where, "hint": error.hint}
