"""Scrapy's own commands, which would otherwise write to the output folder or end with the wrong exit code.

Scrapy imports every module of this package at each `scrapy …`.
"""

from scrapy.settings import BaseSettings

_SESSION = "crawler.crawl.session.CrawlSession"
_DRY_RUN = "crawler.crawl.dry_run.DryRun"


def make_dry_run(settings: BaseSettings) -> None:
    """Have a command open no output folder and store no item."""
    settings["EXTENSIONS"].set(_SESSION, None, priority="cmdline")
    settings["EXTENSIONS"].set(_DRY_RUN, 0, priority="cmdline")
    settings.set("ITEM_PIPELINES", {}, priority="cmdline")
