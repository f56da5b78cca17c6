"""Scrapy commands changed so they do not write to the output folder, or exit with the codes of finews.

Scrapy imports every module of this package for each `scrapy` command.
"""

from urllib.request import getproxies, proxy_bypass

from scrapy.exceptions import UsageError as ScrapyUsageError
from scrapy.settings import BaseSettings

from crawler.crawl.policy.proxies import find_proxy
from crawler.errors import UsageError

_SESSION = "crawler.crawl.session.CrawlSession"
_DRY_RUN = "crawler.crawl.dry_run.DryRun"


def make_dry_run(settings: BaseSettings) -> None:
    """Make a command open no output folder and store no item. Raises Scrapy's UsageError for an unusable proxy."""
    proxies = {} if proxy_bypass("") else getproxies()
    try:
        for scheme in ("http", "https"):
            find_proxy(scheme, proxies)
    except UsageError as error:
        raise ScrapyUsageError(str(error), print_help=False) from error
    settings["EXTENSIONS"].set(_SESSION, None, priority="cmdline")
    settings["EXTENSIONS"].set(_DRY_RUN, 0, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
