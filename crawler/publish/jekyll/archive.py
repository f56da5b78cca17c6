"""Months whose pages are kept as HTML, at the places that Jekyll would have given them.

A month is frozen when all of its days lie before the hot window: the pages of its articles and days, which Jekyll has
rendered, take their places in the output folder, and the posts move from `_posts` to `_frozen`. An article of such a
month that is corrected later has a post in `_posts` again, which is how the next build knows that it is to be frozen
anew.
"""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from crawler import items
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import copy, errors_told
from crawler.publish.jekyll.run_jekyll import files_of
from crawler.storage import post_files

_POST = re.compile(r"_posts/(?P<month>\d{4}/\d\d)/\d\d/\d{4}-\d\d-\d\d-NW\d+\.md", re.ASCII)


def frozen_months(output: Path) -> list[str]:
    """The months that are frozen, such as `2022/01`."""
    top = output / items.FROZEN
    return sorted(str(path.relative_to(top)) for path in top.glob("[0-9]*/[0-9]*"))


def due(output: Path, before: date | None, frozen: Iterable[str]) -> list[str]:
    """The posts in `_posts` that are to be frozen: of months before this day's, and of those that are frozen."""
    first_kept, cold = f"{before:%Y/%m}" if before else "", set(frozen)
    found = ((path, _POST.fullmatch(path)) for path in files_of(output, items.POSTS))
    return [path for path, post in found if post and (post["month"] < first_kept or post["month"] in cold)]


def thaw(output: Path, months: Iterable[str]) -> None:
    """Put the posts of frozen months back among the hot ones. Raises OutputError."""
    for month in months:
        for path in files_of(output, f"{items.FROZEN}/{month}"):
            _move(output / path, output / path.replace(items.FROZEN, items.POSTS, 1))
        _remove_empty(output / items.FROZEN / month)


def make_way(output: Path, paths: Iterable[str]) -> None:
    """Remove the HTML of posts that are to be rendered: a page has one source. Raises OutputError."""
    for path in paths:
        with errors_told(output):
            (output / urls.built(path)).unlink(missing_ok=True)


def freeze(output: Path, tree: Path, paths: list[str], days: list[str]) -> None:
    """Freeze these posts and days, whose pages stand in the built tree. Raises OutputError.

    All HTML is there before the first post moves: a build that is killed in between does it again.
    """
    for path in (*paths, *days):
        copy(tree / urls.built(path), output / urls.built(path))
    for path in paths:
        _move(output / path, post_files.frozen(output, path))
    for month in {f"{items.POSTS}/{path[7:14]}" for path in paths}:
        _remove_empty(output / month)


def _move(source: Path, target: Path) -> None:
    with errors_told(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _remove_empty(month: Path) -> None:
    """Remove a month's folders as far as they are empty, which a build would walk through for ever."""
    for folder in (*month.glob("*"), month):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
