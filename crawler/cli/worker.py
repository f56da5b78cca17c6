"""Command `finews worker`: fetch for a distributed crawl."""

import click

from crawler.cli import options
from crawler.cli.crawl import require_scale_extra, settings_from_options
from crawler.cli.output import print_line


@click.command()
@click.argument("spider", required=False)
@options.mirror
@options.set_
def worker(spider: str | None, mirror: str | None, setting_overrides: tuple[str, ...]) -> None:
    """Fetch for `finews crawl --distributed`, on this machine, until stopped.

    FINEWS_QUEUE names the PostgreSQL database that all machines share. Each worker keeps to the politeness settings of
    a crawl, so the source gets as many requests as that many crawls would send.
    """
    require_scale_extra()
    from crawler.crawl import runner  # Scrapy takes a third of a second to import
    from crawler.jobs.distributed.worker import run_worker

    settings = runner.build_settings(settings_from_options(mirror, setting_overrides), show_progress=False)
    run_worker(spider or runner.DEFAULT_SPIDER, settings, lambda note: print_line(f"finews: {note}", err=True))
