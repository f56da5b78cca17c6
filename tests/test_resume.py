"""A backfill that is stopped half-way and started again."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.conftest import DETAIL, NO_MANNERS, Gate, waited_for
from tests.crash.conftest import asker, ended, look, recorded, start
from tests.test_crawl import assert_books_balance, assert_posts_are_rows

COLUMNS = ("344", "345")
# CONCURRENT_REQUESTS
AT_ONCE = 4
# What a crawl leaves behind that says nothing of when it ran.
STATE = (
    "SELECT code, title, published_at, media, category, url, summary, body_html, body_text, post_path, post_sha256,"
    " revision, published_revision, withdrawn_at, changed_at FROM articles ORDER BY code",
    "SELECT code, column_id FROM article_columns ORDER BY code, column_id",
    "SELECT code, spider, title, published_at, refused, failures FROM sightings ORDER BY code",
    "SELECT spider, column_id, newest, oldest FROM coverage ORDER BY column_id",
)


@dataclass(frozen=True)
class Left:
    """What a backfill leaves, and what it asked for: the pages of listings and how often each article."""

    rows: list[list[Any]]
    files: dict[str, bytes]
    pages: list[tuple[str, str]]
    articles: Counter[str]


def backfill(site: SampleSite, output: Path) -> list[str]:
    head = site.corpus.find_listed(site.corpus.codes_in_columns(["345"])[130])
    assert head
    since = ("--since", f"{head.published_at:%Y-%m-%d %H:%M}")
    where = ("--mirror", site.url, "--output", str(output), "--column", ",".join(COLUMNS))
    return [sys.executable, "-m", "crawler", "crawl", *where, *since, *NO_MANNERS, "--quiet"]


def asked(site: SampleSite) -> tuple[list[tuple[str, str]], Counter[str]]:
    pages = [(hit.query["column"], hit.query["page_index"]) for hit in site.requests if "page_index" in hit.query]
    return sorted(pages), Counter(hit.path.removeprefix(DETAIL) for hit in site.requests if DETAIL in hit.path)


def left(site: SampleSite, output: Path) -> Left:
    query = asker(output / "news.db")
    files = {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and not path.name.startswith(("news.db", ".crawl.lock"))
    }
    return Left([query(sql) for sql in STATE], files, *asked(site))


@pytest.fixture(scope="module")
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(500)) as served:
        yield served


@pytest.fixture(scope="module")
def undisturbed(site: SampleSite, tmp_path_factory: pytest.TempPathFactory) -> Left:
    output = tmp_path_factory.mktemp("undisturbed") / "output"
    site.reset()
    assert ended(start(backfill(site, output))).code == 0
    return left(site, output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_backfill_that_is_stopped_half_way_goes_on_where_it_was(
    site: SampleSite, undisturbed: Left, output: Path, number: signal.Signals
) -> None:
    """Each article is asked for once over both, but those that were on their way; the listings are walked again."""
    site.reset()
    half = len(undisturbed.articles) // 2
    gate = Gate(site, DETAIL, passing=half)
    running = start(backfill(site, output))
    # Some of those that passed may wait for a free hand, to ask for the page that holds their text.
    waited_for(lambda: len(gate.held) == AT_ONCE and recorded(output) >= half - AT_ONCE)
    os.kill(running.pid, number)
    assert ended(running).code == (-number if number == signal.SIGKILL else 1)
    gate.open()
    taken_in = set(look(output, "SELECT code FROM articles"))
    first = asked(site)[1]
    on_their_way = set(first) - taken_in
    assert on_their_way >= {hit.path.removeprefix(DETAIL) for hit in gate.held}
    assert len(on_their_way) <= 2 * AT_ONCE

    plan = ended(start([*backfill(site, output), "--plan", "--json"])).value

    site.reset()
    assert ended(start(backfill(site, output))).code == 0
    again = left(site, output)
    assert again.articles == undisturbed.articles - Counter(taken_in)
    assert set(first) & set(again.articles) == on_their_way
    assert again.pages == undisturbed.pages
    assert plan["pages"] == pytest.approx(len(again.pages), abs=2)
    assert plan["articles"] == pytest.approx(len(again.articles), rel=0.2)
    assert (again.rows, again.files) == (undisturbed.rows, undisturbed.files)
    assert_books_balance(asker(output / "news.db"))
    assert_posts_are_rows(output)
