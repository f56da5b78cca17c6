"""Command `finews explain`: print the history of an article, crawl by crawl."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """An outcome and its reason as text, ready to be joined."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class _CrawlSummary:
    """One crawl's entries of an article: columns by outcome, and the columns of duplicates."""

    spider: str
    run_id: int
    started_at: str
    columns_by_outcome: dict[_OutcomeText, list[str]] = field(default_factory=dict)
    duplicate_columns: list[str] = field(default_factory=list)


@click.command()
@code_argument
@options.output
@options.as_json
def explain(code: str, output: Path, as_json: bool) -> None:
    """Show the history of an article, crawl by crawl.

    Each listing is shown with its outcome and reason, also if it was filtered, failed or quarantined. CODE is the
    digits of the article, with or without NW.
    """
    with Store.open_ro(output) as store:
        history = store.history.for_code(code) if code else None
        versions = store.history.versions(code)
    if history is None:
        raise FatalError(f"nothing is known of {code!r} in {output / DATABASE_FILE_NAME}: no crawl has listed it")
    if as_json:
        print_json(history)
        return
    article = history["article"]
    if article is None:
        print_line(f"{history['code']}: no article was saved")
    else:
        print_line(f"{history['code']}: {collapse_whitespace(article['title'])}")
        media = collapse_whitespace(article["media"])
        print_line(f"{media} ({article['category']}), published {format_published_at(article)}")
    print_line()
    lines = itertools.chain(
        _format_crawls(history["entries"]),
        [""],
        _format_stored_data(history, versions, output),
    )
    for line in lines:
        print_line(line)


def _format_crawls(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each group of consecutive crawls with the same outcomes."""
    crawl_groups = _group_equal_crawls(entries)
    if not crawl_groups:
        yield "No crawl has recorded a listing of it."
    run_labels = [f"{crawls[0].spider} #{crawls[0].run_id}" for crawls in crawl_groups]
    width = max(map(len, run_labels), default=0)
    for number, (run_label, crawls) in enumerate(zip(run_labels, crawl_groups, strict=True)):
        first_crawl, last_crawl = crawls[0], crawls[-1]
        listed_text = "first listed" if number == 0 else "listed"
        if len(crawls) == 1:
            clauses = [
                f"{'in no listing' if columns == [NO_COLUMN] else f'{listed_text} in {_format_columns(columns)}'}:"
                f" {outcome}{reason}"
                for (outcome, reason), columns in first_crawl.columns_by_outcome.items()
            ]
            if first_crawl.duplicate_columns:
                clauses.append(f"listed again in {_format_columns(first_crawl.duplicate_columns)}")
        else:
            times = f"from {format_minute(first_crawl.started_at)} to {format_minute(last_crawl.started_at)}"
            span = f"{times} (#{first_crawl.run_id} … #{last_crawl.run_id})"
            clauses = [
                f"{outcome} in {len(crawls)} crawls {span}{reason}"
                for outcome, reason in first_crawl.columns_by_outcome
            ]
        yield f"{format_minute(first_crawl.started_at)}  {run_label:{width}}  {'; '.join(clauses)}"


def _group_equal_crawls(entries: list[dict[str, Any]]) -> list[list[_CrawlSummary]]:
    """Group consecutive crawls of a spider with equal outcomes; crawls of other spiders may lie between them."""
    saved_texts = {Outcome.NEW: ", its text saved", Outcome.UPDATED: ", its changed text saved"}
    crawl_groups: list[list[_CrawlSummary]] = []
    latest_group: dict[str, list[_CrawlSummary]] = {}
    for _, run_entries in itertools.groupby(entries, key=lambda entry: entry["run_id"]):
        first_entry, *_ = crawl_entries = list(run_entries)
        crawl = _CrawlSummary(first_entry["spider"], first_entry["run_id"], first_entry["started_at"])
        for entry in crawl_entries:
            outcome = entry["outcome"]
            if outcome == Outcome.DUPLICATE:
                crawl.duplicate_columns.append(entry["column_id"])
                continue
            saved_text = "" if entry["reason"] == Reason.WITHDRAWN else saved_texts.get(outcome, "")
            reason = f": {collapse_whitespace(entry['detail'])}" if entry["detail"] and outcome else ""
            outcome_text = _OutcomeText(f"{outcome}{saved_text}" if outcome else "not decided yet", reason)
            crawl.columns_by_outcome.setdefault(outcome_text, []).append(entry["column_id"])
        group = latest_group.get(crawl.spider)
        if group and set(group[0].columns_by_outcome) == set(crawl.columns_by_outcome):
            group.append(crawl)
        else:
            latest_group[crawl.spider] = [crawl]
            crawl_groups.append(latest_group[crawl.spider])
    return crawl_groups


def _format_stored_data(history: dict[str, Any], versions: list[dict[str, Any]], output: Path) -> Iterator[str]:
    """Yield lines for quarantined and refused responses, revisions, the source of the text and the post."""
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
            f"refused: {collapse_whitespace(rejected['refused'])}: not fetched again while {rejected['spider']}"
            f" lists it as {collapse_whitespace(rejected['title'])!r} of {format_published_at(rejected)}"
        )
    article = history["article"]
    if article is None:
        return
    for version in versions:
        seen_at = format_minute(version["seen_at"])
        yield f"revision {version['revision']}: first seen {seen_at}: {collapse_whitespace(version['title'])}"
    is_summary = versions[-1]["body_html"].endswith(SUMMARY_NOTE_HTML)
    summary_note = ", a summary: the article behind it is not saved yet" if is_summary else ""
    # Spiders that listed the article and did not fetch it, since the stored text takes precedence.
    spiders = (entry["spider"] for entry in history["entries"] if entry["reason"] == Reason.OTHER_SOURCE)
    other_spiders = " and ".join(dict.fromkeys(spider for spider in spiders if spider != article["source"]))
    precedence_note = f": {other_spiders} listed it too, and that does not take its place" if other_spiders else ""
    yield f"text: {article['source']}'s is kept{summary_note}{precedence_note}"
    if article["withdrawn_at"]:
        yield format_withdrawal(article)
    path = locate_post(output, article["post_path"])
    if article["published_revision"] != article["revision"]:
        post_state = f"revision {article['revision']} is not written yet: the next crawl writes it"
    elif path.exists():
        post_state = f"written, revision {article['revision']}"
    else:
        post_state = "missing: run `finews verify`"
    yield f"post: {path} ({post_state})"


def _format_columns(columns: list[str]) -> str:
    unique_columns = list(dict.fromkeys(columns))
    return f"column{'s' if len(unique_columns) > 1 else ''} {', '.join(map(collapse_whitespace, unique_columns))}"
