"""Verification: compare every row with its post file, as two streams in one order, and pages with both; repair.

A post is a pure function of its row: what differs is found by rendering, byte for byte, and memory stays flat however
many articles there are.
"""

import heapq
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

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
    """How a row and its post disagree: there is no file, another one, one without a row, or half of one.

    Or what another program wrote: a row that finews cannot use, and a change of the schema.

    And a row with the search index: search looks at it by itself, more slowly, or misses it. And a row with its
    cluster: its reprints are not those that the texts say. And the rows with a page of the site: it is gone, or does
    not show what they say.
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

_REWRITTEN = "the same text in another encoding or with other line ends: `finews verify --repair` writes it as it was"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One path at which rows and files disagree; `code` and `title` are empty where they are not known.

    `in_progress` says that a running crawl may be about to resolve it, and `only_address` that the post differs in the
    site that it links back to, and in nothing else.
    """

    kind: MismatchKind
    path: str
    code: str = ""
    title: str = ""
    detail: str = ""
    in_progress: bool = False
    only_address: bool = False

    def as_dict(self) -> dict[str, str]:
        """As JSON for a program; a file's name need not be text."""
        path = os.fsencode(self.path).decode("utf-8", "replace")
        return {"kind": self.kind, "path": path, "code": self.code, "title": self.title, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a comparison found: `matching_posts` posts that are as their rows say, and the rest; `repaired` no longer
    counts.
    """

    matching_posts: int
    mismatches: list[Mismatch]
    repaired: list[Mismatch]

    @property
    def post_count(self) -> int:
        """How many disagreements are of posts."""
        return sum(mismatch.kind in _POST_KINDS for mismatch in self.mismatches)

    @property
    def only_address_count(self) -> int:
        """How many posts link back to another address, as after a change of the site's."""
        return sum(mismatch.only_address for mismatch in self.mismatches)

    @property
    def page_count(self) -> int:
        """How many disagreements are of pages."""
        return sum(mismatch.kind is MismatchKind.STALE for mismatch in self.mismatches)

    @property
    def derived_count(self) -> int:
        """How many disagreements are none of posts, but of what is found out of the articles."""
        return sum(mismatch.kind in _DERIVED_KINDS for mismatch in self.mismatches)


def verify_output(output: Path, address: str) -> VerifyReport:
    """Compare every row with its post, changing nothing. Works during a crawl. Raises StoreError.

    A crawl writes the row first and the post after it, and looks for reprints when it ends: what looks wrong is looked
    at once more when all is read, and what the crawl that holds the folder just then still owes is no disagreement.
    """
    with OutputDir.open_for_reading(output, address=address) as out:
        row_count, suspects = _compare_all(out)
        mismatches = [
            *_find_unindexed(out.db),
            *_find_wrongly_linked(out.db),
            *_find_stale(out),
            *_find_foreign_writes(out),
        ]
        owed = [*suspects, *mismatches, *_find_not_yet_linked(out.db)]
        any_in_progress = any(mismatch.in_progress for mismatch in owed)
        crawl_is_running = any_in_progress and _is_locked(output)
        mismatches += [mismatch for suspect in suspects if (mismatch := _recheck_path(out, suspect.path))]
        mismatches += _find_not_yet_linked(out.db)
    matching_posts = row_count - sum(mismatch.kind in _ROW_KINDS for mismatch in mismatches)
    return VerifyReport(
        matching_posts, [mismatch for mismatch in mismatches if not (crawl_is_running and mismatch.in_progress)], []
    )


def repair_output(output: Path, address: str) -> VerifyReport:
    """Repair what is certain: posts that are missing or different are written from their rows, unfinished files go, and
    pages are written again.

    A file without a row stays: whatever it is, it is somebody's. Raises OutputLockedError while a crawl runs, and
    FatalError.
    """
    # What an interrupted crawl left is reported with the rest.
    with OutputDir.open_for_writing(output, address=address, must_exist=True, recover=False) as out:
        out.db.repair_rows(out.path, out.links)
        invalid_rows = [Mismatch(MismatchKind.INVALID, "", detail=str(row)) for row in out.db.repaired_rows]
        schema_changes = [Mismatch(MismatchKind.SCHEMA, "", detail=str(fault)) for fault in out.db.schema_faults]
        row_count, mismatches = _compare_all(out)
        recover_interrupted_crawl(out, clock.now())
        mismatches += [*_find_unindexed(out.db), *_find_not_yet_linked(out.db), *_find_wrongly_linked(out.db)]
        if any(mismatch.kind is MismatchKind.UNLINKED for mismatch in mismatches):
            out.db.reprint_clusters.repair()
        repaired = [mismatch for mismatch in mismatches if _repair_mismatch(out, mismatch)]
        # Of what is right now, and of what was before: the pages are a function of the rows.
        if stale_pages := _find_stale(out):
            repair_pages(out)
            repaired += stale_pages
    take_notices()  # the report has them
    remaining = [mismatch for mismatch in mismatches if mismatch not in repaired]
    return VerifyReport(row_count, remaining, [*schema_changes, *invalid_rows, *repaired])


def _find_foreign_writes(out: OutputDir) -> list[Mismatch]:
    """What other programs have written into the database that finews cannot use."""
    bad_values = [*out.db.row_repair(out.path, out.links).find_bad_values()]
    take_notices()  # the same rows, as they were met
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
    """The pages that are not what they should be; a crawl writes them at its end."""
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
    """How many rows there are, and the paths at which they and the files disagree."""
    row_count, mismatches = 0, []
    row_pairs = ((row["post_path"], row) for row in out.db.articles.iter_rows_by_path())
    file_pairs = ((path, None) for path in iter_post_paths(out.path))
    load_registry = _lazy_registry(out.db)
    for path, group in groupby(heapq.merge(row_pairs, file_pairs, key=_pair_sort_key), key=_pair_path):
        pairs = list(group)
        row = pairs[0][1]
        row_count += row is not None
        if mismatch := _check_path(out, load_registry, path, row, file_exists=pairs[-1][1] is None):
            mismatches.append(mismatch)
    return row_count, mismatches


def _pair_path(pair: tuple[str, ArticleRow | None]) -> str:
    return pair[0]


def _pair_sort_key(pair: tuple[str, ArticleRow | None]) -> bytes:
    return os.fsencode(pair[0])


def _recheck_path(out: OutputDir, path: str) -> Mismatch | None:
    """The same of one path, as it is now. The row is read first: a crawl commits it before it writes the file."""
    row = out.db.articles.get_by_post_path(path)
    file_exists = os.path.lexists(post_files.locate_post(out.path, path))
    return _check_path(out, _lazy_registry(out.db), path, row, file_exists=file_exists)


def _check_path(
    out: OutputDir,
    load_registry: Callable[[], CategoryRegistry],
    path: str,
    row: ArticleRow | None,
    *,
    file_exists: bool,
) -> Mismatch | None:
    if row is None:
        return _mismatch_without_row(out, load_registry, path) if file_exists else None
    mismatch = Mismatch(
        MismatchKind.MISSING,
        path,
        row["code"],
        row["title"],
        in_progress=row["published_revision"] != row["revision"],
    )
    if not file_exists:
        return mismatch
    difference = _compare_post(post_files.locate_post(out.path, path), out.links, row)
    return difference and replace(
        mismatch, kind=MismatchKind.DIFFERENT, detail=difference.detail, only_address=difference.only_address
    )


class _Difference(NamedTuple):
    """How a post is not as its row says; `only_address` as in Mismatch."""

    detail: str = ""
    only_address: bool = False


def _find_other_address(content: bytes, row: ArticleRow) -> str:
    """Return the address that a post links back to, if it is as its row says but for that; else an empty text."""
    text = content.decode("utf-8", "replace")
    address = post_format.find_site_address(text)
    return address if address and text == post_format.render_post(Post.from_row(row), SiteLinks(address)) else ""


def _compare_post(file: Path, site_links: SiteLinks, row: ArticleRow) -> _Difference | None:
    """Return how the file of a row is not as it should be; None where it is."""
    expected = post_format.render_post(Post.from_row(row), site_links)
    content = post_files.read_if_file(file) or b""
    if content != expected.encode():
        if _is_same_text(content, expected):
            return _Difference(_REWRITTEN)
        address = _find_other_address(content, row)
        return _Difference(f"it links back to {address}", only_address=True) if address else _Difference()
    if post_files.hash_post(expected) != row["post_sha256"]:
        return _Difference("the post is as its row says, whose post_sha256 is another's")
    return None


def _is_same_text(content: bytes, expected: str) -> bool:
    try:
        return post_format.decode_post(content) == expected
    except ParseError:
        return False


def _mismatch_without_row(out: OutputDir, load_registry: Callable[[], CategoryRegistry], path: str) -> Mismatch:
    if is_partial_file(path):
        return Mismatch(MismatchKind.UNFINISHED, path, in_progress=True)
    try:
        post = post_format.parse_post(
            post_format.decode_post(post_files.read_if_file(post_files.locate_post(out.path, path)) or b""),
            out.links,
            find_markup_by_url,
            load_registry(),
        )
    except ParseError as error:
        return Mismatch(MismatchKind.EXTRA, path, detail=f"no post of ours: {error}")
    return Mismatch(MismatchKind.EXTRA, path, post.code, post.title, "a post of ours that no row is for")


def _lazy_registry(store: Store) -> Callable[[], CategoryRegistry]:
    """The media that the database knows, asked for when a file without a row turns up."""
    return cache(lambda: CategoryRegistry(store.categories.all()))


def _is_locked(output: Path) -> bool:
    """Whether a crawl is running. A user who may not even open the lock cannot know, and assumes that one is."""
    try:
        return OutputDir.is_locked(output)
    except OutputError:
        return True


def _repair_mismatch(out: OutputDir, mismatch: Mismatch) -> bool:
    if mismatch.kind is MismatchKind.EXTRA:
        return False
    if mismatch.kind is MismatchKind.UNINDEXED:
        out.db.search_index.reindex(mismatch.code)
        return True
    if mismatch.kind is MismatchKind.UNLINKED:
        return True  # with all the others, already
    if mismatch.kind is MismatchKind.UNFINISHED:
        post_files.locate_post(out.path, mismatch.path).unlink(missing_ok=True)
        return True
    row = out.db.articles.get_by_post_path(mismatch.path)
    assert row is not None, "whoever holds the lock is the only one who writes rows"
    write_unwritten_posts(out, [row])
    return True
