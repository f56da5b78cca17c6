"""Item pipelines: the steps of one scraped article, in this order:

    200 KeepRawPipeline     keep the response that the article was extracted from, where KEEP_RAW is on
    300 NormalisePipeline   RawArticle -> Article, or the outcome of its entry if the article must not be published
    500 SavePipeline        Article -> row, post file and outcome, in batches of articles

The row is committed before the post file is written (crawler/storage/article_writer.py): if a crawl is killed between
the two, the next command that writes to the folder finds in the database which post is not written.

Items of other spiders may be dicts or of any class that itemadapter reads: what has the fields of a `RawArticle` is
treated as one, and anything else is passed on as it is.
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


class KeepRawPipeline:
    """Store the raw response of each article, so that `finews replay` can extract it again."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("KEEP_RAW"):
            raise NotConfigured
        return cls(get_session(crawler))

    def process_item(self, item: Any) -> Any:
        raw = to_raw_article(item)
        if raw is not None and self._session.context:
            self._session.context.out.db.raw_responses.save(raw.spider, raw.entry, raw.response, raw.fetched_at)
        return item


class NormalisePipeline:
    """Normalise articles; a rejected one gets its outcome and is dropped."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(get_session(crawler))

    def process_item(self, item: Any) -> Any:
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


class SavePipeline:
    """Save articles: row, post file and outcome (crawler/storage/article_writer.py)."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(get_session(crawler))

    def process_item(self, item: Any) -> Any:
        """Save an article. The item is passed on, for exports with `-O`."""
        if isinstance(item, Article) and self._session.tracker:
            self._session.tracker.enqueue(item)
        return item


def to_raw_article(item: Any) -> RawArticle | None:
    """Return an item as a RawArticle; None for an item that is none: it has no `entry` of a listing, or no `body`."""
    if isinstance(item, RawArticle):
        return item
    adapter = ItemAdapter(item)
    if not isinstance(adapter.get("entry"), ListingEntry) or not isinstance(adapter.get("body"), str):
        return None
    return RawArticle(**{name: adapter[name] for name in adapter if name in _RAW_FIELDS})
