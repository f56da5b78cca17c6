"""Takes in a folder of an old site's posts: a run of the ledger like a crawl's, whose entries are the files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.content import clock
from crawler.content.categories import Media
from crawler.content.normalise import normalise
from crawler.content.post_format import Site
from crawler.errors import Ending, OutputError, Unreadable, Unusable
from crawler.items import Outcome, Reply, RunOutcome
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import COLUMN, OldPost
from crawler.publish.jekyll import pages, theme_installer
from crawler.storage import Store, post_files
from crawler.storage.output_dir import hold, prepare
from crawler.storage.quarantine import FILE
from crawler.storage.recovery import finish_what_was_left

SPIDER = "import"

_LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Imported:
    """A closed import. `run` is its row of `runs`; `reported` are the files that are no articles, with the reason."""

    run: Mapping[str, Any]
    reported: Mapping[str, str]


@dataclass(slots=True)
class _Import:
    folder: Path
    output: Path
    store: Store
    site: Site
    media: Media
    run_id: int
    taken: dict[str, str] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)

    def take(self, old: OldPost) -> tuple[Outcome, str]:
        """What becomes of one file, and why."""
        if old.code in self.taken:
            return Outcome.DUPLICATE, f"{old.shown}: the same article as {self.taken[old.code]}"
        if old.code and (row := self.store.articles.get(old.code)):
            return Outcome.UNCHANGED, f"{old.shown}: in the database already, from {row['source']}"
        content = b""
        try:
            content = self._content(old)
            self._take_in(old, content)
        except Unusable as error:
            if content:
                self._keep(old, content, str(error))
            self.reported[old.shown] = str(error)
            return Outcome.QUARANTINED, f"{old.shown}: {error}"
        self.taken[old.code] = old.shown
        return Outcome.NEW, old.shown

    def _content(self, old: OldPost) -> bytes:
        """A file that may not be read is one that is no article; the others may."""
        if not old.code:
            raise Unreadable("not an article: its name holds no code")
        try:
            content = post_files.file_content(self.folder / old.path, _LARGEST + 1)
        except OutputError as error:
            raise Unreadable(str(error)) from error
        if len(content) > _LARGEST:
            raise Unreadable(f"over {_LARGEST >> 20} MiB")
        return content

    def _keep(self, old: OldPost, content: bytes, reason: str) -> None:
        reply = Reply(old.shown, "text/markdown", content)
        quarantine = self.store.quarantine
        quarantine.keep(
            reply, run_id=self.run_id, spider=SPIDER, kind=FILE, reason=reason, at=clock.now(), code=old.code
        )

    def _take_in(self, old: OldPost, content: bytes) -> None:
        """The row first and the post after it, as the pipelines of a crawl do."""
        raw = legacy_posts.read(old, content, self.media, clock.now())
        recorded = self.store.articles.save(normalise(raw, self.media.of), legacy_posts.entry_of(raw), self.site)
        post_files.put(self.output, recorded.post_path, recorded.post_text)
        self.store.articles.published(recorded.article.code, recorded.revision)


def take_in(folder: Path, output: Path, site: Site) -> Imported:
    """Import every file below a folder, hidden ones aside. Raises Busy and Failed.

    An article that is stored twice is taken once, from the post that ranks highest; one that the database has is not
    touched. A file that is no article is reported, and stays where it is; one that is named like an article's and holds
    none goes to quarantine, too.
    """
    found = sorted(_files(folder), key=OldPost.rank, reverse=True)
    prepare(output)
    with hold(output), Store.writing(output) as store:
        finish_what_was_left(output, store, site, clock.now())
        with _run(store, folder) as run_id:
            taking = _Import(folder, output, store, site, Media(store.categories.all()), run_id)
            ids = store.runs.list_entries(run_id, [(old.code, COLUMN, None, old.shown) for old in found])
            for old, entry_id in zip(found, ids, strict=True):
                store.runs.settle(entry_id, *taking.take(old))
        store.stories.catch_up()
        theme_installer.install(output, site)
        pages.keep_current(output, store)
        return Imported(store.runs.get(run_id), taking.reported)


@contextmanager
def _run(store: Store, folder: Path) -> Iterator[int]:
    """One run of the ledger, closed whatever happens."""
    run_id = store.runs.begin(SPIDER, {"folder": str(folder)}, clock.now())
    outcome, detail = RunOutcome.INTERRUPTED, ""
    try:
        yield run_id
        outcome = RunOutcome.PARTIAL if store.runs.counts(run_id)[Outcome.QUARANTINED] else RunOutcome.DONE
    except Ending as error:
        outcome, detail = RunOutcome.FAILED, str(error)
        raise
    finally:
        store.runs.settle_open(run_id, "the import was stopped")
        store.runs.finish(run_id, outcome, clock.now(), detail)


def _files(folder: Path) -> Iterator[OldPost]:
    """Links to folders are among them, since nobody follows those."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*names, *links):
            if not name.startswith("."):
                yield OldPost.named(str(Path(parent, name).relative_to(folder)))
