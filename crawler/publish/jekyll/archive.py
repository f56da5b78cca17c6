"""Archive of old months: their pages are kept as HTML in the output folder, at the paths where Jekyll rendered them.

A month is archived when all of its days are older than the hot window: the rendered pages of its articles and days are
copied into the output folder, and its posts move from `_posts` to `_frozen`. A post of an archived month that is in
`_posts` again is archived by the next build: that of a corrected article, or one whose page is missing or was changed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from crawler import items
from crawler.content.post_format import parse_post_path
from crawler.errors import FatalError
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import (
    as_output_error,
    fingerprint,
    list_files,
    list_folder,
    read_existing,
    write_if_changed,
)
from crawler.publish.jekyll.pages import load_reprints, render_day_page
from crawler.publish.jekyll.run_jekyll import render_sources, split_batches
from crawler.storage import Store, post_files
from crawler.storage.archived_pages import PageHashes
from crawler.storage.post_files import read_if_file

_MONTH = re.compile(r"\d{4}/\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class DamagedPage:
    """Archived page that is missing or was changed: the page of a post, or of a day if `post_path` is empty."""

    path: str
    detail: str
    post_path: str = ""

    @property
    def day(self) -> str:
        """Return the day, such as `2022/01/10`."""
        return self.path.rpartition("/")[0]


def list_archived_months(output: Path) -> list[str]:
    """Return the archived months, such as `2022/01`. Raises OutputError."""
    years = list_folder(output / items.ARCHIVED_POSTS_DIR)
    names = (f"{year.name}/{month.name}" for year in years for month in list_folder(year))
    return [name for name in names if _MONTH.fullmatch(name)]


def find_posts_to_archive(output: Path, archive_before: date | None, archived_months: Iterable[str]) -> dict[str, str]:
    """Return the posts in `_posts` of months before that of `archive_before` or of archived months, with their days."""
    first_live_month, archived = f"{archive_before:%Y/%m}" if archive_before else "", set(archived_months)
    days = {path: post.day for path in list_files(output, items.POSTS_DIR) if (post := parse_post_path(path))}
    return {path: day for path, day in days.items() if _month_of(day) < first_live_month or _month_of(day) in archived}


def list_archived_pages(output: Path, month: str) -> list[tuple[str, str]]:
    """Return the pages of an archived month, each with the path of its post, empty for the pages of days."""
    archived_files = list_files(output, f"{items.ARCHIVED_POSTS_DIR}/{month}")
    paths = (items.POSTS_DIR + path.removeprefix(items.ARCHIVED_POSTS_DIR) for path in archived_files)
    days = {path: post.day for path in paths if (post := parse_post_path(path))}
    return [
        *((urls.built_page_path(path), path) for path in days),
        *((urls.day_url(day)[1:], "") for day in sorted({*days.values()})),
    ]


def find_damaged_pages(
    output: Path, store: Store, month: str, fingerprints: Mapping[str, str]
) -> Iterator[DamagedPage]:
    """Yield the pages of an archived month that are missing or were changed.

    A page whose fingerprint is unchanged is not read. Raises OutputError and StoreError.
    """
    hashes_by_page = store.archived_pages.of_month(month)
    for path, post_path in list_archived_pages(output, month):
        known_fingerprint = fingerprints.get(path)
        if known_fingerprint and known_fingerprint == fingerprint(output / path):
            continue
        content, hashes = read_if_file(output / path), hashes_by_page.get(path)
        if content is None:
            yield DamagedPage(path, "missing", post_path)
        elif known_fingerprint if hashes is None else hashes.page != sha256(content).hexdigest():
            yield DamagedPage(path, "was changed after it was archived", post_path)


def find_outdated_pages(output: Path, store: Store, month: str) -> Iterator[DamagedPage]:
    """Yield the pages of an archived month that were rendered from other posts or rows than there are now."""
    hashes_by_page = store.archived_pages.of_month(month)
    for path, post_path in list_archived_pages(output, month):
        if (hashes := hashes_by_page.get(path)) is None:
            continue
        if sha256(_read_source(output, store, post_path or path)).hexdigest() != hashes.source:
            yield DamagedPage(path, "shows an older state of the articles", post_path)


def restore_post(output: Path, post_path: str) -> None:
    """Move an archived post back into `_posts` and remove its page: a page has one source. Raises OutputError."""
    _move_file(post_files.archived_path(output, post_path), output / post_path)
    remove_archived_pages(output, [post_path])


def remove_archived_pages(output: Path, post_paths: Iterable[str]) -> None:
    """Remove the archived HTML of posts that will be rendered: a page has one source. Raises OutputError."""
    for path in post_paths:
        with as_output_error(output):
            (output / urls.built_page_path(path)).unlink(missing_ok=True)


def archive_posts(
    output: Path, store: Store, site_dir: Path, days_by_post: Mapping[str, str], day_pages: Sequence[str]
) -> None:
    """Archive these posts and pages of days, which are rendered in `_site`. Raises OutputError and StoreError.

    All HTML is copied before the first post moves: after a kill in between, the next build repeats it.
    """
    sources = {path: read_existing(output / path) for path in (*days_by_post, *day_pages)}
    _archive_pages(output, store, site_dir, sources)
    for path in days_by_post:
        _move_file(output / path, post_files.archived_path(output, path))
    for month in {_month_of(day) for day in days_by_post.values()}:
        month_folder = output / items.POSTS_DIR / month
        # Each build lists the folders in `_posts`: empty ones are removed.
        for folder in (*list_folder(month_folder), month_folder):
            with as_output_error(folder):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def render_archived_months(output: Path, store: Store, months: Iterable[str]) -> int:
    """Render the pages of archived months again from their archived posts, and return their number.

    Raises FatalError and StoreError.
    """
    page_count = 0
    pages = (page for month in months for page in list_archived_pages(output, month))
    for batch in filter(None, split_batches(post_path or path for path, post_path in pages)):
        sources = {path: _read_source(output, store, path) for path in batch}
        post_paths = [path for path in batch if parse_post_path(path)]
        slugs = {urls.slug_of_post(path) for path in post_paths}
        reprints = load_reprints(store, min(post_paths), max(post_paths)) if post_paths else {}
        batch_reprints = {slug: entries for slug, entries in reprints.items() if slug in slugs}
        with render_sources(output, sources, batch_reprints) as rendered_dir:
            _archive_pages(output, store, rendered_dir, sources)
        page_count += len(sources)
    return page_count


def _month_of(day: str) -> str:
    return day.rpartition("/")[0]


def _read_source(output: Path, store: Store, path: str) -> bytes:
    """Return what a page is rendered from: an archived post, or the list of a day's articles."""
    if parse_post_path(path):
        return read_existing(post_files.archived_path(output, path))
    return render_day_page(store, path.rpartition("/")[0])


def _archive_pages(output: Path, store: Store, rendered_dir: Path, sources: Mapping[str, bytes]) -> None:
    """Copy the rendered pages of these sources into the output folder, and record their hashes."""
    hashes: dict[str, PageHashes] = {}
    for path, source in sources.items():
        page = urls.built_page_path(path)
        content = read_if_file(rendered_dir / page)
        if content is None:
            raise FatalError(f"cannot archive {path}: Jekyll has rendered no page of it; look at its front matter")
        write_if_changed(output / page, content)
        hashes[page] = PageHashes.of(source, content)
    store.archived_pages.record(hashes)


def _move_file(source: Path, target: Path) -> None:
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
