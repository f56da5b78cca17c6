"""Verification: compare every row with its post file, check indexes and pages, and repair.

A post is a pure function of its row: each row is rendered and compared with its file, byte for byte. Rows and files
are read as two streams sorted by path, so memory use does not depend on the number of articles.
"""

import heapq
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from crawler.content import clock, post_format
from crawler.content.categories import CategoryRegistry
from crawler.content.post_format import SiteLinks
from crawler.errors import OutputError, ParseError
from crawler.items import Post
from crawler.jobs.spider_lookup import find_markup_by_url
from crawler.publish.jekyll.site_source import find_page_faults, repair_pages
from crawler.storage import Store, post_files
from crawler.storage.article_writer import write_unwritten_posts
from crawler.storage.notices import take_notices
from crawler.storage.output_dir import OutputDir
from crawler.storage.post_files import is_partial_file, iter_post_paths
from crawler.storage.recovery import recover_interrupted_crawl
from crawler.storage.search.index import IndexFault

ArticleRow = Mapping[str, Any]


class MismatchKind(StrEnum):
    """Kind of a disagreement.

    Between a row and its post: the file is missing, different, without a row (extra) or partly written (unfinished).
    Between articles and what is derived from them: the search index (unindexed), the reprint index (unlinked), and
    pages of the site (stale). By other programs: rows that finews cannot use (invalid), and schema changes.
    """

    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"
    UNFINISHED = "unfinished"
    UNINDEXED = "unindexed"
    UNLINKED = "unlinked"
    STALE = "stale"
    INVALID = "invalid"
    SCHEMA = "schema"


_ROW_KINDS = {MismatchKind.MISSING, MismatchKind.DIFFERENT}
_DERIVED_KINDS = {MismatchKind.UNINDEXED, MismatchKind.UNLINKED}
_POST_KINDS = {*MismatchKind} - _DERIVED_KINDS - {MismatchKind.STALE}

_REWRITTEN = "the same text in another encoding or with other line ends: `finews verify --repair` restores it"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement; `code` and `title` are empty if they are not known.

    `in_progress` means that a running crawl may be about to resolve the mismatch, `only_address` that the post differs
    only in the site address of its back links.
    """

    kind: MismatchKind
    path: str
    code: str = ""
    title: str = ""
    detail: str = ""
    in_progress: bool = False
    only_address: bool = False

    def as_dict(self) -> dict[str, str]:
        """Return the fields for JSON, with invalid bytes of the file name replaced."""
        path = os.fsencode(self.path).decode("utf-8", "replace")
        return {"kind": self.kind, "path": path, "code": self.code, "title": self.title, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Result of a comparison: the number of matching posts, the mismatches that remain, and the repaired ones."""

    matching_posts: int
    mismatches: list[Mismatch]
    repaired: list[Mismatch]

    @property
    def post_count(self) -> int:
        """Return the number of mismatches of posts and rows."""
        return sum(mismatch.kind in _POST_KINDS for mismatch in self.mismatches)

    @property
    def only_address_count(self) -> int:
        """Return the number of posts that link back to another site address, as after a change of the address."""
        return sum(mismatch.only_address for mismatch in self.mismatches)

    @property
    def page_count(self) -> int:
        """Return the number of mismatches of pages."""
        return sum(mismatch.kind is MismatchKind.STALE for mismatch in self.mismatches)

    @property
    def derived_count(self) -> int:
        """Return the number of articles with a wrong entry in the search or reprint index."""
        return sum(mismatch.kind in _DERIVED_KINDS for mismatch in self.mismatches)


