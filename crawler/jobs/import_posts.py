"""Import of an old site's posts: a run like a crawl's, whose entries are the files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.content import clock
from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.crawl.policy.failures import classify_error
from crawler.errors import CommandError, ItemError, OutputError, ParseError
from crawler.items import Outcome, RawResponse, Reason, RunOutcome
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import IMPORT_COLUMN, LegacyPost
from crawler.jobs.spider_lookup import find_markup
from crawler.publish.jekyll.site_source import update_site_source
from crawler.storage import Store, post_files
from crawler.storage.article_writer import save_article
from crawler.storage.output_dir import OutputDir, refuse_demo_dir
from crawler.storage.quarantine import KIND_FILE

IMPORT_SPIDER = "import"

_MAX_FILE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportResult:
    """A closed import. `run` is its row of `runs`; `rejected_files` are the files that are no articles, with the
    reason.
    """

    run: Mapping[str, Any]
    rejected_files: Mapping[str, str]


@dataclass(slots=True)
class _PostImporter:
    """Imports post files one by one; those that are no articles go to quarantine."""

    folder: Path
    out: OutputDir
    registry: CategoryRegistry
    run_id: int
    imported_paths: dict[str, str] = field(default_factory=dict)
    rejected_files: dict[str, str] = field(default_factory=dict)

    def import_file(self, legacy_post: LegacyPost) -> tuple[Outcome, Reason, str]:
        """What becomes of one file, and why, as code and text."""
        if legacy_post.code in self.imported_paths:
            return (
                Outcome.DUPLICATE,
                Reason.LISTED_TWICE,
                f"{legacy_post.display_path}: the same article as {self.imported_paths[legacy_post.code]}",
            )
        if legacy_post.code and (row := self.out.db.articles.get(legacy_post.code)):
            detail = f"{legacy_post.display_path}: in the database already, from {row['source']}"
            return Outcome.UNCHANGED, Reason.ALREADY_STORED, detail
        content = b""
        try:
            content = self._read_post_file(legacy_post)
            raw = legacy_posts.parse_legacy_post(legacy_post, content, self.registry, clock.now())
            save_article(self.out, normalise_article(raw, self.registry.get_or_create, find_markup(raw.spider)))
        except ItemError as error:
            if content:
                self._quarantine(legacy_post, content, str(error))
            self.rejected_files[legacy_post.display_path] = str(error)
            reason = classify_error(error, legacy_post.display_path).reason
            return Outcome.QUARANTINED, reason, f"{legacy_post.display_path}: {error}"
        self.imported_paths[legacy_post.code] = legacy_post.display_path
        return Outcome.NEW, Reason.IMPORTED, legacy_post.display_path

    def _read_post_file(self, legacy_post: LegacyPost) -> bytes:
        """A file that may not be read is one that is no article; the others may."""
        if not legacy_post.code:
            raise ParseError("not an article: its name holds no code")
        try:
            content = post_files.read_file(self.folder / legacy_post.path, _MAX_FILE_BYTES + 1)
        except OutputError as error:
            raise ParseError(str(error)) from error
        if len(content) > _MAX_FILE_BYTES:
            raise ParseError(f"over {_MAX_FILE_BYTES >> 20} MiB")
        return content

    def _quarantine(self, legacy_post: LegacyPost, content: bytes, reason: str) -> None:
        response = RawResponse(legacy_post.display_path, "text/markdown", content)
        quarantine = self.out.db.quarantine
        quarantine.add(
            response,
            run_id=self.run_id,
            spider=IMPORT_SPIDER,
            kind=KIND_FILE,
            reason=reason,
            seen_at=clock.now(),
            code=legacy_post.code,
        )


def import_folder(folder: Path, output: Path, address: str) -> ImportResult:
    """Import every file below a folder, hidden ones aside. Raises UsageError, OutputLockedError and FatalError.

    An article that is stored twice is taken once, from the post that ranks highest; one that the database has is not
    touched. A file that is no article is reported, and stays where it is; one that is named like an article's and holds
    none goes to quarantine, too.
    """
    refuse_demo_dir(output)
    legacy_posts = sorted(_find_files(folder), key=LegacyPost.sort_rank, reverse=True)
    with OutputDir.open_for_writing(output, address=address) as out:
        with _recorded_run(out.db, folder) as run_id:
            importer = _PostImporter(folder, out, CategoryRegistry(out.db.categories.all()), run_id)
            entry_ids = out.db.runs.add_entries(
                run_id,
                [
                    (legacy_post.code, IMPORT_COLUMN, None, None, legacy_post.display_path)
                    for legacy_post in legacy_posts
                ],
            )
            for legacy_post, entry_id in zip(legacy_posts, entry_ids, strict=True):
                out.db.runs.set_outcome(entry_id, *importer.import_file(legacy_post))
        out.db.reprint_clusters.cluster_pending()
        update_site_source(out)
        return ImportResult(out.db.runs.get(run_id), importer.rejected_files)


@contextmanager
def _recorded_run(store: Store, folder: Path) -> Iterator[int]:
    """One recorded run, closed whatever happens."""
    run_id = store.runs.start(IMPORT_SPIDER, {"folder": str(folder)}, clock.now())
    outcome, detail = RunOutcome.INTERRUPTED, ""
    try:
        yield run_id
        outcome = RunOutcome.PARTIAL if store.runs.entry_counts(run_id)[Outcome.QUARANTINED] else RunOutcome.DONE
    except CommandError as error:
        outcome, detail = RunOutcome.FAILED, str(error)
        raise
    finally:
        store.runs.fail_open_entries(run_id, "the import was stopped")
        store.runs.finish(run_id, outcome, clock.now(), detail)


def _find_files(folder: Path) -> Iterator[LegacyPost]:
    """Links to folders are among them, since they are not followed."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in (*names, *links):
            if not name.startswith("."):
                yield LegacyPost.from_path(str(Path(parent, name).relative_to(folder)))
