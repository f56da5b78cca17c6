"""Command `finews explain`: print the history of an article, crawl by crawl."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from crawler.cli import options
from crawler.cli.options import code_argument
from crawler.cli.output import format_minute, format_published_at, format_withdrawal, pluralise, print_json, print_line
from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import FatalError
from crawler.items import NO_COLUMN, SUMMARY_NOTE_HTML, Outcome, Reason
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post


class _OutcomeText(NamedTuple):
    """The outcome of a listing, in words, and why, ready to be joined."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class _CrawlSummary:
    """What one crawl made of an article: the columns of each outcome and why; and where it was listed once more."""

    run_id: int
    spider: str
    started_at: str
    columns_by_outcome: dict[_OutcomeText, list[str]]
    duplicate_columns: list[str]


@click.command()
@code_argument
@options.output
@options.as_json
def explain(code: str, output: Path, as_json: bool) -> None:
    """What became of an article, and why: every listing of it, on the books.

    CODE is its digits, with or without NW. It need not have become an article: also what was filtered, failed or
    went to quarantine is told.
    """
    with Store.open_ro(output) as store:
        history = store.history.for_code(code) if code else None
        versions = store.history.versions(code)
    if history is None:
        raise FatalError(f"nothing is known of {code!r} in {output / DATABASE_FILE_NAME}: no crawl has met it")
    if as_json:
        print_json(history)
    else:
        for line in itertools.chain(
            _format_heading(history),
            _format_crawls(history),
            _format_kept_responses(history),
            _format_state(history, versions, output),
        ):
            print_line(line)


def _format_heading(history: dict[str, Any]) -> Iterator[str]:
    article = history["article"]
    if article is None:
        yield f"{history['code']}: no article came of it"
    else:
        yield f"{history['code']}: {collapse_whitespace(article['title'])}"
        media = collapse_whitespace(article["media"])
        yield f"{media} ({article['category']}), published {format_published_at(article)}"
    yield ""


def _format_crawls(history: dict[str, Any]) -> Iterator[str]:
    """A line for each stretch of crawls that made the same of it."""
    crawl_groups = _group_equal_crawls(_summarise_crawls(history["entries"]))
    if not crawl_groups:
        yield "No crawl's listing of it is on the books."
    width = max((len(_format_run(crawls[0])) for crawls in crawl_groups), default=0)
    for number, stretch in enumerate(crawl_groups):
        listed_text = "first listed" if number == 0 else "listed"
        description = (
            _format_single_crawl(stretch[0], listed_text) if len(stretch) == 1 else _format_repeated_crawls(stretch)
        )
        yield f"{format_minute(stretch[0].started_at)}  {_format_run(stretch[0]):{width}}  {description}"
    yield ""


def _summarise_crawls(entries: list[dict[str, Any]]) -> Iterator[_CrawlSummary]:
    for run_id, run_entries in itertools.groupby(entries, key=lambda entry: entry["run_id"]):
        crawl_entries = list(run_entries)
        first_listings = [entry for entry in crawl_entries if entry["outcome"] != Outcome.DUPLICATE]
        columns_by_outcome: dict[_OutcomeText, list[str]] = {}
        for entry in first_listings:
            columns_by_outcome.setdefault(_format_outcome(entry), []).append(entry["column_id"])
        duplicate_columns = [entry["column_id"] for entry in crawl_entries if entry["outcome"] == Outcome.DUPLICATE]
        yield _CrawlSummary(
            run_id, crawl_entries[0]["spider"], crawl_entries[0]["started_at"], columns_by_outcome, duplicate_columns
        )


def _group_equal_crawls(crawls: Iterable[_CrawlSummary]) -> list[list[_CrawlSummary]]:
    """Crawls of one spider that made the same of an article, one after the other; crawls of others may lie between."""
    crawl_groups: list[list[_CrawlSummary]] = []
    latest_group: dict[str, list[_CrawlSummary]] = {}
    for crawl in crawls:
        group = latest_group.get(crawl.spider)
        if group and set(group[0].columns_by_outcome) == set(crawl.columns_by_outcome):
            group.append(crawl)
        else:
            latest_group[crawl.spider] = [crawl]
            crawl_groups.append(latest_group[crawl.spider])
    return crawl_groups


