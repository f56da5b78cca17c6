"""`finews explain`."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from crawler.cli import options
from crawler.cli import output as tell
from crawler.cli.options import code
from crawler.cli.output import published
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.entry_filter import WITHDRAWN_PREFIX
from crawler.errors import FatalError
from crawler.items import NO_COLUMN, Outcome
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post


@dataclass(frozen=True, slots=True)
class _Crawl:
    """What one crawl made of an article: the columns of each outcome, in words; and where it was listed once more."""

    run_id: int
    spider: str
    started_at: str
    became: dict[str, list[str]]
    again: list[str]


@click.command()
@code
@options.output
@options.as_json
def explain(code: str, output: Path, as_json: bool) -> None:
    """What became of an article, and why: every listing of it, on the books.

    CODE is its digits, with or without NW. It need not have become an article: also what was filtered, failed or
    went to quarantine is told.
    """
    with Store.open_ro(output) as store:
        known = store.history.for_code(code) if code else None
        versions = store.history.versions(code)
    if known is None:
        raise FatalError(f"nothing is known of {code!r} in {output / DATABASE_FILE_NAME}: no crawl has met it")
    if as_json:
        tell.as_value(known)
    else:
        for words in itertools.chain(_head(known), _path(known), _kept_raw(known), _state(known, versions, output)):
            tell.line(words)


def _head(known: dict[str, Any]) -> Iterator[str]:
    article = known["article"]
    if article is None:
        yield f"{known['code']}: no article came of it"
    else:
        yield f"{known['code']}: {collapse_whitespace(article['title'])}"
        yield f"{collapse_whitespace(article['media'])} ({article['category']}), published {published(article)}"
    yield ""


def _path(known: dict[str, Any]) -> Iterator[str]:
    """A line for each stretch of crawls that made the same of it."""
    stretches = _stretches(_crawls(known["entries"]))
    if not stretches:
        yield "No crawl's listing of it is on the books."
    width = max((len(_run(stretch[0])) for stretch in stretches), default=0)
    for number, stretch in enumerate(stretches):
        listed = "first listed" if number == 0 else "listed"
        words = _once(stretch[0], listed) if len(stretch) == 1 else _many_times(stretch)
        yield f"{tell.minute(stretch[0].started_at)}  {_run(stretch[0]):{width}}  {words}"
    yield ""


def _crawls(entries: list[dict[str, Any]]) -> Iterator[_Crawl]:
    for run_id, found in itertools.groupby(entries, key=lambda entry: entry["run_id"]):
        listed = list(found)
        first = [entry for entry in listed if entry["outcome"] != Outcome.DUPLICATE]
        became: dict[str, list[str]] = {}
        for entry in first:
            became.setdefault(_words(entry), []).append(entry["column_id"])
        again = [entry["column_id"] for entry in listed if entry["outcome"] == Outcome.DUPLICATE]
        yield _Crawl(run_id, listed[0]["spider"], listed[0]["started_at"], became, again)


def _stretches(crawls: Iterable[_Crawl]) -> list[list[_Crawl]]:
    """Crawls of one spider that made the same of an article, one after the other; crawls of others may lie between."""
    stretches: list[list[_Crawl]] = []
    latest: dict[str, list[_Crawl]] = {}
    for crawl in crawls:
        stretch = latest.get(crawl.spider)
        if stretch and set(stretch[0].became) == set(crawl.became):
            stretch.append(crawl)
        else:
            latest[crawl.spider] = [crawl]
            stretches.append(latest[crawl.spider])
    return stretches


def _words(entry: dict[str, Any]) -> str:
    """The outcome of a listing, as the books have it, and why."""
    taken = {Outcome.NEW: ", its text taken in", Outcome.UPDATED: ", its changed text taken in"}
    outcome = entry["outcome"]
    text = "" if entry["detail"].startswith(WITHDRAWN_PREFIX) else taken.get(outcome, "")
    why = f": {collapse_whitespace(entry['detail'])}" if entry["detail"] else ""
    return f"{outcome}{text}{why}" if outcome else "not decided yet"


def _once(crawl: _Crawl, listed: str) -> str:
    told = [
        f"{'in no listing' if columns == [NO_COLUMN] else f'{listed} in {_columns(columns)}'}: {words}"
        for words, columns in crawl.became.items()
    ]
    if crawl.again:
        told.append(f"listed again in {_columns(crawl.again)}")
    return "; ".join(told)


def _many_times(stretch: list[_Crawl]) -> str:
    first, last = stretch[0], stretch[-1]
    span = f"from {tell.minute(first.started_at)} to {tell.minute(last.started_at)} (#{first.run_id} … #{last.run_id})"
    told = []
    for words in first.became:
        outcome, colon, why = words.partition(": ")
        told.append(f"{outcome} in {len(stretch)} crawls {span}{colon}{why}")
    return "; ".join(told)


def _kept_raw(known: dict[str, Any]) -> Iterator[str]:
    for kept in known["quarantine"]:
        reply = kept["url"] or "its row in a listing"
        yield (
            f"quarantine: {collapse_whitespace(kept['reason'])}: {collapse_whitespace(reply)},"
            f" kept raw {tell.minute(kept['seen_at'])} (row {kept['id']}, {tell.counted(kept['bytes'], 'byte')})"
        )
    for refused in known["refused"]:
        yield (
            f"refused: {collapse_whitespace(refused['refused'])}: not asked for again while {refused['spider']}"
            f" lists it as {collapse_whitespace(refused['title'])!r} of {published(refused)}"
        )


def _state(known: dict[str, Any], versions: list[dict[str, Any]], output: Path) -> Iterator[str]:
    article = known["article"]
    if article is None:
        return
    for version in versions:
        seen = tell.minute(version["seen_at"])
        yield f"revision {version['revision']}: first seen {seen}: {collapse_whitespace(version['title'])}"
    yield f"text: {article['source']}'s is kept{_not_replaced(known)}"
    if article["withdrawn_at"]:
        yield tell.withdrawn(article)
    path = locate_post(output, article["post_path"])
    yield f"post: {path} ({_post_state(article, path)})"


def _not_replaced(known: dict[str, Any]) -> str:
    """The spiders whose listings led to no request, since another one's text takes precedence."""
    kept_by = f"kept by {known['article']['source']}"
    others = dict.fromkeys(entry["spider"] for entry in known["entries"] if entry["detail"] == kept_by)
    return f": {' and '.join(others)} listed it too, and that does not take its place" if others else ""


def _post_state(article: dict[str, Any], path: Path) -> str:
    if article["published_revision"] != article["revision"]:
        return f"revision {article['revision']} is owed: the next crawl writes it"
    if not path.exists():
        return "missing: `finews verify` tells more"
    return f"it stands, revision {article['revision']}"


def _run(crawl: _Crawl) -> str:
    return f"{crawl.spider} #{crawl.run_id}"


def _columns(columns: list[str]) -> str:
    different = list(dict.fromkeys(columns))
    return f"column{'s' if len(different) > 1 else ''} {', '.join(map(collapse_whitespace, different))}"
