"""Item pipelines of an article, in this order.

    200 KeepRawPipeline     store the response that the article was extracted from, if KEEP_RAW is on
    300 NormalisePipeline   RawArticle -> Article, or an outcome and DropItem if it must not be published
    500 SavePipeline        Article -> row, post file and outcome, in batches

The row is committed before the post file is written (crawler/storage/article_writer.py): after a kill between the two,
the next command that writes to the folder finds in the database which post is missing.

Items of other spiders may be dicts or of any class that itemadapter supports: those with the fields of a `RawArticle`
are converted to one, and all others are passed on unchanged.
"""

from dataclasses import fields
from typing import Any, Self

from itemadapter import ItemAdapter
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, NotConfigured

from crawler.content.normalise import normalise_article
from crawler.crawl.session import CrawlSession, get_session
from crawler.errors import ItemError
from crawler.items import ROW, Article, ListingEntry, RawArticle

_RAW_FIELDS = frozenset(field.name for field in fields(RawArticle))


class _SessionPipeline:
    """Base of the pipelines: it holds the session of the crawl."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the pipeline. Raises UsageError without a session."""
        return cls(get_session(crawler))


class KeepRawPipeline(_SessionPipeline):
    """Store the raw response of each article, for `finews replay`."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Create the pipeline. Raises NotConfigured unless KEEP_RAW is on."""
        if not crawler.settings.getbool("KEEP_RAW"):
            raise NotConfigured
        return super().from_crawler(crawler)

    def process_item(self, item: Any) -> Any:
        """Store the response of an article. Return the item unchanged."""
        raw = to_raw_article(item)
        if raw is not None and self._session.context:
            self._session.context.out.db.raw_responses.save(raw.spider, raw.entry, raw.response, raw.fetched_at)
        return item


class NormalisePipeline(_SessionPipeline):
    """Normalise articles, and drop those that must not be published."""

    def process_item(self, item: Any) -> Any:
        """Return the normalised article. Raises DropItem after recording the failure of an article."""
        raw = to_raw_article(item)
        if raw is None or self._session.context is None or self._session.tracker is None:
            return item
        context = self._session.context
        try:
            return normalise_article(raw, context.registry.get_or_create, context.spider.markup)
        except ItemError as error:
            self._session.tracker.record_article_failure(raw.entry, error, raw.response)
            if raw.entry.is_cut and raw.response.extractor_index != ROW:
                return self.process_item(context.spider.extract_row(raw.entry, raw.fetched_at))
            raise DropItem(f"{raw.entry.code}: {error}", log_level="INFO") from error


class SavePipeline(_SessionPipeline):
    """Save articles: row, post file and outcome (crawler/storage/article_writer.py)."""

    def process_item(self, item: Any) -> Any:
        """Add an article to the batch to save. Return the item, for exports with `-O`."""
        if isinstance(item, Article) and self._session.tracker:
            self._session.tracker.enqueue(item)
        return item


def to_raw_article(item: Any) -> RawArticle | None:
    """Return an item as a RawArticle; None for an item without a ListingEntry as `entry` or a string as `body`."""
    if isinstance(item, RawArticle):
        return item
    adapter = ItemAdapter(item)
    if not isinstance(adapter.get("entry"), ListingEntry) or not isinstance(adapter.get("body"), str):
        return None
    return RawArticle(**{name: adapter[name] for name in adapter if name in _RAW_FIELDS})
