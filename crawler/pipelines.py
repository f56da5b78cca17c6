"""The steps of one article, in this order:

    200 KeepRawPipeline     the reply that an article was read from, where KEEP_RAW is on
    300 NormalisePipeline   RawArticle -> Article, or the reason why it goes to quarantine; the bodies that come in the
                            same moment are cleaned one right after the other, many of them in a second process
    500 RecordPipeline      Article -> row, post file and outcome, with those that come at the same time

The row before the file: whatever moment a crawl is killed at, the next one finds in the database what it still owes
(crawler/storage/article_writer.py).
"""

from typing import Self

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem, NotConfigured

from crawler.content.normalise import build_article
from crawler.crawl.batcher import Batcher
from crawler.crawl.tracker import CrawlTracker, require_crawl_tracker
from crawler.errors import ItemError
from crawler.items import Article, RawArticle
from crawler.storage.article_writer import BATCH_SIZE

# At two hundred articles a second, so long gathers twenty; at the default manners it is nothing to wait for.
_BATCH_WAIT = 0.1


class _TrackerPipeline:
    def __init__(self, tracker: CrawlTracker) -> None:
        self._tracker = tracker

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(require_crawl_tracker(crawler))


class KeepRawPipeline(_TrackerPipeline):
    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("KEEP_RAW"):
            raise NotConfigured
        return super().from_crawler(crawler)

    def process_item(self, item: RawArticle) -> RawArticle:
        self._tracker.store.raw_responses.save(
            item.spider, self._tracker.open_entry(item.code), item.response, item.fetched_at
        )
        return item


class NormalisePipeline(_TrackerPipeline):
    def __init__(self, tracker: CrawlTracker) -> None:
        super().__init__(tracker)
        self._body_batcher = Batcher(tracker.body_cleaner.clean_all, max_size=BATCH_SIZE, max_wait=_BATCH_WAIT)

    async def process_item(self, item: RawArticle) -> Article:
        try:
            body = await self._body_batcher.submit((item.body, item.url))
            return build_article(item, body, self._tracker.registry.get_or_create)
        except ItemError as error:
            self._tracker.quarantine(self._tracker.open_entry(item.code), error, item.response)
            raise DropItem(f"{item.code}: {error}", log_level="INFO") from error

    def close_spider(self) -> None:
        self._tracker.body_cleaner.close()


class SavePipeline(_TrackerPipeline):
    def process_item(self, item: Article) -> Article:
        """The item goes on, for whoever exports it with `-O`."""
        self._tracker.enqueue(item)
        return item
