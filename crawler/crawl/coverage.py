"""Coverage tracker: the ranges that each listing was read in, entries to read again, and gaps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from crawler.content import clock
from crawler.crawl.context import CrawlContext
from crawler.crawl.policy.pagination import ListingPaginator, StopReason
from crawler.items import Gap, ListingEntry, ListingSize, PageWindow

# Crawls; after 3 failures an entry no longer holds back its listing's coverage. If its response could not be parsed
# each time, it is not requested again.
_MAX_FAILED_CRAWLS = 3
# Failures of one crawl; this many without a success are an outage of the source, and count against no entry.
_OUTAGE_THRESHOLD = 5
# Walks in a row that could not prove completeness; after 3 the listing counts as covered. Otherwise each crawl of a
# listing that keeps changing would read it to its end.
_MAX_UNPROVEN_WALKS = 3


class CoverageTracker:
    """Follow the pages of each listing through one crawl.

    `failed_listings` are the columns that could not be read, by reason; `pages_read` counts the pages of all listings.
    `save` adds to `unproven_listings` a message for each listing that may be incomplete, and to `proven_listings` the
    columns that were read completely.
    """

    def __init__(self, context: CrawlContext) -> None:
        self._context = context
        stored = context.out.db.coverage.for_spider(context.spider.name, clock.now())
        selection = context.selection
        self._paginators = {
            column: ListingPaginator(stored.get(column), selection.since, selection.refresh)
            for column in selection.columns
        }
        self._entries_to_retry: list[tuple[ListingEntry, str]] = []
        self.failed_listings: defaultdict[str, list[str]] = defaultdict(list)
        self.pages_read = 0
        self.unproven_listings: list[str] = []
        self.proven_listings: list[str] = []

    def record_page(
        self,
        column: str,
        entries: Sequence[ListingEntry],
        *,
        has_new_entries: bool,
        all_known: bool,
        is_last_page: bool,
        listing_size: ListingSize | None,
        window: PageWindow | None,
    ) -> ListingPaginator:
        """Record a listing page. Return the listing's paginator, whose `next_page` is to be fetched next."""
        self.pages_read += 1
        paginator = self._paginators[column]
        paginator.wants_next_page(
            entries,
            has_new_entries=has_new_entries,
            all_known=all_known,
            is_last_page=is_last_page,
            listing_size=listing_size,
            window=window,
            now=clock.now(),
        )
        if paginator.stop_reason is StopReason.PAGE_LIMIT:
            self.failed_listings[f"the listing has no end after {paginator.pages_read:,} pages"].append(column)
        return paginator

    def retry_next_crawl(self, entry: ListingEntry, parse_error: str = "") -> None:
        """Have the next crawl list an entry again; `parse_error` says why its response could not be parsed."""
        self._entries_to_retry.append((entry, parse_error))

    def save(self, articles_saved: int) -> dict[str, Gap]:
        """Store the coverage of each listing. Return the gaps, which are entries missed for certain, by column."""
        times_to_revisit = self._times_to_revisit(articles_saved)
        context, gaps = self._context, {}
        for column, paginator in self._paginators.items() if context.selection.is_unfiltered else ():
            if gap := paginator.find_gap():
                gaps[column] = gap
                context.out.db.coverage.add_gap(context.run_id, column, gap)
            gives_up = self._count_unproven_walk(column, paginator)
            # An entry may be dated ahead to pin it, which covers no time in the future.
            times_not_covered = [*times_to_revisit.get(column, ()), clock.now()]
            if coverage := paginator.new_coverage(times_not_covered, accept_unproven=gives_up):
                context.out.db.coverage.save(context.run_id, context.spider.name, column, coverage)
        return gaps

    def _count_unproven_walk(self, column: str, paginator: ListingPaginator) -> bool:
        """Return whether an unproven walk was the last one of a row, so its listing counts as covered."""
        table, spider = self._context.out.db.coverage, self._context.spider.name
        if not paginator.has_ended:
            return False
        if paginator.is_proven:
            table.forget_unproven_walks(spider, column)
            self.proven_listings.append(f"column {column}")
            return False
        gives_up = table.add_unproven_walk(self._context.run_id, spider, column) >= _MAX_UNPROVEN_WALKS
        if gives_up:
            table.forget_unproven_walks(spider, column)
        self.unproven_listings.append(
            f"column {column} may be incomplete: its listing kept changing or is not in order of time;"
            f" up to {_MAX_UNPROVEN_WALKS} crawls in a row read it to its end"
        )
        return gives_up

    def _times_to_revisit(self, articles_saved: int) -> Mapping[str, list[datetime]]:
        """Return the publication times, by column, of the entries that the next crawl has to list again."""
        is_outage = not articles_saved and len(self._entries_to_retry) >= _OUTAGE_THRESHOLD
        sightings, spider = self._context.out.db.sightings, self._context.spider.name
        times_by_column = defaultdict[str, list[datetime]](list)
        for entry, parse_error in self._entries_to_retry:
            failed_crawls = 0 if is_outage else sightings.record_failure(entry, spider)
            if failed_crawls < _MAX_FAILED_CRAWLS:
                times_by_column[entry.column].append(entry.published)
            elif parse_error and articles_saved:
                sightings.mark_rejected(entry, spider, parse_error)
        return times_by_column
