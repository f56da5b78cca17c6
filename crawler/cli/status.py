"""Command `finews status`: the health of the crawls, for a person, cron or a monitoring system."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli.configuration import get_config
from crawler.cli.output import format_minute, print_json, print_line, print_table
from crawler.content.dates import format_iso
from crawler.publish.status import Status, read_status
from crawler.storage.health import SourceState


@click.command()
@options.output
@click.option(
    "--max-age",
    metavar="AGE",
    callback=options.parse_age_option,
    help="Longest time since a good crawl of each source, e.g. 36h.  [default: max_age of finews.toml, else 36h]",
)
@click.option(
    "--prometheus",
    "metrics_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the metrics there, e.g. for node_exporter's textfile collector (finews.prom).",
)
@options.as_json
@click.pass_context
def status(context: click.Context, output: Path, max_age: str | None, metrics_path: Path | None, as_json: bool) -> None:
    """Print how the crawls do; exit code 4 when a person is needed.

    That is when a source that was crawled before has no good crawl within --max-age or its last crawl failed, when
    posts are not written after a crawl's end, or when the disk or the database cannot be written. Sources that `crawl`
    of finews.toml leaves out do not count. Failing entries, gaps and quarantine are shown, and change no exit code.
    """
    config = get_config(context)
    found = read_status(output, max_age or config["max_age"], config["crawl"] if config.is_set("crawl") else None)
    if metrics_path is not None:
        from crawler.publish.metrics import write_metrics  # few runs need it

        write_metrics(found, metrics_path)
    if as_json:
        print_json(_as_dict(found))
    else:
        _print_status(found)
    for problem in found.problems:
        print_line(f"finews: {problem}", err=True)
    sys.exit(found.exit_code)


def _as_dict(found: Status) -> dict[str, Any]:
    def to_text(value: Any) -> Any:
        return format_iso(value) if hasattr(value, "isoformat") else value

    sources = [{name: to_text(value) for name, value in asdict(state).items()} for state in found.sources]
    return {
        "healthy": not found.problems,
        **{name: to_text(value) for name, value in asdict(found).items()},
        "sources": sources,
    }


def _print_status(found: Status) -> None:
    print_table([_source_row(state) for state in found.sources], _SOURCE_COLUMNS)
    for state in found.sources:
        for condition in state.conditions:
            print_line(f"{state.source}: {condition}")
    built = format_minute(format_iso(found.built_at)) if found.built_at else "never"
    print_line()
    print_line(f"articles     {found.articles:,}, {found.posts_owed:,} posts to be written")
    print_line(f"quarantine   {found.quarantined:,}")
    print_line(f"database     {found.database_bytes / 1e6:,.1f} MB in {found.output}")
    print_line(f"disk         {found.free_bytes / 1e9:,.1f} GB free")
    print_line(f"site built   {built}")
    print_line(f"crawling     {'now' if found.crawling else 'no'}")
    print_line(f"status       {f'{len(found.problems)} problems' if found.problems else 'healthy'}")


_SOURCE_COLUMNS = ("source", "last good crawl", "last crawl", "outcome", "failing entries", "gaps in 30 days")


def _source_row(state: SourceState) -> dict[str, Any]:
    return {
        "source": state.source,
        "last good crawl": state.last_good_at and format_iso(state.last_good_at),
        "last crawl": state.last_finished_at and format_iso(state.last_finished_at),
        "outcome": state.last_outcome or "running",
        "failing entries": state.failing_entries,
        "gaps in 30 days": state.gaps,
    }
