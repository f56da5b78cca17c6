"""Site jobs: build the published site of an output folder, and check it."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from crawler.content import clock
from crawler.publish.jekyll import config
from crawler.publish.jekyll.build import SiteBuildResult, build_jekyll_site
from crawler.publish.jekyll.check import SiteCheckResult, check_jekyll_site
from crawler.publish.jekyll.files import as_output_error
from crawler.publish.jekyll.site_source import update_site_source
from crawler.storage.output_dir import OutputDir


@dataclass(frozen=True, slots=True)
class PublishResult:
    """Result of a build, and the theme files that were not updated because the user has changed them."""

    build: SiteBuildResult
    customised_files: list[str]


def build_site(output: Path, address: str, keep_days: int | None, *, render_all: bool) -> PublishResult:
    """Bring theme, pages and `_site` up to date; `keep_days` overrides that of `_config.yml`.

    Raises OutputLockedError while a crawl runs, and FatalError.
    """
    with OutputDir.open_for_writing(output, address=address, must_exist=True) as out:
        out.db.reprint_clusters.cluster_pending()
        with as_output_error(output, "read or write"):
            customised_files = update_site_source(out, everything=True)
            site_config = config.load_site_config(out.path)
            days = site_config.keep_days if keep_days is None else keep_days
            archive_before = None if days is None else (clock.now() - timedelta(days=days)).date()
            build = build_jekyll_site(out.path, out.db, site_config, archive_before, render_all=render_all)
            return PublishResult(build, customised_files)


def check_site(output: Path, address: str) -> SiteCheckResult:
    """Compare the built site with the articles, changing nothing. Raises FatalError."""
    with OutputDir.open_for_reading(output, address=address) as out:
        return check_jekyll_site(output, out.db, out.links, config.load_site_config(output))
