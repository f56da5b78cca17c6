"""`finews fetch` and `finews record`: a crawl on many machines."""

from importlib.util import find_spec
from typing import Any

import click

from crawler.cli.crawl import crawl, crawl_and_tell, settings_of
from crawler.errors import missing_extra_error

_MIRROR, _SET = (next(option for option in crawl.params if option.name == name) for name in ("mirror", "changes"))


@click.command(params=[_MIRROR, _SET])
@click.argument("spider", required=False)
def fetch(spider: str | None, mirror: str | None, changes: tuple[str, ...]) -> None:
    """Fetch for `finews record`, on this machine, until stopped.

    FINEWS_QUEUE names the PostgreSQL database that all machines share. Each machine has the manners of a crawl; so the
    source meets as many crawls as there are machines.
    """
    _need_the_extra()
    from crawler.crawl import runner  # Scrapy takes a third of a second to import
    from crawler.jobs.distributed import worker

    settings = runner.build_settings(settings_of(mirror, changes), show_progress=False)
    worker.run_worker(spider or runner.DEFAULT_SPIDER, settings)


@click.command(params=[option for option in crawl.params if option.name != "plan"])
def record(**asked: Any) -> None:
    """Crawl once, as `finews crawl` does, and let the machines fetch that run `finews fetch`.

    FINEWS_QUEUE names the PostgreSQL database that all machines share.
    """
    _need_the_extra()
    from crawler.jobs.distributed import coordinator

    crawl_and_tell(**asked, prepare=coordinator.apply_coordinator_settings)


def _need_the_extra() -> None:
    if find_spec("procrastinate") is None or find_spec("psycopg") is None:
        raise missing_extra_error("many machines need what a single one does not", "scale")
