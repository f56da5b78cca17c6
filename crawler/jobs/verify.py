"""Do posts and rows agree? A comparison of two streams in one order, and what mends their disagreements.

A post is a pure function of its row: what differs is found by rendering, byte for byte, and memory stays flat however
many articles there are.
"""

import hashlib
import heapq
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from crawler.content import clock, post_format
from crawler.content.categories import Media
from crawler.content.post_format import Site
from crawler.errors import Busy, OutputError, Unreadable
from crawler.storage import Store, post_files
from crawler.storage.articles import post_of
from crawler.storage.output_dir import hold
from crawler.storage.post_files import is_unfinished, posts_below
from crawler.storage.recovery import finish_what_was_left
from crawler.storage.search.index import Fault

Row = Mapping[str, Any]


class Kind(StrEnum):
    """How a row and its post disagree: there is no file, another one, one without a row, or half of one.

    And a row with the index of words: search looks at it by itself, more slowly, or misses it. And a row with its
    story: its reprints are not those that the texts say.
    """

    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"
    UNFINISHED = "unfinished"
    UNINDEXED = "unindexed"
    UNLINKED = "unlinked"


_OF_ROWS = {Kind.MISSING, Kind.DIFFERENT}
_FOUND_OUT = {Kind.UNINDEXED, Kind.UNLINKED}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One path at which rows and files disagree; `code` and `title` are empty where nobody knows them.

    `in_motion` says that a crawl at work may be about to settle it.
    """

    kind: Kind
    path: str
    code: str = ""
    title: str = ""
    detail: str = ""
    in_motion: bool = False

    def shown(self) -> dict[str, str]:
        """As a program is told; a file's name need not be text."""
        path = os.fsencode(self.path).decode("utf-8", "replace")
        return {"kind": self.kind, "path": path, "code": self.code, "title": self.title, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Report:
    """What a comparison found: `agree` posts that are as their rows say, and the rest; `mended` no longer counts."""

    agree: int
    disagreements: list[Disagreement]
    mended: list[Disagreement]

    @property
    def found_out(self) -> int:
        """How many disagreements are none of posts, but of what is found out of the articles."""
        return sum(each.kind in _FOUND_OUT for each in self.disagreements)


def verify(output: Path, site: Site) -> Report:
    """Compare every row with its post, changing nothing. Works beside a crawl. Raises StoreError.

    A crawl writes the row first and the post after it, and looks for reprints when it ends: what looks wrong is looked
    at once more when all is read, and what the crawl that holds the folder just then still owes is no disagreement.
    """
    with Store.reading(output) as store:
        rows, suspects = _compared(output, store, site)
        found = [*_unindexed(store), *_wrongly_linked(store)]
        owes = any(each.in_motion for each in [*suspects, *_not_linked_yet(store)])
        at_work = owes and _is_held(output)
        found += [each for suspect in suspects if (each := _look(output, store, site, suspect.path))]
        found += _not_linked_yet(store)
    agree = rows - sum(each.kind in _OF_ROWS for each in found)
    return Report(agree, [each for each in found if not (at_work and each.in_motion)], [])


def repair(output: Path, site: Site) -> Report:
    """Mend what is certain: posts that are missing or different are written from their rows, unfinished files go.

    A file without a row stays: whatever it is, it is somebody's. Raises Busy while a crawl runs, and Failed.
    """
    Store.reading(output).close()  # there is one, or the reader is told
    with hold(output), Store.writing(output) as store:
        rows, found = _compared(output, store, site)
        finish_what_was_left(output, store, site, clock.now())
        found += [*_unindexed(store), *_not_linked_yet(store), *_wrongly_linked(store)]
        if any(each.kind is Kind.UNLINKED for each in found):
            store.stories.mend()
        mended = [each for each in found if _mend(output, store, site, each)]
    return Report(rows, [each for each in found if each not in mended], mended)


def _unindexed(store: Store) -> list[Disagreement]:
    return _of_faults(store, Kind.UNINDEXED, store.index.faults())


def _not_linked_yet(store: Store) -> list[Disagreement]:
    return _of_faults(store, Kind.UNLINKED, store.stories.pending(), in_motion=True)


def _wrongly_linked(store: Store) -> list[Disagreement]:
    return _of_faults(store, Kind.UNLINKED, store.stories.faults())


def _of_faults(store: Store, kind: Kind, faults: list[Fault], *, in_motion: bool = False) -> list[Disagreement]:
    details = {fault.code: fault.detail for fault in faults}
    rows = ((code, store.articles.get(code) or {}, detail) for code, detail in details.items())
    return [
        Disagreement(kind, row.get("post_path", ""), code, row.get("title", ""), detail, in_motion)
        for code, row, detail in rows
    ]


def _compared(output: Path, store: Store, site: Site) -> tuple[int, list[Disagreement]]:
    """How many rows there are, and the paths at which they and the files disagree."""
    rows, found = 0, []
    stored = ((row["post_path"], row) for row in store.articles.rows())
    present = ((path, None) for path in posts_below(output))
    media = _media_of(store)
    for path, group in groupby(heapq.merge(stored, present, key=_in_bytes), key=_path):
        pairs = list(group)
        row = pairs[0][1]
        rows += row is not None
        if each := _judged(output, site, media, path, row, there=pairs[-1][1] is None):
            found.append(each)
    return rows, found


def _path(pair: tuple[str, Row | None]) -> str:
    return pair[0]


def _in_bytes(pair: tuple[str, Row | None]) -> bytes:
    return os.fsencode(pair[0])


def _look(output: Path, store: Store, site: Site, path: str) -> Disagreement | None:
    """The same of one path, as it is now. The row is read first: a crawl commits it before it writes the file."""
    row = store.articles.at(path)
    return _judged(output, site, _media_of(store), path, row, there=os.path.lexists(post_files.standing(output, path)))


def _judged(
    output: Path, site: Site, media: Callable[[], Media], path: str, row: Row | None, *, there: bool
) -> Disagreement | None:
    if row is None:
        return _without_row(output, site, media, path) if there else None
    kind, detail = _fault(post_files.standing(output, path), site, row) if there else (Kind.MISSING, "")
    if kind is None:
        return None
    owed = row["published_revision"] != row["revision"]
    return Disagreement(kind, path, row["code"], row["title"], detail, in_motion=owed)


def _fault(file: Path, site: Site, row: Row) -> tuple[Kind | None, str]:
    """What is wrong with the file of a row, if anything is."""
    wanted = post_format.render(post_of(row), site).encode()
    if post_files.content(file) != wanted:
        return Kind.DIFFERENT, ""
    if hashlib.sha256(wanted).hexdigest() != row["post_sha256"]:
        return Kind.DIFFERENT, "the post is as its row says, whose post_sha256 is another's"
    return None, ""


def _without_row(output: Path, site: Site, media: Callable[[], Media], path: str) -> Disagreement:
    if is_unfinished(path):
        return Disagreement(Kind.UNFINISHED, path, in_motion=True)
    try:
        post = post_format.read((post_files.content(post_files.standing(output, path)) or b"").decode(), site, media())
    except UnicodeDecodeError:
        return Disagreement(Kind.EXTRA, path, detail="no post of ours: not UTF-8")
    except Unreadable as error:
        return Disagreement(Kind.EXTRA, path, detail=f"no post of ours: {error}")
    return Disagreement(Kind.EXTRA, path, post.code, post.title, "a post of ours that no row is for")


def _media_of(store: Store) -> Callable[[], Media]:
    """The media that the database knows, asked for when a file without a row turns up."""
    return cache(lambda: Media(store.categories.all()))


def _is_held(output: Path) -> bool:
    """Whether a crawl is at work. Who may not even open the lock cannot tell, and trusts that one is."""
    try:
        hold(output).release()
    except (Busy, OutputError):
        return True
    return False


def _mend(output: Path, store: Store, site: Site, found: Disagreement) -> bool:
    if found.kind is Kind.EXTRA:
        return False
    if found.kind is Kind.UNINDEXED:
        store.index.renew(found.code)
        return True
    if found.kind is Kind.UNLINKED:
        return True  # with all the others, already
    if found.kind is Kind.UNFINISHED:
        post_files.standing(output, found.path).unlink(missing_ok=True)
        return True
    row = store.articles.at(found.path)
    assert row is not None, "whoever holds the lock is the only one who writes rows"
    text = post_format.render(post_of(row), site)
    post_files.put(output, found.path, text)
    store.articles.put_right(row["code"], row["revision"], text)
    return True
