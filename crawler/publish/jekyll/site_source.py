"""Site source: the theme and the pages in an output folder, what Jekyll makes the site of: written, compared, repaired.

A page that was never written is no fault: a folder whose pages no crawl or build has written yet has none.
"""

from collections.abc import Iterator
from typing import NamedTuple

from crawler.publish.jekyll import archive, pages, theme_installer
from crawler.publish.jekyll.files import as_output_error
from crawler.storage.output_dir import OutputDir
from crawler.storage.site_pages import PageKind, SitePage


class PageFault(NamedTuple):
    """A page by its path below the output folder, and what is wrong with it."""

    path: str
    detail: str


def update_site_source(out: OutputDir, *, everything: bool = False) -> list[str]:
    """Bring the theme and the pages that have changed up to date; the files of the theme that the user has changed.

    `everything` looks at each page. Only the holder of the lock may do this. Raises OutputError and StoreError.
    """
    with as_output_error(out.path, "read or write"):
        customised_files = theme_installer.install_theme(out.path, out.links)
        pages.update_pages(out.path, out.db, everything=everything)
    return customised_files


def find_page_faults(out: OutputDir) -> list[PageFault]:
    """Compare every page with what it should be; those of days that the next build will archive are left to it.

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
    """Write the pages that are not what they should be.

    Archived ones become live again: `jekyll build` renders them, and the next `finews site build` archives them. Only
    the holder of the lock may do this. Raises OutputError and StoreError.
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
