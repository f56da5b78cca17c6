"""Incremental build of `_site`: renders only what has changed since the last build.

The last build is recorded in a manifest in `_site` itself: a tree that is missing, or that Jekyll has built without
finews, has no manifest, and everything is rendered. Sources are compared by size and modification time, the theme by
its bytes.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from crawler.content.dates import CHINA_TZ
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
# The key of each attribute in the manifest file, as earlier versions have written it.
_MANIFEST_KEYS = {
    "theme_hash": "frame",
    "archived_theme_hash": "frozen_frame",
    "fingerprints": "sources",
    "archived_months": "months",
    "other_fingerprints": "other_sources",
    "other_pages": "others",
    "page_fingerprints": "pages",
}
# Folders of pages that finews generates, each rendered when it changes. Their index pages are the theme's.
_GENERATED_FOLDERS = ("category", "stock", "search")
_INDEX_FILE = "index.html"


def last_build_at(output: Path) -> datetime | None:
    """Return when the last build of the site ended; None when there was none."""
    try:
        changed_at = (output / SITE_DIR / _MANIFEST_FILE).stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(changed_at, CHINA_TZ)


@dataclass(frozen=True, slots=True)
class SiteBuildResult:
    """Result of a build; `outdated_theme` if archived pages were rendered with another theme than the present one."""

    pages_rendered: int
    posts_archived: int
    outdated_theme: bool


@dataclass(slots=True)
class BuildManifest:
    """Sources and pages of a build, by path with a fingerprint each, and hashes of the themes they were rendered with.

    `fingerprints` are those of sources that are rendered one by one, and of archived pages. All other pages are
    rendered together, from the sources of `other_fingerprints`. `page_fingerprints` are those of the pages in `_site`.
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
        """Return the manifest of a built site, empty if there is none. Raises OutputError.

        Other programs may have written it: names that are not paths below `_site` are left out.
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
        """Write the manifest into a built site. Raises OutputError."""
        values = {key: getattr(self, name) for name, key in _MANIFEST_KEYS.items()}
        write_below(site_dir, _MANIFEST_FILE, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())

    def pages(self) -> set[str]:
        """Return the pages of the build, as paths in `_site`."""
        return {*map(urls.built_page_path, self.fingerprints), *self.other_pages}


def _keep_paths(value: object) -> dict[str, str]:
    """Return the members of an object whose names are paths below a folder, or the items of a list that are."""
    if isinstance(value, list):
        value = {path: "" for path in value if isinstance(path, str)}
    members = value.items() if isinstance(value, dict) else ()
    return {path: str(text) for path, text in members if is_path_below(path)}


def build_jekyll_site(
    output: Path, store: Store, config: SiteConfig, archive_before: date | None, *, render_all: bool
) -> SiteBuildResult:
    """Bring `_site` up to date, and archive the months before the month of `archive_before`.

    `render_all` renders all pages again, archived ones too. The caller holds the lock of the output folder. Raises
    OutputError and FatalError.
    """
    site_dir, archived_months = output / SITE_DIR, list_archived_months(output)
    previous = BuildManifest.load(site_dir)
    current = BuildManifest(theme_hash=_theme_hash(output))
    is_archive_current = render_all or not previous.archived_months
    current.archived_theme_hash = current.theme_hash if is_archive_current else previous.archived_theme_hash
    stale_days = {page.name for page in store.site_pages.stale_pages() if page.kind is PageKind.DAY}
    rendered_count = 0
    if render_all:
        rendered_count = render_archived_months(output, store, archived_months)
    else:
        stale_days |= _restore_damaged_pages(output, store, archived_months, previous)
    days_by_post = find_posts_to_archive(output, archive_before, archived_months)
    archived_day_pages = [write_day_page(output, store, day) for day in sorted({*days_by_post.values(), *stale_days})]
    remove_archived_pages(output, days_by_post)
    rendered_pages = _render_outdated(
        output, store, config, archived_day_pages, previous, current, render_all=render_all
    )
    archive_posts(output, store, site_dir, days_by_post, archived_day_pages)
    store.site_pages.mark_written([SitePage(PageKind.DAY, day) for day in stale_days])
    for source in (*days_by_post, *archived_day_pages):
        current.fingerprints.pop(source)
    current.archived_months = list_archived_months(output)
    written_pages = {*rendered_pages, *_copy_archived_pages(output, site_dir, previous, current)}
    for page in previous.pages() - current.pages():
        remove_file_below(site_dir, page)
    known = {page: text for page, text in previous.page_fingerprints.items() if page not in written_pages}
    current.page_fingerprints = {
        page: known.get(page) or fingerprint(site_dir / page) for page in sorted(current.pages())
    }
    current.write(site_dir)
    outdated_theme = bool(current.archived_months) and current.archived_theme_hash != current.theme_hash
    return SiteBuildResult(rendered_count + len(rendered_pages), len(days_by_post), outdated_theme)


def _restore_damaged_pages(output: Path, store: Store, months: Iterable[str], previous: BuildManifest) -> set[str]:
    """Restore the posts of archived pages that are missing or were changed; return the days whose lists are."""
    days = set()
    for month in months:
        for page in list(find_damaged_pages(output, store, month, previous.fingerprints)):
            if page.post_path:
                restore_post(output, page.post_path)
            else:
                days.add(page.day)
    return days


def _render_outdated(
    output: Path,
    store: Store,
    config: SiteConfig,
    archived_day_pages: Sequence[str],
    previous: BuildManifest,
    current: BuildManifest,
    *,
    render_all: bool,
) -> list[str]:
    """Record the sources in the current manifest, render the outdated ones into `_site`, and return the pages."""
    site_dir = output / SITE_DIR
    posts, pages, other_sources = _list_sources(output)
    reprints = load_reprints(store, posts[0], posts[-1]) if posts else {}
    for path in (*posts, *pages, *archived_day_pages):
        entries = reprints.get(urls.slug_of_post(path))
        reprints_hash = "." + sha256(json.dumps(entries).encode()).hexdigest()[:16] if entries else ""
        current.fingerprints[path] = fingerprint(output / path) + reprints_hash
    current.other_fingerprints = {path: fingerprint(output / path) for path in (*other_sources, *_data_files())}
    theme_changed = previous.theme_hash != current.theme_hash
    sources = [
        path
        for path in current.fingerprints
        # The theme does not show in the lists of titles, which are data.
        if render_all
        or (theme_changed and not path.startswith("search/"))
        or _is_outdated(path, site_dir, previous, current)
    ]
    others_outdated = (
        render_all
        or theme_changed
        or previous.other_fingerprints != current.other_fingerprints
        or (config.has_plugins and bool(sources))
        or any(previous.page_fingerprints.get(page) != fingerprint(site_dir / page) for page in previous.other_pages)
    )
    if config.has_plugins and others_outdated:
        sources = list(current.fingerprints)
        with render_whole_site(output) as rendered_dir:
            rendered_pages = _copy_changed_files(rendered_dir, site_dir)
    else:
        rendered_pages = _render_batches(output, sources, other_sources if others_outdated else (), reprints)
    source_pages = [*map(urls.built_page_path, sources)]
    other_pages = rendered_pages - {*source_pages}
    current.other_pages = sorted(other_pages if others_outdated else {*other_pages, *previous.other_pages})
    return [*source_pages, *other_pages]


def _render_batches(
    output: Path, sources: Sequence[str], other_sources: Sequence[str], reprints: Mapping[str, Any]
) -> set[str]:
    """Render these sources into `_site`, together with all others if given, and return the pages."""
    pages: set[str] = set()
    for batch in split_batches(sources) if sources or other_sources else ():
        slugs = (urls.slug_of_post(source) for source in batch)
        batch_reprints = {slug: reprints[slug] for slug in slugs if slug in reprints}
        batch_sources = {source: output / source for source in (*batch, *other_sources)}
        with render_sources(output, batch_sources, batch_reprints) as rendered_dir:
            pages |= _copy_changed_files(rendered_dir, output / SITE_DIR)
        other_sources = ()
    return pages


def _copy_changed_files(rendered_dir: Path, site_dir: Path) -> set[str]:
    paths = {str(path) for path in walk_files(rendered_dir)}
    for path in paths:
        write_below(site_dir, path, read_existing(rendered_dir / path))
    return paths


def _is_outdated(source: str, site_dir: Path, previous: BuildManifest, current: BuildManifest) -> bool:
    """Return whether a source or its page differs from the last build, or the page is missing."""
    page = urls.built_page_path(source)
    found = fingerprint(site_dir / page)
    return (
        previous.fingerprints.get(source) != current.fingerprints[source]
        or not found
        or previous.page_fingerprints.get(page, found) != found
    )


def _copy_archived_pages(output: Path, site_dir: Path, previous: BuildManifest, current: BuildManifest) -> list[str]:
    """Copy the archived pages that differ from the last build into `_site`, and return their paths."""
    pages = [page for month in current.archived_months for page, _ in list_archived_pages(output, month)]
    current.fingerprints |= {page: fingerprint(output / page) for page in pages}
    outdated = [page for page in pages if _is_outdated(page, site_dir, previous, current)]
    for page in outdated:
        write_below(site_dir, page, read_existing(output / page))
    return outdated


def _data_files() -> Iterator[str]:
    """Yield the lists that finews writes for the fixed pages; other data files are the user's, a part of the theme."""
    return (f"_data/{name}.json" for name in DATA_FILES)


