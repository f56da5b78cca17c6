"""How long a crawl that is under way still takes. Pure.

Its listings are walked while their articles are fetched, so that what is listed by now is not all that there is: what a
walk has before it is estimated as a plan does, and by what the pages so far brought.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crawler.crawl.policy.estimate import How, ahead
from crawler.crawl.policy.pagination import Walk
from crawler.items import Outcome

# By fewer requests there is no pace to tell.
_FEWEST = 10
_LEFT_OUT = {Outcome.DUPLICATE, Outcome.FILTERED}


@dataclass(slots=True)
class _Listing:
    """A listing whose walk goes on. Of the rows ahead, `known` are articles that need no request."""

    walk: Walk
    known: int
    rows: int = 0
    wanted: int = 0

    def take(self, page: Counter[Outcome | None]) -> None:
        self.rows += page.total()
        self.wanted += page.total() - sum(page[outcome] for outcome in _LEFT_OUT)

    def requests(self) -> float | None:
        """For pages and articles; None where nobody can tell."""
        rest = ahead(self.walk)
        if rest.how is How.AT_LEAST or not self.rows:
            return None
        return rest.pages + max(0, rest.rows - self.known) * self.wanted / self.rows


class Outlook:
    """Counts what a crawl has done in requests, and estimates what it has before it.

    An article that stands in a row of its listing takes no time worth telling, and counts all the same.
    """

    def __init__(self, columns: Iterable[str], limit: int | None = None) -> None:
        self._limit = limit
        self._unseen = set(columns)
        self._going: dict[str, _Listing] = {}
        self._over: set[str] = set()
        self._page: Counter[Outcome | None] = Counter()
        self._open = self._done = self._wanted = 0

    def entry(self, outcome: Outcome | None, *, fresh: bool) -> None:
        """An entry is taken down (`fresh`; it is to be fetched if it has no outcome), or settled."""
        if fresh:
            self._page[outcome] += 1
            self._wanted += outcome not in _LEFT_OUT
            self._open += outcome is None
        else:
            self._open -= 1
            self._done += 1

    def page(self, column: str, walk: Walk | None, known: int | None = None) -> None:
        """All entries of a page are taken down, and `walk` goes on; None ends it.

        `known` are the articles on the pages ahead that need no request; what was said of them before stays otherwise.
        """
        self._done += 1
        self._unseen.discard(column)
        if walk is None:
            self._going.pop(column, None)
            self._over.add(column)
        else:
            listing = self._going.setdefault(column, _Listing(walk, 0))
            listing.known = listing.known - self._page[Outcome.UNCHANGED] if known is None else known
            listing.take(self._page)
        self._page.clear()

    def at(self) -> datetime | None:
        """How far back the walk is that has come least far; None when none goes on."""
        return max((each.walk.reached for each in self._going.values() if each.walk.reached), default=None)

    def seconds_left(self, seconds: float) -> float | None:
        """By the pace of the `seconds` so far; None where nobody can tell."""
        parts = [listing.requests() for listing in self._going.values()]
        if self._done < _FEWEST or not self._wanted or None in parts:
            return None
        known = sum(part for part in parts if part is not None)
        seen = len(self._going) + len(self._over)
        # Listings that have not come yet are taken to be as long as those that have.
        requests = known + len(self._unseen) * (1 + known / seen if seen else 1)
        if self._limit is not None:
            requests = min(requests, 1 + self._limit - self._wanted)
        return seconds / self._done * (self._open + max(0.0, requests))
