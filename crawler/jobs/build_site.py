"""The published site of an output folder: built, and checked."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from crawler.content import clock
from crawler.content.post_format import SiteLinks
from crawler.publish.jekyll import config, pages, theme_installer
from crawler.publish.jekyll.build import SiteBuildResult, build_jekyll_site
from crawler.publish.jekyll.check import SiteCheckResult, check_jekyll_site
from crawler.storage import Store
from crawler.storage.output_dir import create_output_dir, lock_output_dir
from crawler.storage.recovery import recover_interrupted_crawl


@dataclass(frozen=True, slots=True)
class PublishResult:
    """A build, and the files of the frame that the user has changed."""

    build: SiteBuildResult
    customised_files: list[str]


def build_site(output: Path, site_links: SiteLinks, keep_days: int | None, *, render_all: bool) -> PublishResult:
    """Bring frame, pages and `_site` up to date; `keep_days` goes before that of `_config.yml`.

    Raises OutputLockedError while a crawl runs, and FatalError.
    """
    Store.open_ro(output).close()  # there is one, or the reader is told
    create_output_dir(output)
    with lock_output_dir(output), Store.open_rw(output) as store:
        recover_interrupted_crawl(output, store, site_links, clock.now())
        store.reprint_clusters.cluster_pending()
        customised_files = theme_installer.install_theme(output, site_links)
        pages.update_pages(output, store)
        site_config = config.load_site_config(output)
        archive_after_days = site_config.keep_days if keep_days is None else keep_days
        archive_before = (
            None if archive_after_days is None else (clock.now() - timedelta(days=archive_after_days)).date()
        )
        return PublishResult(
            build_jekyll_site(output, store, site_config, archive_before, render_all=render_all), customised_files
        )


def check_site(output: Path, site_links: SiteLinks) -> SiteCheckResult:
    """Is the built site what it should be? Changes nothing. Raises FatalError."""
    with Store.open_ro(output) as store:
        return check_jekyll_site(output, store, site_links, config.load_site_config(output))
