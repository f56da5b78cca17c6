"""`finews diff` and `explain`: one article through time."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from crawler.cli import options, tell
from crawler.content.diff import DiffOp, DiffPart, ParagraphDiff, diff_paragraphs, merge_parts
from crawler.content.html_cleaner import html_to_text
from crawler.content.unicode_text import collapse_whitespace
from crawler.crawl.policy.entry_filter import WITHDRAWN_PREFIX
from crawler.errors import FatalError
from crawler.items import NO_COLUMN, Outcome
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME
from crawler.storage.post_files import locate_post

Version = dict[str, Any]

_STYLES = {DiffOp.EQUAL: "", DiffOp.DELETE: "red strike", DiffOp.INSERT: "green"}
_MARKS = {DiffOp.EQUAL: "{}", DiffOp.DELETE: "[-{}-]", DiffOp.INSERT: "{{+{}+}}"}


def _digits(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    code = value.strip()
    return code[2:] if code[:2].upper() == "NW" else code


_code = click.argument("code", callback=_digits)


# finews diff


@click.command()
@_code
@click.option("--from", "older", type=int, metavar="N", help="The revision to compare.  [default: the one before --to]")
@click.option("--to", "newer", type=int, metavar="N", help="The revision to compare it with.  [default: the present]")
@options.output
@options.as_json
def diff(code: str, older: int | None, newer: int | None, output: Path, as_json: bool) -> None:
    """What changed in an article between two revisions.

    CODE is its digits, with or without NW. Deleted text is red and struck, inserted text green on a terminal, else
    they are marked [-so-] and {+so+}.
    """
    with Store.open_ro(output) as store:
        versions = store.history.versions(code)
    if not versions:
        raise FatalError(f"no article {code} in {output / DATABASE_FILE_NAME}")
    before, after = _two_of(versions, older, newer, code)
    if as_json:
        tell.as_value(_as_value(code, before, after))
    elif len(versions) == 1:
        seen = tell.minute(after["seen_at"])
        tell.line(f"{code} has one revision, first seen {seen}: nothing in it has changed since")
    else:
        _tell_changes(code, before, after)


def _two_of(versions: list[Version], older: int | None, newer: int | None, code: str) -> tuple[Version, Version]:
    """The versions of these numbers; by default the present one, and the one before it. Raises FatalError."""
    by_number = {version["revision"]: version for version in versions}
    to = versions[-1]["revision"] if newer is None else newer
    start = max(to - 1, min(by_number)) if older is None else older
    for number in (start, to):
        if number not in by_number:
            raise FatalError(f"no revision {number} of {code}: there are {', '.join(map(str, by_number))}")
    return by_number[start], by_number[to]


def _as_value(code: str, before: Version, after: Version) -> dict[str, Any]:
    changed = [(name, diff_paragraphs(_field(before, name), _field(after, name))) for name in _FIELDS]
    return {
        "code": code,
        "from": {name: before[name] for name in ("revision", "seen_at", "title", "published_at")},
        "to": {name: after[name] for name in ("revision", "seen_at", "title", "published_at")},
        "changes": [
            {"field": name, "parts": [part._asdict() for part in merge_parts(rows)]}
            for name, rows in changed
            if not all(row.is_unchanged for row in rows)
        ],
    }


_FIELDS = ("title", "published_at", "body_text")


def _field(version: Version, name: str) -> str:
    """A version's field; its text follows from its body, as the article's own does."""
    return html_to_text(version["body_html"]) if name == "body_text" else str(version[name])


def _tell_changes(code: str, before: Version, after: Version) -> None:
    mark = _marker()
    old, new = (f"{version['revision']}, first seen {tell.minute(version['seen_at'])}" for version in (before, after))
    tell.line(f"{code}: revision {old}, compared with {new}")
    tell.line()
    for label, read in (("title", lambda version: version["title"]), ("time ", _published)):
        mark([DiffPart(DiffOp.EQUAL, f"{label}  "), *merge_parts(diff_paragraphs(read(before), read(after)))])
    tell.line()
    _tell_text(diff_paragraphs(_field(before, "body_text"), _field(after, "body_text")), mark)


def _tell_text(rows: Iterable[ParagraphDiff], mark: Callable[[Sequence[DiffPart]], None]) -> None:
    for unchanged, run in itertools.groupby(rows, key=lambda row: row.is_unchanged):
        if unchanged:
            tell.line(f"… {tell.counted(len(list(run)), 'paragraph')} unchanged …")
        else:
            for row in run:
                mark(row.parts)


def _marker() -> Callable[[Sequence[DiffPart]], None]:
    """Prints one line of parts: in colour where that can be seen and is wanted, else with marks."""
    console = Console(markup=False, highlight=False)
    if sys.stdout.isatty() and console.color_system and not console.no_color:
        return lambda line: console.print(
            Text.assemble(*((tell.part_of_line(part.text), _STYLES[part.op]) for part in line)), soft_wrap=True
        )
    return lambda line: tell.line("".join(_MARKS[part.op].format(tell.part_of_line(part.text)) for part in line))


def _published(version: Version) -> str:
    return str(version["published_at"])[:19].replace("T", " ")


# finews explain


@dataclass(frozen=True, slots=True)
class _Crawl:
    """What one crawl made of an article: the columns of each outcome, in words; and where it was listed once more."""

    run_id: int
    spider: str
    started_at: str
    became: dict[str, list[str]]
    again: list[str]


@click.command()
@_code
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
        yield f"{collapse_whitespace(article['media'])} ({article['category']}), published {_published(article)}"
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
            f" lists it as {collapse_whitespace(refused['title'])!r} of {_published(refused)}"
        )


def _state(known: dict[str, Any], versions: list[Version], output: Path) -> Iterator[str]:
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


# words


def _run(crawl: _Crawl) -> str:
    return f"{crawl.spider} #{crawl.run_id}"


def _columns(columns: list[str]) -> str:
    different = list(dict.fromkeys(columns))
    return f"column{'s' if len(different) > 1 else ''} {', '.join(map(collapse_whitespace, different))}"
