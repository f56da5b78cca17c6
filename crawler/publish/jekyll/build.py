"""Incremental build of `_site`: what has changed since the last build is rendered, and nothing else.

What the last build rendered is recorded in `_site` itself: a tree that is missing, or that Jekyll has built by itself,
has no record, and is built again. A source is compared by its size and time, as make does; the theme by its bytes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from crawler.items import ARCHIVED_POSTS_DIR, POSTS_DIR
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.archive import (
    archive_posts,
    find_damaged_pages,
    find_posts_to_archive,
    list_archived_months,
    list_archived_pages,
    remove_archived_pages,
    render_archived_months,
    restore_post,
)
from crawler.publish.jekyll.config import SiteConfig
from crawler.publish.jekyll.files import (
    fingerprint,
    is_path_below,
    list_files,
    list_folder,
    read_existing,
    remove_file_below,
    walk_files,
    write_below,
)
from crawler.publish.jekyll.pages import DATA_FILES, load_reprints, write_day_page
from crawler.publish.jekyll.run_jekyll import (
    list_theme_folders,
    list_top_level_sources,
    render_sources,
    render_whole_site,
    split_batches,
)
from crawler.storage import Store
from crawler.storage.post_files import read_if_file
from crawler.storage.site_pages import PageKind, SitePage

SITE_DIR = "_site"
_MANIFEST_FILE = ".finews.json"
# By attribute of the manifest, its key in that file, which earlier versions have written.
_MANIFEST_KEYS = {
    "theme_hash": "frame",
    "archived_theme_hash": "frozen_frame",
    "fingerprints": "sources",
    "archived_months": "months",
    "other_fingerprints": "other_sources",
    "other_pages": "others",
    "page_fingerprints": "pages",
}
# The folders of pages that the database knows; what is next to them is rendered when any of it changes.
_GENERATED_FOLDERS = ("category", "stock", "search")
_INDEX_FILE = "index.html"


@dataclass(frozen=True, slots=True)
class SiteBuildResult:
    """What a build did: `pages_rendered` by Jekyll, `posts_archived`, and whether archived pages have an older look."""

    pages_rendered: int
    posts_archived: int
    outdated_theme: bool


@dataclass(slots=True)
class BuildManifest:
    """What `_site` was made of: the theme, the theme of archived pages, each source, archived months, the rest.

    `fingerprints` are those of the sources, archived pages among them, `other_fingerprints` those of what all other
    pages are made of together, and `page_fingerprints` those of the pages in `_site`, as the build left them.
    """

    theme_hash: str = ""
    archived_theme_hash: str = ""
    fingerprints: dict[str, str] = field(default_factory=dict)
    archived_months: list[str] = field(default_factory=list)
    other_fingerprints: dict[str, str] = field(default_factory=dict)
    other_pages: list[str] = field(default_factory=list)
    page_fingerprints: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, site_dir: Path) -> "BuildManifest":
        """The one in a built site; an empty one where there is none. Raises OutputError.

        A program that can write there can name anything: what is no path below `_site` is left out.
        """
        try:
            values = json.loads(read_if_file(site_dir / _MANIFEST_FILE) or b"{}")
            named = {name: values.pop(key) for name, key in _MANIFEST_KEYS.items() if key in values}
            manifest = cls(**named, **values)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()
        return cls(
            theme_hash=str(manifest.theme_hash),
            archived_theme_hash=str(manifest.archived_theme_hash),
            fingerprints=_keep_paths(manifest.fingerprints),
            archived_months=[*_keep_paths(manifest.archived_months)],
            other_fingerprints=_keep_paths(manifest.other_fingerprints),
            other_pages=[*_keep_paths(manifest.other_pages)],
            page_fingerprints=_keep_paths(manifest.page_fingerprints),
        )

    def write(self, site_dir: Path) -> None:
        values = {key: getattr(self, name) for name, key in _MANIFEST_KEYS.items()}
        write_below(site_dir, _MANIFEST_FILE, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())

    def pages(self) -> set[str]:
        """The pages of a build, by their paths in `_site`."""
        return {*map(urls.built_page_path, self.fingerprints), *self.other_pages}


def _keep_paths(value: object) -> dict[str, str]:
    """Of an object the members that are named by a path below a folder; of a list those that are one."""
    if isinstance(value, list):
        value = {path: "" for path in value if isinstance(path, str)}
    members = value.items() if isinstance(value, dict) else ()
    return {path: str(text) for path, text in members if is_path_below(path)}


def build_jekyll_site(
    output: Path, store: Store, config: SiteConfig, archive_before: date | None, *, render_all: bool
) -> SiteBuildResult:
    """Bring `_site` up to date, and archive the months before a day's. Only the holder of the lock may do this.

    `render_all` renders all pages again, archived ones too. Raises OutputError and FatalError.
    """
    site_dir, archived_months = output / SITE_DIR, list_archived_months(output)
    previous = BuildManifest.load(site_dir)
    current = BuildManifest(theme_hash=_theme_hash(output))
    is_archive_current = render_all or not previous.archived_months
    current.archived_theme_hash = current.theme_hash if is_archive_current else previous.archived_theme_hash
    stale_days = {page.name for page in store.site_pages.stale_pages() if page.kind is PageKind.DAY}
    rerendered_count = 0
    if render_all:
        rerendered_count = render_archived_months(output, store, archived_months)
    else:
        stale_days |= _restore_damaged_pages(output, store, archived_months, previous)
    posts_to_archive = find_posts_to_archive(output, archive_before, archived_months)
    days_to_write = sorted({*(path[7:17] for path in posts_to_archive), *stale_days})
    archived_day_pages = [write_day_page(output, store, day) for day in days_to_write]
    remove_archived_pages(output, posts_to_archive)
    live_posts = list(_live_posts(output))
    reprints = load_reprints(store, live_posts[0], live_posts[-1]) if live_posts else {}
    sources = [*live_posts, *_live_date_pages(output), *archived_day_pages, *_generated_pages(output)]
    current.fingerprints = dict(_fingerprints(output, sources, reprints))
    other_sources = list(_other_sources(output))
    current.other_fingerprints = {path: fingerprint(output / path) for path in (*other_sources, *_data_files())}
    changed_sources = [
        source for source in current.fingerprints if render_all or _needs_rendering(source, site_dir, previous, current)
    ]
    others_outdated = (
        render_all
        or (config.has_plugins and bool(changed_sources))
        or _are_others_outdated(site_dir, previous, current)
    )
    if config.has_plugins and others_outdated:
        changed_sources = list(current.fingerprints)
        rendered_pages = _render_all(output, changed_sources)
    else:
        rendered_pages = _render_changed(output, changed_sources, other_sources if others_outdated else (), reprints)
    current.other_pages = sorted({*rendered_pages, *(() if others_outdated else previous.other_pages)})
    archive_posts(output, store, site_dir, posts_to_archive, archived_day_pages)
    store.site_pages.mark_written([SitePage(PageKind.DAY, day) for day in stale_days])
    for source in (*posts_to_archive, *archived_day_pages):
        current.fingerprints.pop(source)
    current.archived_months = list_archived_months(output)
    copied_pages = _copy_archived_pages(output, site_dir, previous, current)
    for page in previous.pages() - current.pages():
        remove_file_below(site_dir, page)
    changed_pages = [*map(urls.built_page_path, (*changed_sources, *copied_pages)), *rendered_pages]
    current.page_fingerprints = _page_fingerprints(site_dir, previous, current, changed_pages)
    current.write(site_dir)
    outdated_theme = bool(current.archived_months) and current.archived_theme_hash != current.theme_hash
    rendered_count = len(changed_sources) + len(rendered_pages) + rerendered_count
    return SiteBuildResult(rendered_count, len(posts_to_archive), outdated_theme)


def _restore_damaged_pages(output: Path, store: Store, months: Iterable[str], previous: BuildManifest) -> set[str]:
    """Have archived pages rendered again that are gone or were changed: put their posts back; the days among them."""
    days = set()
    for month in months:
        for page in list(find_damaged_pages(output, store, month, previous.fingerprints)):
            if page.post_path:
                restore_post(output, page.post_path)
            else:
                days.add(page.day)
    return days


def _render_changed(
    output: Path, sources: Sequence[str], other_sources: Sequence[str], reprints: Mapping[str, Any]
) -> list[str]:
    """Render these sources into `_site`, and with them all others, where there are any; the pages of the latter."""
    other_pages: list[str] = []
    for batch in split_batches(sources) if sources or other_sources else ():
        slugs = (urls.slug_of_post(source) for source in batch)
        batch_reprints = {slug: reprints[slug] for slug in slugs if slug in reprints}
        batch_sources = {source: output / source for source in (*batch, *other_sources)}
        with render_sources(output, batch_sources, batch_reprints) as rendered_dir:
            written_paths = _copy_changed_files(rendered_dir, output / SITE_DIR)
        other_pages += sorted(written_paths - {urls.built_page_path(source) for source in batch})
        other_sources = ()
    return other_pages


def _render_all(output: Path, sources: Iterable[str]) -> list[str]:
    """Render the whole site into `_site`, for plugins that are to see all of it; the pages that are of no source."""
    with render_whole_site(output) as rendered_dir:
        return sorted(
            _copy_changed_files(rendered_dir, output / SITE_DIR) - {urls.built_page_path(source) for source in sources}
        )


def _copy_changed_files(rendered_dir: Path, site_dir: Path) -> set[str]:
    paths = {str(path) for path in walk_files(rendered_dir)}
    for path in paths:
        write_below(site_dir, path, read_existing(rendered_dir / path))
    return paths


def _needs_rendering(source: str, site_dir: Path, previous: BuildManifest, current: BuildManifest) -> bool:
    is_data = source.startswith("search/")
    return (previous.theme_hash != current.theme_hash and not is_data) or _is_outdated(
        source, site_dir, previous, current
    )


def _is_outdated(source: str, site_dir: Path, previous: BuildManifest, current: BuildManifest) -> bool:
    """Whether a source or its page is not as the last build left it. A page that it did not record has to be there."""
    page = urls.built_page_path(source)
    found = fingerprint(site_dir / page)
    return (
        previous.fingerprints.get(source) != current.fingerprints[source]
        or not found
        or previous.page_fingerprints.get(page, found) != found
    )


def _are_others_outdated(site_dir: Path, previous: BuildManifest, current: BuildManifest) -> bool:
    """Whether the pages that are of no single source would be others now, or are not as the last build left them."""
    return (
        previous.theme_hash != current.theme_hash
        or previous.other_fingerprints != current.other_fingerprints
        or any(previous.page_fingerprints.get(page) != fingerprint(site_dir / page) for page in previous.other_pages)
    )


def _copy_archived_pages(output: Path, site_dir: Path, previous: BuildManifest, current: BuildManifest) -> list[str]:
    """Copy archived pages into `_site` where one of the two has changed; which ones."""
    pages = [page for month in current.archived_months for page, _ in list_archived_pages(output, month)]
    current.fingerprints |= {page: fingerprint(output / page) for page in pages}
    outdated = [page for page in pages if _is_outdated(page, site_dir, previous, current)]
    for page in outdated:
        write_below(site_dir, page, read_existing(output / page))
    return outdated


def _page_fingerprints(
    site_dir: Path, previous: BuildManifest, current: BuildManifest, changed_pages: Iterable[str]
) -> dict[str, str]:
    """Those of the pages now; of what was not written they are as before."""
    changed_pages = set(changed_pages)
    known = {page: text for page, text in previous.page_fingerprints.items() if page not in changed_pages}
    return {page: known.get(page) or fingerprint(site_dir / page) for page in sorted(current.pages())}


def _fingerprints(output: Path, paths: Iterable[str], reprints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each source that is rendered when it changes, and the fingerprint by which a change shows."""
    for path in paths:
        yield path, fingerprint(output / path) + _short_hash(reprints.get(urls.slug_of_post(path)))


