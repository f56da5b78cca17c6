"""Keeps the site's frame and pages current with what a crawl brought, so that `jekyll build` works after each."""

from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler

from crawler.crawl.policy.result import FINISHED_REASON
from crawler.crawl.tracker import CrawlTracker
from crawler.errors import CommandError
from crawler.publish.jekyll import pages, theme_installer


class SiteUpdater:
    """Writes them when the crawl has come to its end, before the ledger closes its books and lets go of the folder."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        updater = cls(crawler)
        crawler.signals.connect(updater.spider_closed, signal=signals.spider_closed)
        return updater

    def spider_closed(self, reason: str) -> None:
        tracker = self._crawler.get_extension(CrawlTracker)
        if tracker is None or tracker.fatal_error or reason != FINISHED_REASON:
            return  # whoever comes next writes what is due
        try:
            theme_installer.install_theme(tracker.output, tracker.site_links)
            pages.update_pages(tracker.output, tracker.store)
        except CommandError as error:
            tracker.fatal_error = error
