"""Takes articles in, many at once: rows, posts, marks and outcomes, in the order that a kill at any moment allows.

    1. one commit: the rows of all, which know that their posts are owed; one each, where one meets a fault of ours
    2. the post files, each whole before it can be seen; then their folders
    3. one commit: the marks that the posts stand, and the entries' outcomes

A kill before 1 loses what was fetched since the last time, and the next crawl fetches it again: no more than
`BATCH_SIZE` articles here, as many that wait to be cleaned, and those that are being cleaned. After 1, the next one
writes the posts that are owed; after 2, it writes the same bytes again.
"""

from dataclasses import dataclass
from pathlib import Path

from crawler.content.post_format import SiteLinks
from crawler.items import Article, ListingEntry, Reason, SavedArticle
from crawler.storage import Store, post_files

# A commit and a folder cost the disk as much for one as for so many.
BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class PendingArticle:
    """An article that is to be taken in, the listing entry that it came from, and that one's row in `entries`."""

    article: Article
    entry: ListingEntry
    entry_id: int


class BatchWriter:
    def __init__(self, output: Path, store: Store, site_links: SiteLinks) -> None:
        self._output_dir, self._store, self._site_links = output, store, site_links
        self._pending: list[PendingArticle] = []

    def add(self, pending: PendingArticle) -> int:
        """Keep an article for the next `flush`; how many there are now."""
        self._pending.append(pending)
        return len(self._pending)

    def flush(self) -> tuple[list[SavedArticle], list[tuple[ListingEntry, Exception]]]:
        """Take in what waits: what was recorded, and the entries whose article met a fault of ours.

        Raises StoreError or OutputError when nothing more can be written.
        """
        batch, self._pending = self._pending, []
        if not batch:
            return [], []
        save_results = self._store.articles.save_all([(each.article, each.entry) for each in batch], self._site_links)
        results = list(zip(batch, save_results, strict=True))
        saved_pairs = [(each, done) for each, done in results if isinstance(done, SavedArticle)]
        failed_entries = [(each.entry, fault) for each, fault in results if isinstance(fault, Exception)]
        post_files.write_posts(
            self._output_dir, {done.post_path: done.post_text for _, done in saved_pairs if done.post_text}
        )
        with self._store.transaction():
            for each, done in saved_pairs:
                self._store.articles.mark_post_written(each.article.code, done.revision)
                self._store.runs.set_outcome(each.entry_id, done.outcome, Reason.SCRAPED)
        return [done for _, done in saved_pairs], failed_entries
