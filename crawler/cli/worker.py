"""Command `finews worker`: fetch for a distributed crawl."""

import click

from crawler.cli import options
from crawler.cli.configuration import get_config
from crawler.cli.crawl import require_scale_extra, settings_from_options
from crawler.cli.output import print_line
from crawler.config import DEFAULT_SOURCES


@click.command()
@click.argument("spider", required=False)
@options.mirror
@options.set_
def worker(spider: str | None, mirror: str | None, setting_overrides: tuple[str, ...]) -> None:
    """Fetch for `finews crawl --distributed` until stopped.

    FINEWS_QUEUE names the PostgreSQL database that all machines share. Each worker has the politeness settings of a
    crawl, so N workers send as many requests as N crawls.
    """
    require_scale_extra()
    from crawler.crawl import runner  # imports Scrapy, which is slow
    from crawler.jobs.distributed.worker import run_worker

    configured = get_config(click.get_current_context()).settings()
    overrides = settings_from_options(mirror, setting_overrides)
    settings = runner.build_settings(overrides, show_progress=False, configured=configured)
    run_worker(spider or DEFAULT_SOURCES[0], settings, lambda note: print_line(f"finews: {note}", err=True))