def verify_output(output: Path, address: str) -> VerifyReport:
    """Compare every row with its post, changing nothing; works during a crawl.

    A crawl writes a row before its post, and links reprints at its end. So paths that disagree are compared again after
    everything else, and unfinished work of a running crawl is not reported.

    Raises StoreError.
    """
    with OutputDir.open_for_reading(output, address=address) as out:
        row_count, suspects = _compare_all(out)
        mismatches = [
            *_find_unindexed(out.db),
            *_find_wrongly_linked(out.db),
            *_find_stale(out),
            *_find_foreign_writes(out),
        ]
        # Testing the lock takes it for a moment, in which a crawl cannot start: test only if the result matters, and
        # before the second comparison, so a crawl that ends in between has written its posts.
        may_be_in_progress = (*suspects, *mismatches, *_find_not_yet_linked(out.db))
        crawl_is_running = False
        if any(mismatch.in_progress for mismatch in may_be_in_progress):
            try:
                crawl_is_running = OutputDir.is_locked(output)
            except OutputError:  # this user may not open the lock file
                crawl_is_running = True
        load_registry = _lazy_registry(out.db)
        for path in (suspect.path for suspect in suspects):
            row = out.db.articles.get_by_post_path(path)  # before the file, since crawls commit the row first
            file_exists = os.path.lexists(post_files.locate_post(out.path, path))
            if mismatch := _check_path(out, load_registry, path, row, file_exists=file_exists):
                mismatches.append(mismatch)
        mismatches += _find_not_yet_linked(out.db)
    matching_posts = row_count - sum(mismatch.kind in _ROW_KINDS for mismatch in mismatches)
    return VerifyReport(
        matching_posts, [mismatch for mismatch in mismatches if not (crawl_is_running and mismatch.in_progress)], []
    )


def repair_output(output: Path, address: str) -> VerifyReport:
    """Write missing and different posts from their rows, update indexes and pages, and remove unfinished files.

    Files without a row are never changed. Raises OutputLockedError while a crawl runs, and FatalError.
    """
    # Without recovery, so posts that an interrupted crawl left unwritten are in the report.
    with OutputDir.open_for_writing(output, address=address, must_exist=True, recover=False) as out:
        out.db.repair_rows(out.path, out.links)
        invalid_rows = [Mismatch(MismatchKind.INVALID, "", detail=str(row)) for row in out.db.repaired_rows]
        schema_changes = [Mismatch(MismatchKind.SCHEMA, "", detail=str(fault)) for fault in out.db.schema_faults]
        row_count, mismatches = _compare_all(out)
        recover_interrupted_crawl(out, clock.now())
        mismatches += [*_find_unindexed(out.db), *_find_not_yet_linked(out.db), *_find_wrongly_linked(out.db)]
        if any(mismatch.kind is MismatchKind.UNLINKED for mismatch in mismatches):
            out.db.reprint_clusters.repair()
        # A file without a row may be the user's own; unlinked articles were repaired together above.
        repaired = [mismatch for mismatch in mismatches if mismatch.kind is not MismatchKind.EXTRA]
        for mismatch in repaired:
            if mismatch.kind is MismatchKind.UNINDEXED:
                out.db.search_index.reindex(mismatch.code)
            elif mismatch.kind is MismatchKind.UNFINISHED:
                post_files.locate_post(out.path, mismatch.path).unlink(missing_ok=True)
            elif mismatch.kind in _ROW_KINDS:
                row = out.db.articles.get_by_post_path(mismatch.path)
                assert row is not None, "only the holder of the lock writes rows"
                write_unwritten_posts(out, [row])
        # Last, since pages are rendered from the repaired rows.
        if stale_pages := _find_stale(out):
            repair_pages(out)
            repaired += stale_pages
    take_notices()  # already in the report
    remaining = [mismatch for mismatch in mismatches if mismatch.kind is MismatchKind.EXTRA]
    return VerifyReport(row_count, remaining, [*schema_changes, *invalid_rows, *repaired])


def _find_foreign_writes(out: OutputDir) -> list[Mismatch]:
    """Return the rows of other programs that finews cannot use, and schema changes."""
    bad_values = [*out.db.row_repair(out.path, out.links).find_bad_values()]
    take_notices()  # already in the report
    return [
        *(Mismatch(MismatchKind.SCHEMA, "", detail=str(fault)) for fault in out.db.find_schema_faults()),
        *(Mismatch(MismatchKind.INVALID, "", detail=str(bad_value)) for bad_value in bad_values),
    ]


def _find_unindexed(store: Store) -> list[Mismatch]:
    return _mismatches_from_faults(store, MismatchKind.UNINDEXED, store.search_index.find_faults())


def _find_not_yet_linked(store: Store) -> list[Mismatch]:
    return _mismatches_from_faults(
        store, MismatchKind.UNLINKED, store.reprint_clusters.find_pending(), in_progress=True
    )


