"""`finews fetch` and `finews record`: a crawl on many machines."""

from importlib.util import find_spec
from typing import Any

import click

from crawler.cli.crawl import crawl, run_crawl, settings_from_options
from crawler.errors import missing_extra_error

_MIRROR_OPTION, _SET_OPTION = (
    next(option for option in crawl.params if option.name == name) for name in ("mirror", "setting_overrides")
)


@click.command(params=[_MIRROR_OPTION, _SET_OPTION])
@click.argument("spider", required=False)
def fetch(spider: str | None, mirror: str | None, setting_overrides: tuple[str, ...]) -> None:
    """Fetch for `finews record`, on this machine, until stopped.

    FINEWS_QUEUE names the PostgreSQL database that all machines share. Each machine has the manners of a crawl; so the
    source meets as many crawls as there are machines.
    """
    _require_scale_extra()
    from crawler.crawl import runner  # Scrapy takes a third of a second to import
    from crawler.jobs.distributed import worker

    settings = runner.build_settings(settings_from_options(mirror, setting_overrides), show_progress=False)
    worker.run_worker(spider or runner.DEFAULT_SPIDER, settings)


@click.command(params=[option for option in crawl.params if option.name != "plan"])
def record(**option_values: Any) -> None:
    """Crawl once, as `finews crawl` does, and let the machines fetch that run `finews fetch`.

    FINEWS_QUEUE names the PostgreSQL database that all machines share.
    """
    _require_scale_extra()
    from crawler.jobs.distributed import coordinator

    run_crawl(**option_values, adjust_settings=coordinator.apply_coordinator_settings)


def _require_scale_extra() -> None:
    if find_spec("procrastinate") is None or find_spec("psycopg") is None:
        raise missing_extra_error("many machines need what a single one does not", "scale")
