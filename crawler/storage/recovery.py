"""Finish what an interrupted crawl left behind."""

from datetime import datetime
from pathlib import Path

from crawler.content.post_format import SiteLinks
from crawler.storage import Store, post_files
from crawler.storage.output_dir import remove_partial_files


def recover_interrupted_crawl(output: Path, store: Store, site_links: SiteLinks, now: datetime) -> None:
    """Set right what a killed crawl left: unfinished files, posts whose rows were written already, and open runs.

    The runs are closed last: whoever is killed here leaves one open, or a post owed, so that the next one sweeps again.
    """
    unwritten_posts = store.articles.unwritten_posts(site_links)
    if unwritten_posts or store.runs.open_run_ids():
        remove_partial_files(output)
    for code, revision, path, text in unwritten_posts:
        post_files.write_post(output, path, text)
        store.articles.mark_post_written(code, revision)
    store.runs.finish_interrupted_runs(now)
