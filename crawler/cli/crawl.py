"""`finews crawl`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.content.dates import format_iso, format_rough_duration
from crawler.crawl.policy.estimate import Plan, Precision
from crawler.crawl.policy.result import EXIT_CODES, CrawlResult
from crawler.items import Outcome, RunOutcome


@click.command()
@click.argument("spider", required=False)
@click.option(
    "--category", multiple=True, metavar="X", help="Only this media: its slug or its Chinese name. Repeatable."
)
@click.option("--column", multiple=True, metavar="ID", help="Only this listing: see `finews columns`. Repeatable.")
@click.option("--since", metavar="DATE", help="2022-01-10, '2022-01-10 16:20', or an age such as 2d.")
@click.option("--until", metavar="DATE", help="Likewise; the day or minute itself is included.")
@click.option("--refresh", metavar="DATE", help="Fetch known articles again that were published since then, e.g. 2d.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N wanted entries, known ones included.")
@options.output
@click.option("--mirror", metavar="URL", help="Send every request there instead, path and query unchanged.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Any Scrapy setting, or one of ours.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something went wrong.")
@click.option("--plan", is_flag=True, help="Only tell what it would ask for, and how long that takes; write nothing.")
@options.as_json
def crawl(plan: bool, **asked: Any) -> None:
    """Crawl once: fetch what is new, write posts and rows.

    SPIDER is eastmoney (the default: column lists and articles), flash (7x24 fast news) or choice (the lists that the
    first posts came from).
    """
    (plan_and_tell if plan else crawl_and_tell)(**asked)


class _Asked(NamedTuple):
    """A crawl as its options name it: `arguments` are its spider's, `settings` Scrapy's."""

    spider: str
    arguments: dict[str, str]
    settings: Any
    quiet: bool
    as_json: bool


def crawl_and_tell(prepare: Callable[[Any], None] | None = None, **options: Any) -> None:
    """One crawl from its options to its exit code; `prepare` has the last word on Scrapy's settings."""
    from crawler.crawl import runner  # Scrapy takes a third of a second to import, which no other command needs

    asked = _asked(progress=True, **options)
    if prepare:
        prepare(asked.settings)
    summary = runner.crawl(asked.spider, asked.arguments, asked.settings)
    if asked.as_json:
        tell.as_value({**summary.run, "arguments": asked.arguments, **_beside(summary)})
    elif not asked.quiet and summary.run["outcome"] != RunOutcome.FAILED:
        _tell(summary)
    if summary.run["outcome"] == RunOutcome.INTERRUPTED:
        tell.line("finews: stopped before the end; the next crawl goes on", err=True)
    _tell_troubles(summary)
    sys.exit(summary.exit_code)


def plan_and_tell(**options: Any) -> None:
    """What a crawl with these options would ask for, from the options to the exit code."""
    from crawler.crawl import runner  # as above

    asked = _asked(progress=False, **options)
    plan = runner.plan_crawl(asked.spider, asked.arguments, asked.settings)
    if asked.as_json:
        tell.as_value({"spider": asked.spider, "arguments": asked.arguments, **_value_of(plan)})
    elif not asked.quiet and plan.outcome != RunOutcome.FAILED:
        _tell_plan(asked.spider, plan)
    _tell_lost(plan.failed_listings, failed=plan.outcome == RunOutcome.FAILED)
    sys.exit(EXIT_CODES[plan.outcome])


def _asked(
    spider: str | None,
    output: Path,
    mirror: str | None,
    changes: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    progress: bool,
    **chosen: Any,
) -> _Asked:
    from crawler.crawl import runner  # as above

    values = {**settings_of(mirror, changes), "OUTPUT_DIR": str(output)}
    settings = runner.build_settings(values, show_progress=progress and not quiet)
    return _Asked(spider or runner.DEFAULT_SPIDER, _arguments(chosen), settings, quiet, as_json)


