"""Site updater: writes the theme and the changed pages after a crawl, so `jekyll build` works after each."""

from typing import Self

from scrapy.crawler import Crawler

from crawler.crawl.context import CrawlContext
from crawler.crawl.session import crawl_finished
from crawler.publish.jekyll.site_source import update_site_source


class SiteUpdater:
    """Writes them at the end of a crawl. A crawl that is stopped leaves them to the next one."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        updater = cls()
        crawler.signals.connect(updater.crawl_finished, signal=crawl_finished)
        return updater

    def crawl_finished(self, context: CrawlContext) -> None:
        """Write the pages that changed. Raises OutputError and StoreError."""
        update_site_source(context.out)
