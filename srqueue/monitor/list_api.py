"""The API of the list of jobs."""

from __future__ import annotations

from srqueue.errors import UsageError, did_you_mean
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.job_list import Asked, job_list
from srqueue.run.folder import check_name
from srqueue.run.reasons import JobState

LARGEST_PAGE = 5000


class JobsHandler(JsonHandler):
    """`?state=a,b&campaign=&q=&page=&size=&order=next`."""

    async def get(self) -> None:
        """One page of cards."""
        campaign = self.get_query_argument("campaign", "") or None
        if campaign is not None:
            check_name(campaign, "a campaign")
        asked = Asked(
            states=_states(self.get_query_argument("state", "")),
            campaign=campaign,
            text=self.get_query_argument("q", ""),
            page=self.number("page", 1, 1, 10**7),
            size=self.number("size", 50, 1, LARGEST_PAGE),
            next_first=self.get_query_argument("order", "") == "next",
        )
        self.say(await self.backend.ask(job_list, self.backend.store, asked))


def _states(text: str) -> tuple[JobState, ...]:
    """Raises UsageError for a state that there is not."""
    words = dict.fromkeys(filter(None, (word.strip() for word in text.split(","))))
    known = [state.value for state in JobState]
    for word in words:
        if word not in known:
            raise UsageError(f"there is no state {word!r}", hint=did_you_mean(word, known))
    return tuple(JobState(word) for word in words)
