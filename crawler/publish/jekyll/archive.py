"""Archive of old months: their pages are kept as HTML, at the places that Jekyll would have given them.

A month is archived when all of its days lie before the hot window: the pages of its articles and days, which Jekyll
has rendered, take their places in the output folder, and the posts move from `_posts` to `_frozen`. An article of such
a month that is corrected later has a post in `_posts` again, which is how the next build knows that it is to be
archived again. So has one whose page is gone or is not the one that was archived.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
    """An archived page that is gone or not as it was archived: that of a post, or of a day where there is none."""

    path: str
    detail: str
    post_path: str = ""

    @property
    def day(self) -> str:
        return self.path[:10]


def list_archived_months(output: Path) -> list[str]:
    """The months that are archived, such as `2022/01`. Raises OutputError."""
    years = list_folder(output / items.ARCHIVED_POSTS_DIR)
    names = (f"{year.name}/{month.name}" for year in years for month in list_folder(year))
    return [name for name in names if _MONTH.fullmatch(name)]


def find_posts_to_archive(output: Path, archive_before: date | None, archived_months: Iterable[str]) -> list[str]:
    """The posts in `_posts` that are to be archived: of months before this day's, and of those that are archived."""
    first_live_month, archived = f"{archive_before:%Y/%m}" if archive_before else "", set(archived_months)
    months = {
        path: post_path.day[:7]
        for path in list_files(output, items.POSTS_DIR)
        if (post_path := parse_post_path(path)) is not None
    }
    return [path for path, month in months.items() if month < first_live_month or month in archived]


def list_archived_pages(output: Path, month: str) -> list[tuple[str, str]]:
    """The pages that a month's archive holds, each with the path of its post; empty for the pages of days."""
    post_paths = _archived_post_paths(output, month)
    days = sorted({path[7:17] for path in post_paths})
    return [
        *((urls.built_page_path(path), path) for path in post_paths),
        *((urls.day_url(day)[1:], "") for day in days),
    ]


def find_damaged_pages(
    output: Path, store: Store, month: str, fingerprints: Mapping[str, str]
) -> Iterator[DamagedPage]:
    """The pages of an archived month that are gone, or not what was archived.

    A page that has its fingerprint is as it was. Raises OutputError and StoreError.
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
            yield DamagedPage(path, "not as it was archived", post_path)


def find_outdated_pages(output: Path, store: Store, month: str) -> Iterator[DamagedPage]:
    """The pages of an archived month that were rendered from something else than the posts and rows of today."""
    hashes_by_page = store.archived_pages.of_month(month)
    for path, post_path in list_archived_pages(output, month):
        if (hashes := hashes_by_page.get(path)) is None:
            continue
        if sha256(_read_source(output, store, post_path or path)).hexdigest() != hashes.source:
            yield DamagedPage(path, "of an older state of the articles", post_path)


def restore_post(output: Path, post_path: str) -> None:
    """Put an archived post back among the live ones, without its page: a page has one source. Raises OutputError."""
    _move_file(post_files.archived_path(output, post_path), output / post_path)
    remove_archived_pages(output, [post_path])


def remove_archived_pages(output: Path, post_paths: Iterable[str]) -> None:
    """Remove the HTML of posts that are to be rendered: a page has one source. Raises OutputError."""
    for path in post_paths:
        with as_output_error(output):
            (output / urls.built_page_path(path)).unlink(missing_ok=True)


def archive_posts(output: Path, store: Store, site_dir: Path, post_paths: list[str], day_pages: list[str]) -> None:
    """Archive these posts and days, whose pages are in the built tree. Raises OutputError and StoreError.

    All HTML is there before the first post moves: a build that is killed in between does it again.
    """
    sources = {path: read_existing(output / path) for path in (*post_paths, *day_pages)}
    _archive_pages(output, store, site_dir, sources)
    for path in post_paths:
        _move_file(output / path, post_files.archived_path(output, path))
    for month_folder in {f"{items.POSTS_DIR}/{path[7:14]}" for path in post_paths}:
        _remove_empty_folders(output / month_folder)


def render_archived_months(output: Path, store: Store, months: Iterable[str]) -> int:
    """Render the pages of archived months again, from the posts where they are; how many.

    Raises FatalError and StoreError.
    """
    page_count = 0
    for batch in filter(None, split_batches(path for month in months for path in _list_sources(output, month))):
        sources = {path: _read_source(output, store, path) for path in batch}
        with render_sources(output, sources, _load_batch_reprints(store, batch)) as rendered_dir:
            _archive_pages(output, store, rendered_dir, sources)
        page_count += len(sources)
    return page_count


def _load_batch_reprints(store: Store, sources: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    post_paths = [path for path in sources if parse_post_path(path)]
    reprints = load_reprints(store, min(post_paths), max(post_paths)) if post_paths else {}
    slugs = {urls.slug_of_post(path) for path in post_paths}
    return {slug: entries for slug, entries in reprints.items() if slug in slugs}


def _read_source(output: Path, store: Store, path: str) -> bytes:
    """What a page is rendered from: an archived post, or the list of a day's articles."""
    is_post = parse_post_path(path)
    return read_existing(post_files.archived_path(output, path)) if is_post else render_day_page(store, path[:10])


def _list_sources(output: Path, month: str) -> list[str]:
    return [post_path or path for path, post_path in list_archived_pages(output, month)]


def _archive_pages(output: Path, store: Store, rendered_dir: Path, sources: Mapping[str, bytes]) -> None:
    """Put the pages of sources, which Jekyll has rendered, at their places, and record them."""
    hashes: dict[str, PageHashes] = {}
    for path, source in sources.items():
        page = urls.built_page_path(path)
        content = read_if_file(rendered_dir / page)
        if content is None:
            raise FatalError(f"Jekyll has made no page of {path}, which is to be archived")
        write_if_changed(output / page, content)
        hashes[page] = PageHashes.of(source, content)
    store.archived_pages.record(hashes)


def _archived_post_paths(output: Path, month: str) -> list[str]:
    paths = list_files(output, f"{items.ARCHIVED_POSTS_DIR}/{month}")
    post_paths = (items.POSTS_DIR + path.removeprefix(items.ARCHIVED_POSTS_DIR) for path in paths)
    return [path for path in post_paths if parse_post_path(path)]


def _move_file(source: Path, target: Path) -> None:
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _remove_empty_folders(month_folder: Path) -> None:
    """Remove a month's folders as far as they are empty, which each build would walk through."""
    for folder in (*list_folder(month_folder), month_folder):
        with as_output_error(folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
