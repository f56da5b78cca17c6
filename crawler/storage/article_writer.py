"""Takes articles in, many at once: rows, posts, marks and outcomes, in the order that a kill at any moment allows.

    1. one commit: the rows of all, which know that their posts are owed; one each, where one meets a fault of ours
    2. the post files, each whole before it can be seen; then their folders
    3. one commit: the marks that the posts stand, and the entries' outcomes

A kill before 1 loses what was fetched since the last time, and the next crawl fetches it again: no more than `LARGEST`
articles here, as many that wait to be cleaned, and those that are being cleaned. After 1, the next one writes the
posts that are owed; after 2, it writes the same bytes again.
"""

from dataclasses import dataclass
from pathlib import Path

from crawler.content.post_format import Site
from crawler.items import Article, Entry, Recorded
from crawler.storage import Store, post_files

# A commit and a folder cost the disk as much for one as for so many.
LARGEST = 32


@dataclass(frozen=True, slots=True)
class Waiting:
    """An article that is to be taken in, the listing entry that it came from, and that one's row in `entries`."""

    article: Article
    entry: Entry
    entry_id: int


class Recorder:
    def __init__(self, output: Path, store: Store, site: Site) -> None:
        self._output, self._store, self._site = output, store, site
        self._waiting: list[Waiting] = []

    def add(self, waiting: Waiting) -> int:
        """Keep an article for the next `flush`; how many there are now."""
        self._waiting.append(waiting)
        return len(self._waiting)

    def flush(self) -> tuple[list[Recorded], list[tuple[Entry, Exception]]]:
        """Take in what waits: what was recorded, and the entries whose article met a fault of ours.

        Raises StoreError or OutputError when nothing more can be written.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return [], []
        saved = self._store.articles.save_all([(each.article, each.entry) for each in waiting], self._site)
        results = list(zip(waiting, saved, strict=True))
        recorded = [(each, done) for each, done in results if isinstance(done, Recorded)]
        faults = [(each.entry, fault) for each, fault in results if isinstance(fault, Exception)]
        post_files.put_all(self._output, {done.post_path: done.post_text for _, done in recorded if done.post_text})
        with self._store.at_once():
            for each, done in recorded:
                self._store.articles.published(each.article.code, done.revision)
                self._store.runs.settle(each.entry_id, done.outcome)
        return [done for _, done in recorded], faults