def _format_outcome(entry: dict[str, Any]) -> _OutcomeText:
    """The outcome of a listing, as it was recorded, and why."""
    saved_texts = {Outcome.NEW: ", its text taken in", Outcome.UPDATED: ", its changed text taken in"}
    outcome = entry["outcome"]
    saved_text = "" if entry["reason"] == Reason.WITHDRAWN else saved_texts.get(outcome, "")
    reason = f": {collapse_whitespace(entry['detail'])}" if entry["detail"] else ""
    return _OutcomeText(f"{outcome}{saved_text}", reason) if outcome else _OutcomeText("not decided yet", "")


def _format_single_crawl(crawl: _CrawlSummary, listed_text: str) -> str:
    clauses = [
        f"{'in no listing' if columns == [NO_COLUMN] else f'{listed_text} in {_format_columns(columns)}'}:"
        f" {outcome}{reason}"
        for (outcome, reason), columns in crawl.columns_by_outcome.items()
    ]
    if crawl.duplicate_columns:
        clauses.append(f"listed again in {_format_columns(crawl.duplicate_columns)}")
    return "; ".join(clauses)


def _format_repeated_crawls(crawls: list[_CrawlSummary]) -> str:
    first_crawl, last_crawl = crawls[0], crawls[-1]
    times = f"from {format_minute(first_crawl.started_at)} to {format_minute(last_crawl.started_at)}"
    span = f"{times} (#{first_crawl.run_id} … #{last_crawl.run_id})"
    return "; ".join(
        f"{outcome} in {len(crawls)} crawls {span}{reason}" for outcome, reason in first_crawl.columns_by_outcome
    )


def _format_kept_responses(history: dict[str, Any]) -> Iterator[str]:
    for quarantined in history["quarantine"]:
        response_label = quarantined["url"] or "its row in a listing"
        yield (
            f"quarantine: {collapse_whitespace(quarantined['reason'])}: {collapse_whitespace(response_label)},"
            f" kept raw {format_minute(quarantined['seen_at'])} (row {quarantined['id']},"
            f" {pluralise(quarantined['bytes'], 'byte')})"
            + (f", resolved {format_minute(quarantined['resolved_at'])}" if quarantined["resolved_at"] else "")
        )
    for rejected in history["refused"]:
        yield (
            f"refused: {collapse_whitespace(rejected['refused'])}: not asked for again while {rejected['spider']}"
            f" lists it as {collapse_whitespace(rejected['title'])!r} of {format_published_at(rejected)}"
        )


def _format_state(history: dict[str, Any], versions: list[dict[str, Any]], output: Path) -> Iterator[str]:
    article = history["article"]
    if article is None:
        return
    for version in versions:
        seen_at = format_minute(version["seen_at"])
        yield f"revision {version['revision']}: first seen {seen_at}: {collapse_whitespace(version['title'])}"
    is_summary = versions[-1]["body_html"].endswith(SUMMARY_NOTE_HTML)
    summary_note = ", a summary: the article behind it is not in yet" if is_summary else ""
    yield f"text: {article['source']}'s is kept{summary_note}{_format_precedence(history)}"
    if article["withdrawn_at"]:
        yield format_withdrawal(article)
    path = locate_post(output, article["post_path"])
    yield f"post: {path} ({_describe_post_state(article, path)})"


def _format_precedence(history: dict[str, Any]) -> str:
    """The spiders whose listings led to no request, since another one's text takes precedence."""
    source = history["article"]["source"]
    spiders = (entry["spider"] for entry in history["entries"] if entry["reason"] == Reason.OTHER_SOURCE)
    other_spiders = dict.fromkeys(spider for spider in spiders if spider != source)
    return f": {' and '.join(other_spiders)} listed it too, and that does not take its place" if other_spiders else ""


def _describe_post_state(article: dict[str, Any], path: Path) -> str:
    if article["published_revision"] != article["revision"]:
        return f"revision {article['revision']} is owed: the next crawl writes it"
    if not path.exists():
        return "missing: `finews verify` tells more"
    return f"it stands, revision {article['revision']}"


def _format_run(crawl: _CrawlSummary) -> str:
    return f"{crawl.spider} #{crawl.run_id}"


def _format_columns(columns: list[str]) -> str:
    unique_columns = list(dict.fromkeys(columns))
    return f"column{'s' if len(unique_columns) > 1 else ''} {', '.join(map(collapse_whitespace, unique_columns))}"
