"""Entry filter: deduplicate the entries of a crawl, and decide which to fetch. Pure."""

from typing import NamedTuple

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import format_iso
from crawler.crawl.policy.selection import Selection
from crawler.items import KnownArticle, ListingEntry, Outcome, Reason

DUPLICATE_DETAIL = "listed already in this crawl"
WITHDRAWN_PREFIX = "withdrawn at the source: "
STILL_REJECTED_PREFIX = "in quarantine since an earlier crawl: "


def matches_listing(known_article: KnownArticle, entry: ListingEntry) -> bool:
    """Return whether an entry has the title and time that were listed when its article was saved."""
    return (known_article.title, known_article.published_at) == (entry.title, format_iso(entry.published))


class Decision(NamedTuple):
    """Outcome of an entry that is not fetched, with its reason as code and text; no outcome for one to fetch."""

    outcome: Outcome | None = None
    reason: Reason | None = None
    detail: str = ""


_FETCH_DECISION = Decision()


class EntryFilter:
    """Decide which entries to fetch, and count the wanted ones for `--limit`.

    `listed_slugs` are the selected categories that an entry was listed under, whether it is fetched or not.
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
        """Return the number of entries that are still wanted; None without a limit."""
        return None if self._selection.limit is None else max(0, self._selection.limit - self._wanted_count)

    @property
    def is_limit_reached(self) -> bool:
        """Return whether no more entries are wanted."""
        return self.remaining_limit == 0

    def decide(self, entry: ListingEntry, known_article: KnownArticle | None, *, is_duplicate: bool) -> Decision:
        """Decide on an entry. `is_duplicate` says that this crawl has listed its code before.

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
        """Decide on an entry that was stored or rejected before."""
        is_same_spider = known_article.source == self._spider
        if known_article.source and not is_same_spider and known_article.source not in self._supersedes:
            return Decision(Outcome.UNCHANGED, Reason.OTHER_SOURCE, f"kept by {known_article.source}")
        refresh = self._selection.refresh
        needs_refresh = refresh is not None and known_article.source is not None and entry.published >= refresh
        if needs_refresh or known_article.withdrawn or not matches_listing(known_article, entry):
            return _FETCH_DECISION
        if known_article.rejection_reason:
            # Only stored articles are unchanged. An entry in quarantine has that outcome in each crawl until it is
            # stored.
            unstored_outcome = Outcome.QUARANTINED if known_article.in_quarantine else Outcome.FILTERED
            outcome = Outcome.UNCHANGED if known_article.source else unstored_outcome
            return Decision(outcome, Reason.REJECTED_EARLIER, STILL_REJECTED_PREFIX + known_article.rejection_reason)
        return Decision(Outcome.UNCHANGED, Reason.NOT_MODIFIED) if is_same_spider else _FETCH_DECISION
