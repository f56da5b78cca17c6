"""Finish what an interrupted crawl left behind."""

from datetime import datetime
from pathlib import Path

from crawler.content.post_format import Site
from crawler.storage import Store, post_files
from crawler.storage.output_dir import sweep


def finish_what_was_left(output: Path, store: Store, site: Site, now: datetime) -> None:
    """Set right what a killed crawl left: unfinished files, posts whose rows were written already, and open runs.

    The runs are closed last: whoever is killed here leaves one open, or a post owed, so that the next one sweeps again.
    """
    owed = store.articles.owed(site)
    if owed or store.runs.left_open():
        sweep(output)
    for code, revision, path, text in owed:
        post_files.put(output, path, text)
        store.articles.published(code, revision)
    store.runs.finish_interrupted(now)
