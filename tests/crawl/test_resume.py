"""Backfills that are stopped half-way and started again."""

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
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS
from tests.support.crash import count_saved_articles, query_copy, start_process, wait_for_exit
from tests.support.database import query_function
from tests.support.held_responses import HeldResponses
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

COLUMNS = ("344", "345")
# CONCURRENT_REQUESTS
CONCURRENT_REQUESTS = 4
# Columns and files that do not depend on the time of a crawl.
SELECT_STATE = (
    "SELECT code, title, published_at, media, category, url, summary, body_html, body_text, post_path, post_sha256,"
    " revision, published_revision, withdrawn_at, changed_at FROM articles ORDER BY code",
    "SELECT code, column_id FROM article_columns ORDER BY code, column_id",
    "SELECT code, spider, title, published_at, refused, failures FROM sightings ORDER BY code",
    "SELECT spider, column_id, newest, oldest FROM coverage ORDER BY column_id",
)


@dataclass(frozen=True)
class BackfillState:
    """Result of a backfill, and its requests: listing pages, and the number of requests by article."""

    rows: list[list[Any]]
    files: dict[str, bytes]
    requested_pages: list[tuple[str, str]]
    article_requests: Counter[str]


def backfill_command(sample_site: SampleSite, output: Path) -> list[str]:
    head = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["345"])[130])
    assert head
    since = ("--since", f"{head.published_at:%Y-%m-%d %H:%M}")
    target_args = ("--mirror", sample_site.url, "--output", str(output), "--column", ",".join(COLUMNS))
    return [sys.executable, "-m", "crawler", "crawl", *target_args, *since, *FAST_SETTINGS, "--quiet"]


def requests_made(sample_site: SampleSite) -> tuple[list[tuple[str, str]], Counter[str]]:
    pages = [
        (hit.query["column"], hit.query["page_index"]) for hit in sample_site.requests if "page_index" in hit.query
    ]
    return sorted(pages), Counter(
        hit.path.removeprefix(ARTICLE_API_PATH) for hit in sample_site.requests if ARTICLE_API_PATH in hit.path
    )


def read_state(sample_site: SampleSite, output: Path) -> BackfillState:
    query = query_function(output / "news.db")
    files = {
        str(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and not path.name.startswith(("news.db", ".crawl.lock"))
    }
    return BackfillState([query(sql) for sql in SELECT_STATE], files, *requests_made(sample_site))


@pytest.fixture(scope="module")
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(500)) as served:
        yield served


@pytest.fixture(scope="module")
def uninterrupted(sample_site: SampleSite, tmp_path_factory: pytest.TempPathFactory) -> BackfillState:
    output = tmp_path_factory.mktemp("undisturbed") / "output"
    sample_site.reset()
    assert wait_for_exit(start_process(backfill_command(sample_site, output))).exit_code == 0
    return read_state(sample_site, output)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda signum: signum.name)
def test_interrupted_backfill_resumes(
    sample_site: SampleSite, uninterrupted: BackfillState, output: Path, signum: signal.Signals
) -> None:
    """Both crawls fetch each article once, except open requests; the listings are read again."""
    sample_site.reset()
    held_after = len(uninterrupted.article_requests) // 2
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=held_after)
    crawl_process = start_process(backfill_command(sample_site, output))
    # Some of the fetched details may wait for a request of the page with their text.
    wait_until(
        lambda: (
            len(held_responses.held_requests) == CONCURRENT_REQUESTS
            and count_saved_articles(output) >= held_after - CONCURRENT_REQUESTS
        )
    )
    os.kill(crawl_process.pid, signum)
    exit_codes = {signal.SIGINT: 130, signal.SIGTERM: 1, signal.SIGKILL: -signal.SIGKILL}
    assert wait_for_exit(crawl_process).exit_code == exit_codes[signum]
    held_responses.release()
    saved_codes = set(query_copy(output, "SELECT code FROM articles"))
    first_requests = requests_made(sample_site)[1]
    in_flight = set(first_requests) - saved_codes
    assert in_flight >= {hit.path.removeprefix(ARTICLE_API_PATH) for hit in held_responses.held_requests}
    assert len(in_flight) <= 2 * CONCURRENT_REQUESTS

    plan = wait_for_exit(start_process([*backfill_command(sample_site, output), "--plan", "--json"])).json

    sample_site.reset()
    assert wait_for_exit(start_process(backfill_command(sample_site, output))).exit_code == 0
    resumed = read_state(sample_site, output)
    assert resumed.article_requests == uninterrupted.article_requests - Counter(saved_codes)
    assert set(first_requests) & set(resumed.article_requests) == in_flight
    assert resumed.requested_pages == uninterrupted.requested_pages
    assert plan["pages"] == pytest.approx(len(resumed.requested_pages), abs=2)
    assert plan["articles"] == pytest.approx(len(resumed.article_requests), rel=0.2)
    assert (resumed.rows, resumed.files) == (uninterrupted.rows, uninterrupted.files)
    assert_outcomes_add_up(query_function(output / "news.db"))
    assert_posts_match_rows(output)
