"""Entry filter: deduplicates the entries of a crawl, and decides which need a request. Pure."""

from typing import NamedTuple

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import format_iso
from crawler.crawl.policy.selection import Selection
from crawler.items import KnownArticle, ListingEntry, Outcome, Reason

DUPLICATE_DETAIL = "listed already in this crawl"
WITHDRAWN_PREFIX = "withdrawn at the source: "
STILL_REJECTED_PREFIX = "in quarantine since an earlier crawl: "


def matches_listing(known_article: KnownArticle, entry: ListingEntry) -> bool:
    """Return whether a listing still says of an entry what it said when its article was saved."""
    return (known_article.title, known_article.published_at) == (entry.title, format_iso(entry.published))


class Decision(NamedTuple):
    """The outcome of an entry that needs no request, and why, as code and text; no outcome for one to be fetched."""

    outcome: Outcome | None = None
    reason: Reason | None = None
    detail: str = ""


_FETCH_DECISION = Decision()


class EntryFilter:
    """Decides entry by entry which to fetch, and counts those that are wanted, for `--limit`.

    `listed_slugs` are the categories of the selection under which an entry was listed, also one that is not fetched.
    """

    def __init__(
        self, spider: str, supersedes: frozenset[str], selection: Selection, registry: CategoryRegistry
    ) -> None:
        self._spider, self._supersedes = spider, supersedes
        self._selection, self._registry = selection, registry
        self._has_filters = bool(selection.categories or selection.since or selection.until)
        self._wanted_count = 0
        self.listed_slugs: set[str] = set()

    @property
    def remaining_limit(self) -> int | None:
        """How many more entries are wanted; None without a limit."""
        return None if self._selection.limit is None else max(0, self._selection.limit - self._wanted_count)

    @property
    def is_limit_reached(self) -> bool:
        return self.remaining_limit == 0

    def decide(self, entry: ListingEntry, known_article: KnownArticle | None, *, is_duplicate: bool) -> Decision:
        """Decide on an entry. `is_duplicate` says that this crawl has met its code before.

        Filtered entries do not count as listed: another column may list the same article with its media name.
        """
        if is_duplicate:
            return Decision(Outcome.DUPLICATE, Reason.LISTED_TWICE, DUPLICATE_DETAIL)
        if category := self._selection.find_category(entry, self._registry) if self._selection.categories else None:
            self.listed_slugs.add(category.slug)
        if self._has_filters and (skip_reason := self._selection.skip_reason(entry, self._registry)):
            return Decision(Outcome.FILTERED, *skip_reason)
        limit = self._selection.limit
        if limit is not None and self._wanted_count >= limit:
            return Decision(Outcome.FILTERED, Reason.OVER_LIMIT, "over --limit")
        self._wanted_count += 1
        return self._decide_known(entry, known_article) if known_article else _FETCH_DECISION

    def _decide_known(self, entry: ListingEntry, known_article: KnownArticle) -> Decision:
        is_same_spider = known_article.source == self._spider
        if known_article.source and not is_same_spider and known_article.source not in self._supersedes:
            return Decision(Outcome.UNCHANGED, Reason.OTHER_SOURCE, f"kept by {known_article.source}")
        if (
            not matches_listing(known_article, entry)
            or known_article.withdrawn
            or self._needs_refresh(entry, known_article)
        ):
            return _FETCH_DECISION
        if known_article.rejection_reason:
            # "Unchanged" is said of stored articles alone. What is in quarantine counts as such each time, until it
            # is stored.
            unstored_outcome = Outcome.QUARANTINED if known_article.in_quarantine else Outcome.FILTERED
            outcome = Outcome.UNCHANGED if known_article.source else unstored_outcome
            return Decision(outcome, Reason.REJECTED_EARLIER, STILL_REJECTED_PREFIX + known_article.rejection_reason)
        return Decision(Outcome.UNCHANGED, Reason.NOT_MODIFIED) if is_same_spider else _FETCH_DECISION

    def _needs_refresh(self, entry: ListingEntry, known_article: KnownArticle) -> bool:
        refresh = self._selection.refresh
        return refresh is not None and known_article.source is not None and entry.published >= refresh