def settings_of(mirror: str | None, changes: tuple[str, ...]) -> dict[str, str]:
    """What `--set` and `--mirror` ask for. Raises BadParameter."""
    return {**dict(_pair(change) for change in changes), **({} if mirror is None else {"MIRROR": mirror})}


def _pair(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{change!r} is not NAME=VALUE", param_hint="--set")
    return name, value


def _arguments(chosen: dict[str, Any]) -> dict[str, str]:
    """The options as a spider's arguments, as `scrapy crawl -a` gives them: text, lists with commas."""
    return {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in chosen.items()
        if value is not None and value != ()
    }


def _beside(summary: CrawlResult) -> dict[str, Any]:
    return {
        "output": summary.output,
        "failed_listings": summary.failed_listings,
        "gaps": {
            column: {"after": format_iso(gap.after), "before": format_iso(gap.before)}
            for column, gap in summary.gaps.items()
        },
        "failures": summary.failures,
        "notes": summary.notes,
    }


def _tell(summary: CrawlResult) -> None:
    run = summary.run
    counts = ", ".join(f"{run[name]} {name}" for name in Outcome if run[name])
    tell.line(f"{run['spider']}: {run['listed']} listed: {counts or 'nothing'}")
    tell.line(f"posts in {summary.output}/_posts, rows in {summary.output}/news.db")


def _value_of(plan: Plan) -> dict[str, Any]:
    columns = [{**asdict(column), "back_to": column.back_to and format_iso(column.back_to)} for column in plan.columns]
    sums = {name: getattr(plan, name) for name in ("pages", "articles", "requests", "requests_precision", "seconds")}
    return {**asdict(plan), "columns": columns, **sums}


def _tell_plan(spider: str, plan: Plan) -> None:
    tell.as_table(
        _value_of(plan)["columns"],
        ("column_id", "name", "pages", "pages_precision", "articles", "articles_precision", "back_to"),
    )
    least = "at least " if plan.requests_precision is Precision.AT_LEAST else ""
    about = {Precision.COUNTED: "", Precision.ESTIMATED: "about "}.get(plan.requests_precision, least)
    articles = tell.counted(plan.articles, "article") if plan.article_requests else "no article, which the pages hold"
    requests, pages = tell.counted(plan.requests, "request"), tell.counted(plan.pages, "page")
    tell.line(f"{spider}: {about}{requests}: {plan.robots} robots.txt, {pages}, {articles}")
    tell.line(
        f"time: {least or 'about '}{format_rough_duration(plan.seconds)}, with {plan.seconds_between:.2g} s"
        f" between two requests and {plan.latency:.2g} s for an answer"
    )
    for note in plan.notes:
        tell.line(f"note: {note}")


def _tell_lost(lost: Mapping[str, Sequence[str]], *, failed: bool) -> None:
    if failed and lost:
        tell.line(f"finews: no listing could be had: {'; '.join(lost)}", err=True)
        return
    for reason, columns in lost.items():
        tell.line(f"finews: no listing of {', '.join(columns)}: {reason}", err=True)


def _tell_troubles(summary: CrawlResult) -> None:
    failed = summary.run["outcome"] == RunOutcome.FAILED
    _tell_lost(summary.failed_listings, failed=failed)
    if failed and summary.failed_listings:
        return
    for note in summary.notes:
        tell.line(f"finews: {note}", err=True)
    for column, gap in summary.gaps.items():
        tell.line(f"finews: missed in column {column}: {format_iso(gap.after)} to {format_iso(gap.before)}", err=True)
    for trouble in summary.failures:
        which = trouble["code"] or "a row without a code"
        more = f" and {trouble['count'] - 1} more" if trouble["count"] > 1 else ""
        tell.line(f"finews: {trouble['outcome']}: {which}{more}: {trouble['detail']}", err=True)
    told = sum(trouble["count"] for trouble in summary.failures)
    if hidden := summary.run["failed"] + summary.run["quarantined"] - told:
        tell.line(f"finews: and {hidden} more, in the table entries under run_id {summary.run['id']}", err=True)
