"""Crash recovery: complete the work of an interrupted crawl."""

from datetime import datetime
from typing import TYPE_CHECKING

from crawler.storage.article_writer import BATCH_SIZE, write_unwritten_posts
from crawler.storage.unfinished import sweep_unfinished

if TYPE_CHECKING:  # output_dir imports this module
    from crawler.storage.output_dir import OutputDir


def recover_interrupted_crawl(out: "OutputDir", now: datetime) -> None:
    """Remove unfinished files, write the posts whose rows are committed, and close open runs.

    Runs are closed last: if recovery is killed, the next call still finds an open run or an unwritten post.
    """
    unwritten = out.db.articles.unwritten_posts(BATCH_SIZE)
    if unwritten or out.db.runs.open_run_ids():  # a power cut may have lost the mark of the run
        sweep_unfinished(out.path)
    while unwritten:
        write_unwritten_posts(out, unwritten)
        unwritten = out.db.articles.unwritten_posts(BATCH_SIZE)
    out.db.runs.finish_interrupted_runs(now)
