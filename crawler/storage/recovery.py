"""Crash recovery: finish what an interrupted crawl left behind."""

from datetime import datetime
from typing import TYPE_CHECKING

from crawler.storage.article_writer import BATCH_SIZE, write_unwritten_posts
from crawler.storage.unfinished import sweep_unfinished

if TYPE_CHECKING:  # whose opening ends with this
    from crawler.storage.output_dir import OutputDir


def recover_interrupted_crawl(out: "OutputDir", now: datetime) -> None:
    """Remove unfinished files, write the posts whose rows are committed, and close the runs that are still open.

    The runs are closed last: a kill in here leaves one of them open, or a post unwritten, for the next call.
    """
    unwritten = out.db.articles.unwritten_posts(BATCH_SIZE)
    if unwritten or out.db.runs.open_run_ids():  # also where a power cut took the mark of the run
        sweep_unfinished(out.path)
    while unwritten:
        write_unwritten_posts(out, unwritten)
        unwritten = out.db.articles.unwritten_posts(BATCH_SIZE)
    out.db.runs.finish_interrupted_runs(now)
