"""Site updater: write the theme and the changed pages after a crawl, so `jekyll build` works after each crawl."""

from typing import Self

from scrapy.crawler import Crawler

from crawler.crawl.context import CrawlContext
from crawler.crawl.session import crawl_finished
from crawler.publish.jekyll.site_source import update_site_source


class SiteUpdater:
    """Scrapy extension that updates the site source. A stopped crawl leaves the update to the next one."""

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Connect the updater to the signal of the session."""
        updater = cls()
        crawler.signals.connect(updater.crawl_finished, signal=crawl_finished)
        return updater

    def crawl_finished(self, context: CrawlContext) -> None:
        """Write the pages that changed. Raises OutputError and StoreError."""
        update_site_source(context.out)
