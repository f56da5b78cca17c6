"""Keeps the site's frame and pages current with what a crawl brought, so that `jekyll build` works after each."""

from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler

from crawler.crawl.policy.result import FINISHED
from crawler.crawl.tracker import Ledger
from crawler.errors import Ending
from crawler.publish.jekyll import pages, theme_installer


class KeepSite:
    """Writes them when the crawl has come to its end, before the ledger closes its books and lets go of the folder."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        keeper = cls(crawler)
        crawler.signals.connect(keeper.spider_closed, signal=signals.spider_closed)
        return keeper

    def spider_closed(self, reason: str) -> None:
        ledger = self._crawler.get_extension(Ledger)
        if ledger is None or ledger.failure or reason != FINISHED:
            return  # whoever comes next writes what is due
        try:
            theme_installer.install(ledger.output, ledger.site)
            pages.keep_current(ledger.output, ledger.store)
        except Ending as error:
            ledger.failure = error
