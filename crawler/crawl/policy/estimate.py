"""What is still to be asked of a source: pages of listings, articles, and how long that takes. Pure.

A listing whose length the source tells, and that is walked to its end, is counted. How far a time lies back in it is
estimated: its entries are taken to have come as fast as those that were seen. Where neither is known, nobody can tell.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from crawler.content.categories import Media
from crawler.crawl.policy.entry_filter import Triage
from crawler.crawl.policy.pagination import MOST_PAGES, Walk
from crawler.crawl.policy.selection import Selection
from crawler.items import Coverage, Entry, Extent, Known, RunOutcome


class How(StrEnum):
    """How a number of a plan is known."""

    COUNTED = "counted"
    ESTIMATED = "estimated"
    AT_LEAST = "at least"

    @classmethod
    def worst(cls, *hows: "How") -> "How":
        """How a number is known that was made of others."""
        return max(hows, key=list(cls).index, default=cls.COUNTED)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a walk has before it: so many pages, and so many rows that are asked for."""

    pages: int
    rows: int
    how: How


NOTHING = Ahead(0, 0, How.COUNTED)


# Scrapy draws a delay anew when one is over, and waits on where that is longer: of even draws between 0 and 1 it waits
# for e - 2 in the mean, and not for half. Here between -1 and 1.
_LONGER = 2 * (math.e - 2) - 1