def _list_sources(output: Path) -> tuple[list[str], list[str], list[str]]:
    """Return the live posts, the generated pages that are not archived, and the sources of all other pages."""
    posts = [path for path in list_files(output, POSTS_DIR) if "/." not in path]
    pages: list[str] = []
    others: list[str] = []
    for name in list_top_level_sources(output):
        if re.fullmatch(r"\d{4}", name, re.ASCII):
            for path in list_folder(output / name):
                if not (output / ARCHIVED_POSTS_DIR / name / path.name).is_dir():
                    pages += list_files(output, f"{name}/{path.name}")
        elif name in _GENERATED_FOLDERS:
            index = f"{name}/{_INDEX_FILE}"
            pages += [path for path in list_files(output, name) if path != index]
            others += [index] if (output / index).is_file() else []
        else:
            others += list_files(output, name)
    return posts, pages, others


def _theme_hash(output: Path) -> str:
    """Return a hash of what all pages share: configuration, layouts, includes, plugins, and the user's data."""
    generated_data = {*_data_files()}
    paths = [path for name in (*list_theme_folders(output), "_data") for path in list_files(output, name)]
    hasher = sha256()
    for path in paths:
        if path not in generated_data:
            hasher.update(f"{path}\0".encode() + (read_if_file(output / path) or b"") + b"\0")
    return hasher.hexdigest()
