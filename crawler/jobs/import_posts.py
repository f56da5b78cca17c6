"""Import of an old site's posts, recorded as a run with one entry per file."""

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

# Larger files are rejected, to bound memory; posts are a few KiB.
_MAX_FILE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import: its row of `runs`, and the reasons of the files that are no articles, by path."""

    run: Mapping[str, Any]
    rejected_files: Mapping[str, str]


@dataclass(slots=True)
class _PostImporter:
    """Importer of post files, one by one; unreadable articles go to quarantine."""

    folder: Path
    out: OutputDir
    registry: CategoryRegistry
    run_id: int
    imported_paths: dict[str, str] = field(default_factory=dict)
    rejected_files: dict[str, str] = field(default_factory=dict)

    def import_file(self, legacy_post: LegacyPost) -> tuple[Outcome, Reason, str]:
        """Import one file, and return its outcome, with the reason as code and text."""
        path = legacy_post.display_path
        if legacy_post.code in self.imported_paths:
            detail = f"{path}: the same article as {self.imported_paths[legacy_post.code]}"
            return Outcome.DUPLICATE, Reason.LISTED_TWICE, detail
        if legacy_post.code and (row := self.out.db.articles.get(legacy_post.code)):
            return Outcome.UNCHANGED, Reason.ALREADY_STORED, f"{path}: in the database already, from {row['source']}"
        content = b""
        try:
            if not legacy_post.code:
                raise ParseError("not an article: its name holds no code")
            try:
                content = post_files.read_file(self.folder / legacy_post.path, _MAX_FILE_BYTES + 1)
            except OutputError as error:  # concerns only this file
                raise ParseError(str(error)) from error
            if len(content) > _MAX_FILE_BYTES:
                content = b""
                raise ParseError(f"over {_MAX_FILE_BYTES >> 20} MiB")
            raw = legacy_posts.parse_legacy_post(legacy_post, content, self.registry, clock.now())
            save_article(self.out, normalise_article(raw, self.registry.get_or_create, find_markup(raw.spider)))
        except ItemError as error:
            if content:
                self.out.db.quarantine.add(
                    RawResponse(path, "text/markdown", content),
                    run_id=self.run_id,
                    spider=IMPORT_SPIDER,
                    kind=KIND_FILE,
                    reason=str(error),
                    seen_at=clock.now(),
                    code=legacy_post.code,
                )
            self.rejected_files[path] = str(error)
            return Outcome.QUARANTINED, classify_error(error, path).reason, f"{path}: {error}"
        self.imported_paths[legacy_post.code] = path
        return Outcome.NEW, Reason.IMPORTED, path


def import_folder(folder: Path, output: Path, address: str) -> ImportResult:
    """Import every file in a folder and its subfolders, except hidden ones.

    Of two posts of an article the one that ranks higher is imported; articles in the database are not changed. A file
    that is no article is reported and left in place; if its name is that of an article, it also goes to quarantine.

    Raises UsageError, OutputLockedError and FatalError.
    """
    refuse_demo_dir(output)
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]  # not followed, so reported as files
        files += [Path(parent, name) for name in (*names, *links) if not name.startswith(".")]
    posts = sorted(
        (LegacyPost.from_path(str(file.relative_to(folder))) for file in files), key=LegacyPost.sort_rank, reverse=True
    )
    with OutputDir.open_for_writing(output, address=address) as out:
        with _recorded_run(out.db, folder) as run_id:
            importer = _PostImporter(folder, out, CategoryRegistry(out.db.categories.all()), run_id)
            entry_ids = out.db.runs.add_entries(
                run_id,
                [(post.code, IMPORT_COLUMN, None, None, post.display_path) for post in posts],
            )
            for post, entry_id in zip(posts, entry_ids, strict=True):
                out.db.runs.set_outcome(entry_id, *importer.import_file(post))
        out.db.reprint_clusters.cluster_pending()
        update_site_source(out)
        return ImportResult(out.db.runs.get(run_id), importer.rejected_files)


@contextmanager
def _recorded_run(store: Store, folder: Path) -> Iterator[int]:
    """Record a run, and finish it even if an error is raised."""
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
