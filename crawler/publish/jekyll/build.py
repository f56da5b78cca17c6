"""`_site` brought up to date: what has changed since the last build is rendered, and nothing else.

What the last build rendered is on record in `_site` itself: a tree that is gone, or that Jekyll has built by itself,
has no record, and is made anew. A source is told by its size and time, as make does; a frame by its bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from crawler.items import FROZEN, POSTS
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.archive import due, freeze, frozen_months, make_way, thaw
from crawler.publish.jekyll.config import Config
from crawler.publish.jekyll.files import below, content_of, copy_tree, keep
from crawler.publish.jekyll.pages import DATA, reprints_of, write_day
from crawler.publish.jekyll.run_jekyll import (
    files_of,
    fixed_sources,
    portions,
    rendered,
    rendered_whole,
    skeleton_folders,
    sweep,
)
from crawler.storage import Store
from crawler.storage.site_pages import Kind

TREE = "_site"
_RECORD = ".finews.json"
# The folders of pages that the database knows; what stands beside them is rendered at every build.
_KNOWN_FOLDERS = ("category", "stock", "search")
_INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: pages `rendered` by Jekyll, `frozen` posts, and whether frozen pages have an older look."""

    rendered: int
    frozen: int
    older_look: bool


@dataclass(slots=True)
class _Record:
    """What `_site` was made of: the frame, the frame that frozen pages have, each source, frozen months, the rest."""

    frame: str = ""
    frozen_frame: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    months: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, tree: Path) -> "_Record":
        try:
            return cls(**json.loads(content_of(tree / _RECORD) or b"{}"))
        except (ValueError, TypeError):
            return cls()

    def write(self, tree: Path) -> None:
        values = {name: getattr(self, name) for name in self.__slots__}
        keep(tree / _RECORD, json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode())


def build(output: Path, store: Store, config: Config, before: date | None, *, everything: bool) -> Built:
    """Bring `_site` up to date, and freeze the months before a day's. Only the holder of the lock may do this.

    `everything` renders all pages anew, frozen ones too. Raises OutputError and Failed.
    """
    sweep(output)
    tree, frozen = output / TREE, frozen_months(output)
    was = _Record() if everything else _Record.of(tree)
    now = _Record(frame=_frame(output))
    now.frozen_frame = was.frozen_frame if was.months else now.frame
    if everything:
        thaw(output, frozen)
    cold = due(output, before, frozen)
    stale = [page for page in store.pages.stale() if page.kind is Kind.DAY]
    days = {*(path[7:17] for path in cold), *(page.name for page in stale)}
    cold_days = [write_day(output, store, day) for day in sorted(days)]
    make_way(output, cold)
    for month in frozen_months(output):
        if month not in was.months:
            copy_tree(output / month, tree / month)
    hot = list(_posts(output))
    reprints = reprints_of(store, hot[0], hot[-1]) if hot else {}
    now.sources = dict(_sources(output, [*hot, *_days(output), *cold_days, *_known(output)], reprints))
    changed = [source for source in now.sources if config.plugins or _differs(source, was, now)]
    now.others = _render_whole(output, now.sources) if config.plugins else _render(output, changed, reprints)
    freeze(output, tree, cold, cold_days)
    store.pages.written(stale)
    now.months = frozen_months(output)
    for source in (*cold, *cold_days):
        now.sources.pop(source)
    _remove(tree, was, now)
    now.write(tree)
    older_look = bool(now.months) and now.frozen_frame != now.frame
    return Built(len(changed) + len(now.others), len(cold), older_look)


def _render(output: Path, changed: list[str], reprints: Mapping[str, Any]) -> list[str]:
    """Render these sources into `_site`, and with them what is rendered always; the pages of the latter."""
    fixed = list(_fixed(output))
    others: list[str] = []
    for portion in portions(changed):
        slugs = (_slug(source) for source in portion)
        told = {slug: reprints[slug] for slug in slugs if slug in reprints}
        with rendered(output, [*portion, *fixed], told) as tree:
            made = _keep_all(tree, output / TREE)
        others += sorted(made - {urls.built(source) for source in portion})
        fixed = []
    return others


def _render_whole(output: Path, sources: Iterable[str]) -> list[str]:
    """Render the whole site into `_site`, for plugins that are to see all of it; the pages that are of no source."""
    with rendered_whole(output) as tree:
        return sorted(_keep_all(tree, output / TREE) - {urls.built(source) for source in sources})


def _keep_all(made: Path, tree: Path) -> set[str]:
    paths = {str(path) for path in below(made)}
    for path in paths:
        keep(tree / path, (made / path).read_bytes())
    return paths


def _differs(source: str, was: _Record, now: _Record) -> bool:
    is_data = source.startswith("search/")
    return was.sources.get(source) != now.sources[source] or (was.frame != now.frame and not is_data)


def _remove(tree: Path, was: _Record, now: _Record) -> None:
    """Remove the pages of sources that are gone, unless they have been frozen."""
    stays = {urls.built(source) for source in now.sources} | set(now.others)
    gone = ({urls.built(source) for source in was.sources} | set(was.others)) - stays
    for page in gone:
        if page[:7] not in now.months:
            (tree / page).unlink(missing_ok=True)


def _sources(output: Path, paths: Iterable[str], reprints: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each source that is rendered when it changes, and what tells it from what it was."""
    for path in paths:
        yield path, _token(output / path) + _digest(reprints.get(_slug(path)))


def _posts(output: Path) -> Iterator[str]:
    return (path for path in files_of(output, POSTS) if "/." not in path)


def _days(output: Path) -> Iterator[str]:
    """The pages of years, and of days that are not frozen."""
    for folder in sorted(output.glob("[0-9][0-9][0-9][0-9]/*")):
        name = str(folder.relative_to(output))
        if not (output / FROZEN / name).is_dir():
            yield from files_of(output, name)


def _known(output: Path) -> Iterator[str]:
    for folder in _KNOWN_FOLDERS:
        yield from (path for path in files_of(output, folder) if path != f"{folder}/{_INDEX}")


def _fixed(output: Path) -> Iterator[str]:
    for name in fixed_sources(output):
        if name in _KNOWN_FOLDERS:
            yield from (path for path in (f"{name}/{_INDEX}",) if (output / path).is_file())
        elif not (name.isdigit() and len(name) == 4):
            yield from files_of(output, name)


def _slug(post: str) -> str:
    """Jekyll's word for what follows the day in a post's name."""
    return post.rpartition("/")[2].rpartition(".")[0][len("2022-01-10-") :]


def _token(path: Path) -> str:
    told = path.stat()
    return f"{told.st_mtime_ns:x}.{told.st_size:x}"


def _digest(value: object) -> str:
    return "." + sha256(json.dumps(value).encode()).hexdigest()[:16] if value else ""


def _frame(output: Path) -> str:
    """What all pages have in common: configuration, layouts, includes, plugins; the data that is ours they have not."""
    ours = {f"_data/{name}.json" for name in DATA}
    paths = [path for name in (*skeleton_folders(output), "_data") for path in files_of(output, name)]
    digest = sha256()
    for path in paths:
        if path not in ours:
            digest.update(f"{path}\0".encode() + (content_of(output / path) or b"") + b"\0")
    return digest.hexdigest()