def _find_wrongly_linked(store: Store) -> list[Mismatch]:
    return _mismatches_from_faults(store, MismatchKind.UNLINKED, store.reprint_clusters.find_faults())


def _find_stale(out: OutputDir) -> list[Mismatch]:
    """Return the pages that are outdated; a crawl updates pages at its end."""
    return [
        Mismatch(MismatchKind.STALE, fault.path, detail=fault.detail, in_progress=True)
        for fault in find_page_faults(out)
    ]


def _mismatches_from_faults(
    store: Store, kind: MismatchKind, faults: list[IndexFault], *, in_progress: bool = False
) -> list[Mismatch]:
    details = {fault.code: fault.detail for fault in faults}
    rows = ((code, store.articles.get(code) or {}, detail) for code, detail in details.items())
    return [
        Mismatch(kind, row.get("post_path", ""), code, row.get("title", ""), detail, in_progress)
        for code, row, detail in rows
    ]


def _compare_all(out: OutputDir) -> tuple[int, list[Mismatch]]:
    """Compare all rows and post files in the order of their paths; return the number of rows, and the mismatches."""
    row_count, mismatches = 0, []
    row_pairs = ((os.fsencode(row["post_path"]), row["post_path"], row) for row in out.db.articles.iter_rows_by_path())
    file_pairs = ((os.fsencode(path), path, None) for path in iter_post_paths(out.path))
    load_registry = _lazy_registry(out.db)
    merged_pairs: Iterator[tuple[bytes, str, ArticleRow | None]] = heapq.merge(row_pairs, file_pairs, key=itemgetter(0))
    for path, group in groupby(merged_pairs, key=itemgetter(1)):
        rows = [row for _, _, row in group]  # the row comes first, then None for the file
        row_count += rows[0] is not None
        if mismatch := _check_path(out, load_registry, path, rows[0], file_exists=rows[-1] is None):
            mismatches.append(mismatch)
    return row_count, mismatches


def _check_path(
    out: OutputDir,
    load_registry: Callable[[], CategoryRegistry],
    path: str,
    row: ArticleRow | None,
    *,
    file_exists: bool,
) -> Mismatch | None:
    """Compare the row and the file of a path, either of which may be missing; return None if they agree."""
    file = post_files.locate_post(out.path, path)
    if row is not None:
        is_unwritten = row["published_revision"] != row["revision"]
        mismatch = Mismatch(MismatchKind.MISSING, path, row["code"], row["title"], in_progress=is_unwritten)
        return _compare_post(mismatch, file, out.links, row) if file_exists else mismatch
    if not file_exists:
        return None
    if is_partial_file(path):
        return Mismatch(MismatchKind.UNFINISHED, path, in_progress=True)
    try:
        text = post_format.decode_post(post_files.read_if_file(file) or b"")
        post = post_format.parse_post(text, out.links, find_markup_by_url, load_registry())
    except ParseError as error:
        return Mismatch(MismatchKind.EXTRA, path, detail=f"not a finews post: {error}")
    return Mismatch(MismatchKind.EXTRA, path, post.code, post.title, "a finews post without a row")


def _compare_post(missing: Mismatch, file: Path, site_links: SiteLinks, row: ArticleRow) -> Mismatch | None:
    """Compare a post file with its row; return None if they agree, else the mismatch, made from that of a missing file.

    Text that differs only in encoding or line ends, and a post of another site address, are named as such.
    """
    different = replace(missing, kind=MismatchKind.DIFFERENT)
    expected = post_format.render_post(Post.from_row(row), site_links)
    content = post_files.read_if_file(file) or b""
    if content == expected.encode():
        if post_files.hash_post(expected) == row["post_sha256"]:
            return None
        return replace(different, detail="the post matches its row, but the stored post_sha256 does not")
    with suppress(ParseError):
        if post_format.decode_post(content) == expected:
            return replace(different, detail=_REWRITTEN)
    text = content.decode("utf-8", "replace")
    address = post_format.find_site_address(text)
    if address and text == post_format.render_post(Post.from_row(row), SiteLinks(address)):
        return replace(different, detail=f"it links back to {address}", only_address=True)
    return different


def _lazy_registry(store: Store) -> Callable[[], CategoryRegistry]:
    """Return a function that loads the categories once, since only files without a row need them."""
    return cache(lambda: CategoryRegistry(store.categories.all()))
