"""What every request of the Training pages has in common: sign-in, JSON, errors without a traceback."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from flower.views import BaseHandler
from tornado.web import HTTPError

from srqueue.errors import SrqueueError
from srqueue.monitor.backend import Backend
from srqueue.monitor.refusals import status_of, told
from srqueue.monitor.signing import only_shows

_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
"""Nothing is loaded from elsewhere, and no script stands in a page: a job's name can be none."""


class Handler(BaseHandler):  # type: ignore[misc]  # Flower has no types
    """A request of somebody whom Flower knows. Acts check the token themselves, more strictly than Flower."""

    def initialize(self, backend: Backend) -> None:
        """`backend`: of the extension."""
        self.backend = backend

    def set_default_headers(self) -> None:
        """Flower's, and what may be loaded."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """An error that is told to the user is none of the log's."""
        if not isinstance(value, SrqueueError):
            super().log_exception(typ, value, tb)

    @property
    def base(self) -> str:
        """Path of the Training pages: `/training` below Flower's url_prefix."""
        prefix = str(self.application.options.url_prefix or "").strip("/")
        return f"/{prefix}/training" if prefix else "/training"


class PageHandler(Handler):
    """A page. Templates get `base`, `may_act` and `why_not`."""

    def get_template_namespace(self) -> dict[str, Any]:
        """What training_base.html needs."""
        reason = only_shows(self.application.options)
        more = {"base": self.base, "may_act": reason is None, "why_not": reason or ""}
        return {**super().get_template_namespace(), **more}

    def write_error(self, status_code: int, **more: Any) -> None:
        """A page that says what is wrong; without a password Flower's own."""
        error = (more.get("exc_info") or (None, None))[1]
        if status_code == 401:
            super().write_error(status_code, **more)
            return
        text = _TEXTS.get(status_code, self._reason)
        if isinstance(error, SrqueueError):
            status_code, text = status_of(error, 404), error.message
        if not hasattr(self, "_current_user"):
            self.current_user = None  # a page of an error asks for no password
        self.set_status(status_code)
        self.render("refused.html", status=status_code, text=text)


class JsonHandler(Handler):
    """An answer of the API."""

    wrong = 400
    """Status of an error that the request itself brought about."""

    def prepare(self) -> None:
        """Only for whom Flower has signed in; where it asks for nobody, for all."""
        if not self.current_user:
            raise HTTPError(401)

    def say(self, value: Any) -> None:
        """Ends the request with JSON."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(value, separators=(",", ":"), allow_nan=False, default=str))

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query, within bounds. Raises 400 where it is none."""
        given = self.get_query_argument(name, str(default)) or str(default)
        try:
            return min(max(int(given), least), most)
        except ValueError:
            raise HTTPError(400, reason=f"{name} must be a whole number") from None

    def write_error(self, status_code: int, **more: Any) -> None:
        """`{"error", "hint"}`, whatever went wrong."""
        error = (more.get("exc_info") or (None, None))[1]
        if isinstance(error, SrqueueError):
            self.set_status(status_of(error, self.wrong))
            self.say(told(error))
            return
        if status_code == 401 and self.application.options.basic_auth:
            self.set_header("WWW-Authenticate", 'Basic realm="flower"')
        self.say({"error": _TEXTS.get(status_code, self._reason), "hint": _HINTS.get(status_code)})


_TEXTS = {
    401: "not signed in, or another user or password than SRQUEUE_FLOWER_AUTH says",
    404: "there is nothing under this address",
    500: "this did not work",
}
_HINTS = {
    401: "load the page again and sign in",
    500: "Flower's log has the details (srqueue status names it)",
}


class NothingHere(JsonHandler):
    """Any other address below the API."""

    def get(self, *_: str) -> None:
        """404 as JSON."""
        raise HTTPError(404)

    def check_xsrf_cookie(self) -> None:
        """Nothing to guard."""

    post = get
