"""Site source: the theme and the generated pages in an output folder, which Jekyll renders: updates and compares them.

A page that was never written is not a fault: before the first crawl or build an output folder has no pages.
"""

from collections.abc import Iterator
from typing import NamedTuple

from crawler.publish.jekyll import archive, pages, theme_installer
from crawler.publish.jekyll.files import as_output_error
from crawler.storage.output_dir import OutputDir
from crawler.storage.site_pages import PageKind, SitePage


class PageFault(NamedTuple):
    """Problem of a page or a file of the theme, by its path below the output folder."""

    path: str
    detail: str


def update_site_source(out: OutputDir, *, everything: bool = False) -> list[str]:
    """Update the theme and the stale pages, and return the files of the theme that the user has changed.

    `everything` compares all pages. The caller holds the lock of the output folder. Raises OutputError and StoreError.
    """
    with as_output_error(out.path, "read or write"):
        customised_files = theme_installer.install_theme(out.path, out.links)
        pages.update_pages(out.path, out.db, everything=everything)
    return customised_files


def find_page_faults(out: OutputDir) -> list[PageFault]:
    """Return the pages that differ from the database, except those of days that the next build archives.

    Raises OutputError and StoreError.
    """
    if not pages.has_pages(out.db):
        return []
    with as_output_error(out.path, "read"):
        faults = [PageFault(path, "missing") for path in theme_installer.find_missing_files(out.path, out.links)]
        faults += [PageFault(path, detail) for path, detail in pages.find_outdated_files(out.path, out.db)]
        faults += [PageFault(page.path, page.detail) for page in _find_archived_faults(out)]
    return faults


def repair_pages(out: OutputDir) -> None:
    """Write the pages that differ from the database.

    Damaged archived pages become live again: `jekyll build` renders them, and the next `finews site build` archives
    them. The caller holds the lock of the output folder. Raises OutputError and StoreError.
    """
    with as_output_error(out.path, "read or write"):
        for page in list(_find_archived_faults(out)):
            if page.post_path:
                archive.restore_post(out.path, page.post_path)
            else:
                out.db.site_pages.mark_stale([SitePage(PageKind.DAY, page.day)])
                pages.write_day_page(out.path, out.db, page.day)
    update_site_source(out, everything=True)


def _find_archived_faults(out: OutputDir) -> Iterator[archive.DamagedPage]:
    stale_days = {page.name for page in out.db.site_pages.stale_pages() if page.kind is PageKind.DAY}
    for month in archive.list_archived_months(out.path):
        damaged = {page.path: page for page in archive.find_outdated_pages(out.path, out.db, month)}
        damaged |= {page.path: page for page in archive.find_damaged_pages(out.path, out.db, month, {})}
        yield from (page for page in damaged.values() if page.post_path or page.day not in stale_days)
