"""Incremental build of `_site`: what has changed since the last build is rendered, and nothing else.

What the last build rendered is recorded in `_site` itself: a tree that is missing, or that Jekyll has built by itself,
has no record, and is built again. A source is compared by its size and time, as make does; the theme by its bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from crawler.items import ARCHIVED_POSTS_DIR, POSTS_DIR
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.archive import (
    archive_posts,
    find_posts_to_archive,
    list_archived_months,
    remove_archived_pages,
    restore_archived_months,
)
from crawler.publish.jekyll.config import SiteConfig
from crawler.publish.jekyll.files import copy_tree, read_if_exists, walk_files, write_if_changed
from crawler.publish.jekyll.pages import DATA_FILES, load_reprints, write_day_page
from crawler.publish.jekyll.run_jekyll import (
    list_files,
    list_theme_folders,
    list_top_level_sources,
    remove_leftover_stages,
    render_sources,
    render_whole_site,
    split_batches,
)
from crawler.storage import Store
from crawler.storage.site_pages import PageKind

SITE_DIR = "_site"
_MANIFEST_FILE = ".finews.json"
# By attribute of the manifest, its key in that file, which earlier versions have written.
_MANIFEST_KEYS = {
    "theme_hash": "frame",
    "archived_theme_hash": "frozen_frame",
    "fingerprints": "sources",
    "archived_months": "months",
    "other_pages": "others",
}
# The folders of pages that the database knows; what is next to them is rendered at every build.
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
    """What `_site` was made of: the theme, the theme of archived pages, each source, archived months, the rest."""

    theme_hash: str = ""
    archived_theme_hash: str = ""
    fingerprints: dict[str, str] = field(default_factory=dict)
    archived_months: list[str] = field(default_factory=list)
    other_pages: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, site_dir: Path) -> "BuildManifest":
        try:
            values = json.loads(read_if_exists(site_dir / _MANIFEST_FILE) or b"{}")
            named = {name: values.pop(key) for name, key in _MANIFEST_KEYS.items() if key in values}
            return cls(**named, **values)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def write(self, site_dir: Path) -> None:
        values = {key: getattr(self, name) for name, key in _MANIFEST_KEYS.items()}
        write_if_changed(
            site_dir / _MANIFEST_FILE, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        )


def build_jekyll_site(
    output: Path, store: Store, config: SiteConfig, archive_before: date | None, *, render_all: bool
) -> SiteBuildResult:
    """Bring `_site` up to date, and archive the months before a day's. Only the holder of the lock may do this.

    `render_all` renders all pages again, archived ones too. Raises OutputError and FatalError.
    """
    remove_leftover_stages(output)
    site_dir, archived_months = output / SITE_DIR, list_archived_months(output)
    previous = BuildManifest() if render_all else BuildManifest.load(site_dir)
    current = BuildManifest(theme_hash=_theme_hash(output))
    current.archived_theme_hash = previous.archived_theme_hash if previous.archived_months else current.theme_hash
    if render_all:
        restore_archived_months(output, archived_months)
    posts_to_archive = find_posts_to_archive(output, archive_before, archived_months)
    stale_days = [page for page in store.site_pages.stale_pages() if page.kind is PageKind.DAY]
    days_to_write = {*(path[7:17] for path in posts_to_archive), *(page.name for page in stale_days)}
    archived_day_pages = [write_day_page(output, store, day) for day in sorted(days_to_write)]
    remove_archived_pages(output, posts_to_archive)
    for month in list_archived_months(output):
        if month not in previous.archived_months:
            copy_tree(output / month, site_dir / month)
    live_posts = list(_live_posts(output))
    reprints = load_reprints(store, live_posts[0], live_posts[-1]) if live_posts else {}
    current.fingerprints = dict(
        _fingerprints(
            output, [*live_posts, *_live_date_pages(output), *archived_day_pages, *_generated_pages(output)], reprints
        )
    )
    changed_sources = [
        source for source in current.fingerprints if config.has_plugins or _needs_rendering(source, previous, current)
    ]
    current.other_pages = (
        _render_all(output, current.fingerprints)
        if config.has_plugins
        else _render_changed(output, changed_sources, reprints)
    )
    archive_posts(output, site_dir, posts_to_archive, archived_day_pages)
    store.site_pages.mark_written(stale_days)
    current.archived_months = list_archived_months(output)
    for source in (*posts_to_archive, *archived_day_pages):
        current.fingerprints.pop(source)
    _remove_orphaned_pages(site_dir, previous, current)
    current.write(site_dir)
    outdated_theme = bool(current.archived_months) and current.archived_theme_hash != current.theme_hash
    return SiteBuildResult(len(changed_sources) + len(current.other_pages), len(posts_to_archive), outdated_theme)


def _render_changed(output: Path, sources: list[str], reprints: Mapping[str, Any]) -> list[str]:
    """Render these sources into `_site`, and with them what is rendered always; the pages of the latter."""
    always_rendered = list(_always_rendered(output))
    other_pages: list[str] = []
    for batch in split_batches(sources):
        slugs = (_post_slug(source) for source in batch)
        batch_reprints = {slug: reprints[slug] for slug in slugs if slug in reprints}
        with render_sources(output, [*batch, *always_rendered], batch_reprints) as rendered_dir:
            written_paths = _copy_changed_files(rendered_dir, output / SITE_DIR)
        other_pages += sorted(written_paths - {urls.built_page_path(source) for source in batch})
        always_rendered = []
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
        write_if_changed(site_dir / path, (rendered_dir / path).read_bytes())
    return paths


def _needs_rendering(source: str, previous: BuildManifest, current: BuildManifest) -> bool:
    is_data = source.startswith("search/")
    return previous.fingerprints.get(source) != current.fingerprints[source] or (
        previous.theme_hash != current.theme_hash and not is_data
    )


def _remove_orphaned_pages(site_dir: Path, previous: BuildManifest, current: BuildManifest) -> None:
    """Remove the pages of sources that are gone, unless they are archived."""
    current_pages = {urls.built_page_path(source) for source in current.fingerprints} | set(current.other_pages)
    orphaned_pages = (
        {urls.built_page_path(source) for source in previous.fingerprints} | set(previous.other_pages)
    ) - current_pages
    for page in orphaned_pages:
        if page[:7] not in current.archived_months:
            (site_dir / page).unlink(missing_ok=True)


def _fingerprints(output: Path, paths: Iterable[str], reprints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each source that is rendered when it changes, and the fingerprint by which a change shows."""
    for path in paths:
        yield path, _fingerprint(output / path) + _short_hash(reprints.get(_post_slug(path)))