def _live_posts(output: Path) -> Iterator[str]:
    return (path for path in list_files(output, POSTS_DIR) if "/." not in path)


def _live_date_pages(output: Path) -> Iterator[str]:
    """The pages of years, and of days that are not archived."""
    for year in filter(_is_year, (path.name for path in list_folder(output))):
        for path in list_folder(output / year):
            if not (output / ARCHIVED_POSTS_DIR / year / path.name).is_dir():
                yield from list_files(output, f"{year}/{path.name}")


def _generated_pages(output: Path) -> Iterator[str]:
    for folder in _GENERATED_FOLDERS:
        yield from (path for path in list_files(output, folder) if path != f"{folder}/{_INDEX_FILE}")


def _data_files() -> Iterator[str]:
    """What finews writes for the pages that show lists; the user's own data are a part of the theme."""
    return (f"_data/{name}.json" for name in DATA_FILES)


def _other_sources(output: Path) -> Iterator[str]:
    for name in list_top_level_sources(output):
        if name in _GENERATED_FOLDERS:
            yield from (path for path in (f"{name}/{_INDEX_FILE}",) if (output / path).is_file())
        elif not _is_year(name):
            yield from list_files(output, name)


def _is_year(name: str) -> bool:
    return bool(re.fullmatch(r"\d{4}", name, re.ASCII))


def _short_hash(value: object) -> str:
    return "." + sha256(json.dumps(value).encode()).hexdigest()[:16] if value else ""


def _theme_hash(output: Path) -> str:
    """What all pages have in common: configuration, layouts, includes, plugins; the data that is ours they have not."""
    generated_data = {*_data_files()}
    paths = [path for name in (*list_theme_folders(output), "_data") for path in list_files(output, name)]
    hasher = sha256()
    for path in paths:
        if path not in generated_data:
            hasher.update(f"{path}\0".encode() + (read_if_file(output / path) or b"") + b"\0")
    return hasher.hexdigest()
