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

from crawler.content.normalise import with_body
from crawler.crawl.batcher import Gathering
from crawler.crawl.tracker import Ledger, ledger_of
from crawler.errors import Unusable
from crawler.items import Article, RawArticle
from crawler.storage.article_writer import LARGEST

# At two hundred articles a second, so long gathers twenty; at the default manners it is nothing to wait for.
_SECONDS_TO_GATHER = 0.1


class _Step:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(ledger_of(crawler))


class KeepRawPipeline(_Step):
    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if not crawler.settings.getbool("KEEP_RAW"):
            raise NotConfigured
        return super().from_crawler(crawler)

    def process_item(self, item: RawArticle) -> RawArticle:
        self._ledger.store.raw.keep(item.spider, self._ledger.entry_of(item.code), item.reply, item.fetched_at)
        return item


class NormalisePipeline(_Step):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._bodies = Gathering(ledger.cleaning.outcomes, most=LARGEST, seconds=_SECONDS_TO_GATHER)

    async def process_item(self, item: RawArticle) -> Article:
        try:
            body = await self._bodies.result((item.body, item.url))
            return with_body(item, body, self._ledger.media.of)
        except Unusable as error:
            self._ledger.quarantine(self._ledger.entry_of(item.code), str(error), item.reply)
            raise DropItem(f"{item.code}: {error}", log_level="INFO") from error

    def close_spider(self) -> None:
        self._ledger.cleaning.close()


class RecordPipeline(_Step):
    def process_item(self, item: Article) -> Article:
        """The item goes on, for whoever exports it with `-O`."""
        self._ledger.record(item)
        return item