def _live_posts(output: Path) -> Iterator[str]:
    return (path for path in list_files(output, POSTS_DIR) if "/." not in path)


def _live_date_pages(output: Path) -> Iterator[str]:
    """The pages of years, and of days that are not archived."""
    for folder in sorted(output.glob("[0-9][0-9][0-9][0-9]/*")):
        name = str(folder.relative_to(output))
        if not (output / ARCHIVED_POSTS_DIR / name).is_dir():
            yield from list_files(output, name)


def _generated_pages(output: Path) -> Iterator[str]:
    for folder in _GENERATED_FOLDERS:
        yield from (path for path in list_files(output, folder) if path != f"{folder}/{_INDEX_FILE}")


def _always_rendered(output: Path) -> Iterator[str]:
    for name in list_top_level_sources(output):
        if name in _GENERATED_FOLDERS:
            yield from (path for path in (f"{name}/{_INDEX_FILE}",) if (output / path).is_file())
        elif not (name.isdigit() and len(name) == 4):
            yield from list_files(output, name)


def _post_slug(post_path: str) -> str:
    """Jekyll's word for what follows the day in a post's name."""
    return post_path.rpartition("/")[2].rpartition(".")[0][len("2022-01-10-") :]


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{status.st_mtime_ns:x}.{status.st_size:x}"


def _short_hash(value: object) -> str:
    return "." + sha256(json.dumps(value).encode()).hexdigest()[:16] if value else ""


def _theme_hash(output: Path) -> str:
    """What all pages have in common: configuration, layouts, includes, plugins; the data that is ours they have not."""
    generated_data = {f"_data/{name}.json" for name in DATA_FILES}
    paths = [path for name in (*list_theme_folders(output), "_data") for path in list_files(output, name)]
    hasher = sha256()
    for path in paths:
        if path not in generated_data:
            hasher.update(f"{path}\0".encode() + (read_if_exists(output / path) or b"") + b"\0")
    return hasher.hexdigest()
