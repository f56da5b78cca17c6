"""Months whose pages are kept as HTML, at the places that Jekyll would have given them.

A month is frozen when all of its days lie before the hot window: Jekyll renders its articles and days once, the HTML
takes their places in the output folder, and the posts move from `_posts` to `_frozen`. An article of such a month that
is corrected later has a post in `_posts` again, which is how the next build knows that it has to be frozen anew.
"""

import re
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

from crawler import posts
from crawler.site.files import below, copy, errors_told
from crawler.site.pages import reprints_of, write_day
from crawler.site.rendering import files_of, portions, rendered
from crawler.store import Store

_POST = re.compile(r"_posts/((\d{4}/\d\d)/\d\d)/\d{4}-\d\d-\d\d-NW\d+\.md", re.ASCII)


def is_frozen(output: Path, month: str) -> bool:
    """Whether a month such as `2022/01` is frozen."""
    return (output / posts.FROZEN / month).is_dir()


def frozen_months(output: Path) -> list[str]:
    top = output / posts.FROZEN
    return sorted(str(path.relative_to(top)) for path in top.glob("[0-9]*/[0-9]*"))


def due(output: Path, before: date | None) -> list[str]:
    """The posts that are to be frozen: of months before this day's, and of months that are frozen already."""
    first_kept = f"{before:%Y/%m}" if before else ""
    found = ((path, _POST.fullmatch(path)) for path in files_of(output, posts.POSTS))
    return [path for path, is_post in found if is_post and (is_post[2] < first_kept or is_frozen(output, is_post[2]))]


def again(output: Path) -> list[str]:
    """All posts that are frozen, by their paths, for pages with a new look."""
    found = (posts.POSTS + path.removeprefix(posts.FROZEN) for path in files_of(output, posts.FROZEN))
    return [path for path in found if _POST.fullmatch(path)]


def freeze(output: Path, store: Store, paths: list[str]) -> Iterator[str]:
    """Freeze these posts and their days; yields each page that has been made anew.

    The HTML stands before the post moves: a build that is killed in between does it again.
    """
    for _, month in groupby(paths, key=_month):
        for portion in portions(month):
            yield from _freeze(output, store, portion)


def _freeze(output: Path, store: Store, portion: list[str]) -> Iterator[str]:
    days = [write_day(output, store, day) for day in sorted({path[7:17] for path in portion})]
    with rendered(output, [*portion, *days], reprints_of(store, portion[0], portion[-1])) as tree:
        made = [str(path) for path in below(tree)]
        for path in made:
            copy(tree / path, output / path)
    for path in portion:
        _move(output, path)
    yield from made


def _month(path: str) -> str:
    return path[7:14]


def _move(output: Path, path: str) -> None:
    source, target = output / path, posts.frozen(output, path)
    if source.exists():
        with errors_told(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
