"""Archive of old months: their pages are kept as HTML, at the places that Jekyll would have given them.

A month is archived when all of its days lie before the hot window: the pages of its articles and days, which Jekyll
has rendered, take their places in the output folder, and the posts move from `_posts` to `_frozen`. An article of such
a month that is corrected later has a post in `_posts` again, which is how the next build knows that it is to be
archived again.
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from crawler import items
from crawler.content.post_format import parse_post_path
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import as_output_error, copy_file
from crawler.publish.jekyll.run_jekyll import list_files
from crawler.storage import post_files


def list_archived_months(output: Path) -> list[str]:
    """The months that are archived, such as `2022/01`."""
    archive_dir = output / items.ARCHIVED_POSTS_DIR
    return sorted(str(path.relative_to(archive_dir)) for path in archive_dir.glob("[0-9]*/[0-9]*"))


def find_posts_to_archive(output: Path, archive_before: date | None, archived_months: Iterable[str]) -> list[str]:
    """The posts in `_posts` that are to be archived: of months before this day's, and of those that are archived."""
    first_live_month, archived = f"{archive_before:%Y/%m}" if archive_before else "", set(archived_months)
    months = {
        path: post_path.day[:7]
        for path in list_files(output, items.POSTS_DIR)
        if (post_path := parse_post_path(path)) is not None
    }
    return [path for path, month in months.items() if month < first_live_month or month in archived]


def restore_archived_months(output: Path, months: Iterable[str]) -> None:
    """Put the posts of archived months back among the live ones. Raises OutputError."""
    for month in months:
        for path in list_files(output, f"{items.ARCHIVED_POSTS_DIR}/{month}"):
            _move_file(output / path, output / path.replace(items.ARCHIVED_POSTS_DIR, items.POSTS_DIR, 1))
        _remove_empty_folders(output / items.ARCHIVED_POSTS_DIR / month)


def remove_archived_pages(output: Path, post_paths: Iterable[str]) -> None:
    """Remove the HTML of posts that are to be rendered: a page has one source. Raises OutputError."""
    for path in post_paths:
        with as_output_error(output):
            (output / urls.built_page_path(path)).unlink(missing_ok=True)


def archive_posts(output: Path, site_dir: Path, post_paths: list[str], day_pages: list[str]) -> None:
    """Archive these posts and days, whose pages are in the built tree. Raises OutputError.

    All HTML is there before the first post moves: a build that is killed in between does it again.
    """
    for path in (*post_paths, *day_pages):
        copy_file(site_dir / urls.built_page_path(path), output / urls.built_page_path(path))
    for path in post_paths:
        _move_file(output / path, post_files.archived_path(output, path))
    for month_folder in {f"{items.POSTS_DIR}/{path[7:14]}" for path in post_paths}:
        _remove_empty_folders(output / month_folder)


def _move_file(source: Path, target: Path) -> None:
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _remove_empty_folders(month_folder: Path) -> None:
    """Remove a month's folders as far as they are empty, which each build would walk through."""
    for folder in (*month_folder.glob("*"), month_folder):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
