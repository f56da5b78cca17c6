"""Item pipelines: the steps of one scraped article, in this order:

    200 KeepRawPipeline     keep the response that the article was extracted from, where KEEP_RAW is on
    300 NormalisePipeline   RawArticle -> Article, or its entry's outcome where it must not be published; the bodies
                            that come in the same moment are cleaned one right after the other
    500 SavePipeline        Article -> row, post file and outcome, together with those that come at the same time

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

from crawler.content.normalise import build_article
from crawler.crawl.body_cleaner import Batcher, BodyCleaner
from crawler.crawl.session import CrawlSession, get_session
from crawler.errors import ItemError
from crawler.items import ROW, Article, ListingEntry, RawArticle
from crawler.storage.article_writer import BATCH_SIZE

# Seconds; at two hundred articles a second they gather twenty, and at polite settings nothing waits for them.
_BATCH_WAIT = 0.1
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
    """Normalise articles, their bodies in batches; a rejected one gets its outcome and is dropped."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session
        self._body_cleaner = BodyCleaner()
        self._bodies = Batcher(self._body_cleaner.clean_all, max_size=BATCH_SIZE, max_wait=_BATCH_WAIT)
        session.close_at_end(self._body_cleaner.close)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(get_session(crawler))

    async def process_item(self, item: Any) -> Any:
        raw = item if isinstance(item, RawArticle) else to_raw_article(item)
        if raw is None or self._session.context is None or self._session.tracker is None:
            return item
        context = self._session.context
        try:
            body = await self._bodies.submit((raw.body, raw.entry.url, context.spider.markup))
            return build_article(raw, body, context.registry.get_or_create, context.spider.markup)
        except ItemError as error:
            self._session.tracker.record_article_failure(raw.entry, error, raw.response)
            if raw.entry.is_cut and raw.response.extractor_index != ROW:
                return await self.process_item(context.spider.extract_row(raw.entry, raw.fetched_at))
            raise DropItem(f"{raw.entry.code}: {error}", log_level="INFO") from error

    def close_spider(self) -> None:
        self._body_cleaner.close()


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
