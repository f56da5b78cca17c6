"""Command `finews crawl`: run a crawl, or print its plan (--plan)."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import click

from crawler.cli import options
from crawler.cli.configuration import get_config
from crawler.cli.output import pluralise, print_json, print_line, print_table
from crawler.content import clock
from crawler.content.dates import format_iso, format_rough_duration, subtract_age
from crawler.crawl.policy.estimate import Plan, Precision
from crawler.crawl.policy.result import EXIT_CODES, CrawlResult, combine_exit_codes, is_good
from crawler.errors import CommandError, missing_extra_error
from crawler.items import Outcome, Reason, RunOutcome


@click.command()
@click.argument("spider", required=False)
@click.option("--category", multiple=True, metavar="X", help="Crawl only this media: slug or Chinese name. Repeatable.")
@click.option(
    "--column", multiple=True, metavar="ID", help="Crawl only this listing (see `finews columns`). Repeatable."
)
@options.since
@options.until
@click.option("--refresh", metavar="DATE", help="Fetch known articles published since DATE again, e.g. 2d.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N matching entries, known or new.")
@options.output
@options.mirror
@options.set_
@click.option("--quiet", is_flag=True, help="Print only problems.")
@click.option(
    "--plan", is_flag=True, help="Only estimate requests and duration, from one page per listing; write nothing."
)
@click.option(
    "--wait",
    metavar="AGE",
    callback=options.parse_age_option,
    help="Wait that long for another crawl of the output folder, e.g. 5m.  [default: exit 75 at once]",
)
@click.option("--distributed", is_flag=True, help="Let `finews worker` fetch, on this and other machines.")
@options.as_json
def crawl(plan: bool, distributed: bool, wait: str | None, **option_values: Any) -> None:
    """Crawl once: fetch new articles, write posts and rows.

    SPIDER is eastmoney (column lists and articles), flash (7x24 fast news) or choice (the lists of the first posts).
    Without it, the sources that `crawl` of finews.toml names are crawled in turn, by default eastmoney.
    """
    if plan and distributed:
        raise click.UsageError("--plan sends its requests from this machine: leave out --distributed")
    if plan:
        run_plan(**option_values)
    else:
        run_crawl(distributed=distributed, wait=wait, **option_values)


class _CrawlCommand(NamedTuple):
    """A crawl as given by the options: spider arguments as of `scrapy crawl -a`, and Scrapy settings."""

    spiders: tuple[str, ...]
    arguments: dict[str, str]
    settings: Any
    quiet: bool
    as_json: bool


def run_crawl(*, distributed: bool, wait: str | None, **option_values: Any) -> None:
    """Run one crawl from its options to its exit code."""
    from crawler.crawl import runner  # imports Scrapy, which is slow

    command = _build_command(progress=True, **option_values)
    if distributed:
        require_scale_extra()
        from crawler.jobs.distributed.coordinator import apply_coordinator_settings

        apply_coordinator_settings(command.settings)
    now = clock.now()
    wait_seconds = (now - subtract_age(now, wait)).total_seconds() if wait else 0
    results = runner.crawl(command.spiders, command.arguments, command.settings, wait_seconds)
    if len(command.spiders) == 1 and isinstance(results[0], CommandError):
        raise results[0]
    summaries = [result for result in results if isinstance(result, CrawlResult)]
    if command.as_json:
        runs = [_result_as_dict(summary, command.arguments) for summary in summaries]
        print_json(runs[0] if len(command.spiders) == 1 else {"runs": runs})
    for spider, result in zip(command.spiders, results, strict=False):
        if isinstance(result, CommandError):
            print_line(f"finews: {spider}: {result}", err=True)
            continue
        if not command.as_json and not command.quiet and result.run["outcome"] != RunOutcome.FAILED:
            counts = ", ".join(f"{result.run[name]} {name}" for name in Outcome if result.run[name])
            print_line(f"{spider}: {result.run['listed']} listed: {counts or 'nothing'}")
            print_line(f"posts in {result.output}/_posts, rows in {result.output}/news.db")
        if result.run["outcome"] == RunOutcome.INTERRUPTED:
            print_line("finews: stopped before the end; the next crawl goes on", err=True)
        _print_failures(result)
    _send_ping(results)
    sys.exit(combine_exit_codes([result.exit_code for result in results]))


def _result_as_dict(summary: CrawlResult, arguments: dict[str, str]) -> dict[str, Any]:
    """Return the summary of a crawl as `--json` prints it."""
    gaps = {
        column: {"after": format_iso(gap.after), "before": format_iso(gap.before)}
        for column, gap in summary.gaps.items()
    }
    return {
        **summary.run,
        "arguments": arguments,
        "output": summary.output,
        "failed_listings": summary.failed_listings,
        "gaps": gaps,
        "failures": summary.failures,
        "notes": summary.notes,
    }


def _send_ping(results: Sequence[CrawlResult | CommandError]) -> None:
    """Report to the `ping` address of the configuration, if there is one, whether the crawls were good."""
    address = get_config(click.get_current_context())["ping"]
    if address is None:
        return
    from crawler.jobs.ping import send_ping  # few installations have an address

    if problem := send_ping(address, good=all(is_good(result) for result in results)):
        print_line(f"finews: {problem}", err=True)


def run_plan(**option_values: Any) -> None:
    """Print the plan of a crawl with these options, and exit with its code."""
    from crawler.crawl import runner  # as above

    command = _build_command(progress=False, **option_values)
    if len(command.spiders) > 1:
        raise click.UsageError(f"--plan plans one source: name one of {', '.join(command.spiders)}")
    (spider,) = command.spiders
    plan = runner.plan_crawl(spider, command.arguments, command.settings)
    if command.as_json:
        print_json({"spider": spider, "arguments": command.arguments, **_plan_as_dict(plan)})
    elif not command.quiet and plan.outcome != RunOutcome.FAILED:
        print_table(
            _plan_as_dict(plan)["columns"],
            ("column_id", "name", "pages", "pages_precision", "articles", "articles_precision", "back_to"),
        )
        at_least = "at least " if plan.requests_precision is Precision.AT_LEAST else ""
        qualifier = {Precision.COUNTED: "", Precision.ESTIMATED: "about "}.get(plan.requests_precision, at_least)
        articles = (
            pluralise(plan.fetched_articles, "article") if plan.article_requests else "no article (the pages hold them)"
        )
        requests, pages = pluralise(plan.requests, "request"), pluralise(plan.pages, "page")
        print_line(f"{spider}: {qualifier}{requests}: {plan.robots} robots.txt, {pages}, {articles}")
        print_line(
            f"time: {at_least or 'about '}{format_rough_duration(plan.seconds)}, with {plan.seconds_between:.2g} s"
            f" between two requests and {plan.latency:.2g} s for a response"
        )
        for note in plan.notes:
            print_line(f"note: {note}")
    _print_failed_listings(plan.failed_listings, failed=plan.outcome == RunOutcome.FAILED)
    sys.exit(EXIT_CODES[plan.outcome])


def _build_command(
    spider: str | None,
    output: Path,
    mirror: str | None,
    setting_overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    progress: bool,
    **spider_options: Any,
) -> _CrawlCommand:
    """Return the crawl for these options; `spider_options` become spider arguments, lists joined by commas."""
    from crawler.crawl import runner  # as above

    arguments = {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in spider_options.items()
        if value is not None and value != ()
    }
    setting_values = {**settings_from_options(mirror, setting_overrides), "OUTPUT_DIR": str(output)}
    config = get_config(click.get_current_context())
    show_progress = progress and not quiet
    settings = runner.build_settings(setting_values, show_progress=show_progress, configured=config.settings())
    return _CrawlCommand((spider,) if spider else tuple(config["crawl"]), arguments, settings, quiet, as_json)


def settings_from_options(mirror: str | None, assignments: tuple[str, ...]) -> dict[str, str]:
    """Return the Scrapy settings of `--set` and `--mirror`, by name.

    Raises BadParameter for a `--set` without a name or `=`.
    """
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{assignment!r} is not NAME=VALUE", param_hint="--set")
        settings[name] = value
    return settings if mirror is None else {**settings, "MIRROR": mirror}


def require_scale_extra() -> None:
    """Raise UsageError if the packages for distributed crawling are not installed."""
    if find_spec("procrastinate") is None or find_spec("psycopg") is None:
        raise missing_extra_error("distributed crawling needs extra packages", "scale")


def _plan_as_dict(plan: Plan) -> dict[str, Any]:
    columns = [{**asdict(column), "back_to": column.back_to and format_iso(column.back_to)} for column in plan.columns]
    totals = {name: getattr(plan, name) for name in ("pages", "articles", "requests", "requests_precision", "seconds")}
    return {**asdict(plan), "columns": columns, **totals}


def _print_failed_listings(
    failed_listings: Mapping[str, Sequence[str]], *, failed: bool, recently_reported: Collection[str] = ()
) -> None:
    if failed and failed_listings:
        print_line(f"finews: no listing could be read: {'; '.join(failed_listings)}", err=True)
        return
    for reason, columns in failed_listings.items():
        if reason not in recently_reported:
            print_line(f"finews: no listing of {', '.join(columns)}: {reason}", err=True)


def _print_failures(summary: CrawlResult) -> None:
    failed = summary.run["outcome"] == RunOutcome.FAILED
    _print_failed_listings(summary.failed_listings, failed=failed, recently_reported=summary.recently_reported)
    if failed and summary.failed_listings:
        return
    for note in summary.notes:
        if note not in summary.recently_reported:
            print_line(f"finews: {note}", err=True)
    for column, gap in summary.gaps.items():
        print_line(f"finews: missed in column {column}: {format_iso(gap.after)} to {format_iso(gap.before)}", err=True)
    for group in summary.failures:
        # The interruption itself was printed above.
        if group["detail"] in summary.recently_reported or group["reason"] == Reason.INTERRUPTED:
            continue
        code = group["code"] or "a row without a code"
        count_note = f" and {group['count'] - 1} more" if group["count"] > 1 else ""
        print_line(f"finews: {group['outcome']}: {code}{count_note}: {group['detail']}", err=True)
    reported_count = sum(group["count"] for group in summary.failures)
    if unreported_count := summary.run["failed"] + summary.run["quarantined"] - reported_count:
        print_line(
            f"finews: and {unreported_count} more, in the table entries under run_id {summary.run['id']}", err=True
        )
