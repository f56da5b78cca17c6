"""Crawl context: the output folder, selection, category registry and row in `runs` of one crawl."""

from dataclasses import dataclass
from typing import Self

from scrapy.crawler import Crawler
from scrapy.signalmanager import SignalManager

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.crawl.interface import SpiderInfo, selection_from_arguments
from crawler.crawl.policy.selection import Selection
from crawler.storage.output_dir import OutputDir, refuse_demo_dir, resolve_output_dir

# Setting that is true when the caller of the crawl holds the lock of the output folder.
LOCK_HELD_SETTING = "OUTPUT_LOCK_HELD"
# Scrapy signal, sent while the search index is updated, with the `indexed_count` and the `pending_count` of articles.
search_index_progress = object()


@dataclass(frozen=True, slots=True)
class CrawlContext:
    """The resources of a crawl, opened once and passed to its components."""

    spider: SpiderInfo
    selection: Selection
    out: OutputDir
    registry: CategoryRegistry
    run_id: int
    signals: SignalManager

    @classmethod
    def open(cls, crawler: Crawler, spider: SpiderInfo) -> Self:
        """Open the output folder for writing, and start the crawl's run.

        Raises:
            UsageError: a spider argument is invalid, or the folder is a demo's and the crawl is not of a mirror.
            OutputLockedError, StoreError, OutputError: the output folder is unavailable.
        """
        path = resolve_output_dir(crawler.settings.get("OUTPUT_DIR"))
        if not crawler.settings["MIRROR"]:
            refuse_demo_dir(path)
        selection = selection_from_arguments(spider, path)
        out = OutputDir.open_for_writing(
            path,
            address=crawler.settings["SITE_ADDRESS"],
            already_locked=crawler.settings.getbool(LOCK_HELD_SETTING),
            report_index_progress=lambda indexed_count, pending_count: crawler.signals.send_catch_log(
                search_index_progress, indexed_count=indexed_count, pending_count=pending_count
            ),
        )
        try:
            registry = CategoryRegistry(out.db.categories.all())
            run_id = out.db.runs.start(spider.name, spider.arguments, clock.now())
        except BaseException:
            out.close()
            raise
        return cls(spider, selection, out, registry, run_id, crawler.signals)