@dataclass(frozen=True, slots=True)
class Manners:
    """How many requests a host is sent: `delay` seconds apart, more or less by the part `jitter`, `at_once` at most.

    Where it answers slowly they are sent so far apart, up to `slowest`, that `answering` of them are being answered;
    None where nobody looks after that.
    """

    delay: float
    jitter: float
    at_once: int
    answering: float | None = None
    slowest: float = 0.0

    def seconds_between(self, latency: float) -> float:
        """The seconds between two requests to a host that takes `latency` seconds to answer, while more are waiting."""
        throttled = min(latency / self.answering, self.slowest) if self.answering else 0.0
        apart = max(self.delay, throttled) * (1 + self.jitter * _LONGER)
        return max(apart, latency / self.at_once)


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a listing, what is known of its entries, and whether it is the last, too."""

    column: str
    entries: Sequence[Entry]
    known: Mapping[str, Known]
    last: bool
    extent: Extent | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a crawl of a spider goes by. `known` counts the articles of a column that were published in a time."""

    spider: str
    columns: Mapping[str, str]
    supersedes: frozenset[str]
    selection: Selection
    media: Media
    covered: Mapping[str, Coverage]
    known: Callable[[str, datetime | None, datetime], int]

    def walk(self, column: str) -> Walk:
        return Walk(self.covered.get(column), self.selection.since, self.selection.refresh)

    def triage(self) -> Triage:
        return Triage(self.spider, self.supersedes, self.selection, self.media)


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What is expected of one listing: `pages` to walk and `articles` to fetch.

    `back_to` is how far the first page goes back, `rows` how many the source counts in all, None where it does not, and
    `ends_early` whether these are too few to reach back to --since.
    """

    column_id: str
    name: str
    pages: int
    pages_are: How
    articles: int
    articles_are: How
    back_to: datetime | None
    rows: int | None
    ends_early: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a crawl is expected to ask for, beside `robots` files robots.txt, and how long a request takes.

    `again` are the known articles that --refresh fetches, `article_requests` whether an article takes a request at all,
    `latency` the seconds that the source took to answer, and `asked` how many requests the plan itself has sent.
    `lost` are the listings that did not come, by reason, and `notes` are for a person.
    """

    columns: Sequence[ColumnPlan]
    again: int
    robots: int
    article_requests: bool
    latency: float
    seconds_between: float
    asked: int
    outcome: RunOutcome
    lost: Mapping[str, Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def pages(self) -> int:
        return sum(column.pages for column in self.columns)

    @property
    def articles(self) -> int:
        return sum(column.articles for column in self.columns) + self.again

    @property
    def requests(self) -> int:
        return self.robots + self.pages + self.article_requests * self.articles

    @property
    def requests_are(self) -> How:
        return How.worst(*(how for column in self.columns for how in (column.pages_are, column.articles_are)))

    @property
    def seconds(self) -> int:
        return round(self.requests * self.seconds_between)


def ahead(walk: Walk) -> Ahead:
    """What a walk that goes on has before it, by what it has seen."""
    covered = walk.covered_from_here()
    ends = [
        _to_the_end(walk),
        walk.since and _down_to(walk, walk.since),
        # It stops where all of a page is known: on the page after the last one with news.
        covered and _down_to(walk, covered, one_more=True),
    ]
    known = [end for end in ends if end]
    if not known:
        return Ahead(1, 0, How.AT_LEAST)
    return replace(min(known, key=lambda end: end.pages), rows=min(end.rows for end in known))


def plan_columns(pages: Iterable[FirstPage], asked: Asked) -> list[ColumnPlan]:
    """By column, in the order of the listings, what a crawl that begins with these first pages is expected to ask for.

    An article that several listings name is the first one's.
    """
    triage = asked.triage()
    views: list[_View] = []
    for page in pages:
        views.append(_View(page, asked, triage, views))
    return [view.plan(triage.still_wanted) for view in views]


class _View:
    """One first page, seen after those of the listings `before`."""

    def __init__(self, page: FirstPage, asked: Asked, triage: Triage, before: Sequence["_View"]) -> None:
        self._page, self._asked = page, asked
        self._to_fetch = [each for each in page.entries if triage.decide(each, page.known.get(each.code))[0] is None]
        self._walk = asked.walk(page.column)
        goes_on = self._walk.goes_on(page.entries, all_known=not self._to_fetch, last=page.last, extent=page.extent)
        self._rest = ahead(self._walk) if goes_on and not triage.limit_reached else NOTHING
        # The codes that the listings before name, all of them down to the time `floor`.
        self._met = {entry.code for view in before for entry in view._page.entries}
        floors = [view._walk.reached for view in before if view._rest is not NOTHING]
        self._floor = max((floor for floor in floors if floor), default=None)

    def plan(self, still_wanted: int | None) -> ColumnPlan:
        """`still_wanted` is what --limit leaves after all first pages, None without one."""
        rest = _limited(self._rest, still_wanted, len(self._page.entries))
        unsure = [entry for entry in self._to_fetch if not self._is_sure(entry)]
        more = round(self._share() * (len(unsure) + self._unknown(rest)))
        how = rest.how
        if unsure or (rest.rows and not self._takes_every_row()):
            how = How.worst(how, How.ESTIMATED)
        return ColumnPlan(
            column_id=self._page.column,
            name=self._asked.columns[self._page.column],
            pages=self._walk.pages + rest.pages,
            pages_are=rest.how,
            articles=len(self._to_fetch) - len(unsure) + (more if still_wanted is None else min(more, still_wanted)),
            articles_are=how,
            back_to=self._walk.reached,
            rows=self._page.extent.rows if self._page.extent else None,
            ends_early=self._rest is not NOTHING and _ends_early(self._walk),
        )

    def _is_sure(self, entry: Entry) -> bool:
        """Whether it is certain that no listing before names the entry, if its first page does not."""
        return self._floor is None or entry.published >= self._floor

    def _takes_every_row(self) -> bool:
        return self._asked.selection.takes_all and not self._met and not self._known()

    def _share(self) -> float:
        """Of the entries that are wanted, the part that no listing before names."""
        wanted = [entry.code for entry in self._page.entries if self._is_wanted(entry) and self._is_sure(entry)]
        return sum(code not in self._met for code in wanted) / len(wanted) if wanted else 1.0

    def _is_wanted(self, entry: Entry) -> bool:
        """Whatever its time."""
        selection = replace(self._asked.selection, since=None, until=None)
        return not selection.unwanted(entry, self._asked.media)

    def _unknown(self, rest: Ahead) -> float:
        """How many of the rows ahead are wanted, and are not known."""
        if not rest.rows:
            return 0.0
        until = self._asked.selection.until
        too_new = (_speed(self._walk) or 0.0) * _seconds(self._walk.reached, until) if until else 0.0
        wanted = sum(map(self._is_wanted, self._page.entries)) / len(self._page.entries)
        return max(0.0, (rest.rows - too_new) * wanted - self._known())

    def _known(self) -> int:
        """How many articles are known of the rows ahead."""
        reached = self._walk.reached
        return self._asked.known(self._page.column, self._walk.goes_down_to(), reached) if reached else 0


def _limited(rest: Ahead, still_wanted: int | None, size: int) -> Ahead:
    """What of it is asked for where only so many entries are wanted; one page is on its way in any case."""
    if still_wanted is None or rest is NOTHING:
        return rest
    if rest.how is How.AT_LEAST:
        rest = Ahead(MOST_PAGES, still_wanted, How.ESTIMATED)
    pages = min(rest.pages, max(1, math.ceil(still_wanted / max(1, size))))
    return Ahead(pages, min(rest.rows, still_wanted), How.ESTIMATED if still_wanted else How.COUNTED)


def _ends_early(walk: Walk) -> bool:
    end, since = _to_the_end(walk), _down_to(walk, walk.since) if walk.since else None
    return end is not None and since is not None and since.rows > end.rows


def _to_the_end(walk: Walk) -> Ahead | None:
    if walk.extent is None:
        return None
    pages, rows = walk.extent.pages - walk.pages, walk.extent.rows - walk.rows
    how = How.ESTIMATED if walk.since or walk.covered_from_here() else How.COUNTED
    return Ahead(min(max(1, pages), MOST_PAGES - walk.pages), max(0, rows), how)


def _down_to(walk: Walk, bound: datetime, *, one_more: bool = False) -> Ahead | None:
    speed = _speed(walk)
    if speed is None:
        return None
    rows = speed * _seconds(walk.reached, bound)
    pages = rows / (walk.rows / walk.pages)
    whole = math.ceil(pages) + 1 if one_more else math.floor(pages) + 1
    return Ahead(min(whole, MOST_PAGES - walk.pages), math.ceil(rows), How.ESTIMATED)


def _speed(walk: Walk) -> float | None:
    """Entries a second, by those that were seen; None where they are all of one moment."""
    seconds = _seconds(walk.newest, walk.reached)
    return walk.rows / seconds if seconds else None


def _seconds(later: datetime | None, earlier: datetime | None) -> float:
    return max(0.0, (later - earlier).total_seconds()) if later and earlier else 0.0
