"""Finish what an interrupted crawl left behind."""

from datetime import datetime
from typing import TYPE_CHECKING

from crawler.storage import post_files

if TYPE_CHECKING:  # whose opening ends with this
    from crawler.storage.output_dir import OutputDir


def recover_interrupted_crawl(out: "OutputDir", now: datetime) -> None:
    """Remove unfinished files, write the posts whose rows are committed, and close the runs that are still open.

    The runs are closed last: a kill in here leaves one of them open, or a post unwritten, for the next call.
    """
    unwritten_posts = out.db.articles.unwritten_posts(out.links)
    if unwritten_posts or out.db.runs.open_run_ids():
        for partial_file in (out.path / "_posts").rglob(".*.md.*"):
            partial_file.unlink(missing_ok=True)
    for code, revision, path, text in unwritten_posts:
        post_files.write_post(out.path, path, text)
        out.db.articles.mark_post_written(code, revision)
    out.db.runs.finish_interrupted_runs(now)
