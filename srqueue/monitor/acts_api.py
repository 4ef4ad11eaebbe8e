"""Acts on a job: POST only, only for whom Flower has signed in, only with the token of our own page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tornado.web import HTTPError, RequestHandler

from srqueue.monitor.acts import act
from srqueue.monitor.cards import card
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.refusals import Malformed, Refused
from srqueue.monitor.signing import user_of, why_not
from srqueue.store.acting import Actor, acting_as

_P = ParamSpec("_P")
_T = TypeVar("_T")
_LONGEST_BODY = 16_384


class ActHandler(JsonHandler):
    """pause, resume, cancel, retry, upgrade, extend, priority."""

    wrong = 409

    def check_xsrf_cookie(self) -> None:
        """Looked at after the sign-in, by `prepare`, so that the first reason is told first."""

    def prepare(self) -> None:
        """Raises Refused or 401 for whoever may not act."""
        refused = why_not(self.application.options)
        if refused is not None:
            raise refused
        super().prepare()
        if self.request.method == "POST":
            self._check_token()

    def _check_token(self) -> None:
        """Flower lets requests with a password pass without a token; a browser sends that by itself."""
        try:
            if self.request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
                raise HTTPError(403)
            RequestHandler.check_xsrf_cookie(self)
        except HTTPError:
            raise Refused(
                403, "the request does not come from this page, or the page is old", "load the page again"
            ) from None

    async def post(self, job_id: str, name: str) -> None:
        """Does it; answers with what came of it and the job's card."""
        given = self._body()
        job = await self.backend.ask(self.backend.job, job_id)
        done = await self.backend.ask(self.audited, act, self.backend.client, job, name, given)
        self.say({"text": done.text, "new": done.new, "notes": done.notes, "job": card(done.job)})

    def audited(self, function: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T:
        """What `function` returns, called as an act of whoever is signed in."""
        who = user_of(self.current_user, self.request.headers.get("Authorization", ""))
        with acting_as(Actor(who, "flower", str(self.request.remote_ip))):
            return function(*args, **more)

    def get(self, *_: str) -> None:
        """A GET changes nothing."""
        raise HTTPError(405)

    def _body(self) -> dict[str, Any]:
        if len(self.request.body) > _LONGEST_BODY:
            raise HTTPError(413)
        try:
            given = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise Malformed("the body of an act is a JSON object", hint='such as {"iterations": 1000}')
        return given
