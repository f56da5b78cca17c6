"""A real crawl is killed with SIGKILL at random moments, again and again, and the next one sets everything right.

FINEWS_KILLS says how often; `make crash-test` kills 200 times.
"""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import ARTICLE_API_PATH
from tests.support.crash import (
    PostContents,
    assert_consistent,
    assert_recovered,
    crawl_command,
    query_copy,
    read_posts,
    run_crawl,
    start_process,
    wait_for_exit,
)
from tests.support.database import query_function
from tests.support.waiting import wait_until

TOTAL_KILLS = int(os.environ.get("FINEWS_KILLS", "12"))
# Kills per output folder; new folders are begun often, so the creation of the database is interrupted, too.
KILLS_PER_FOLDER = 12
# Some of them end before their moment comes.
MAX_CRAWLS_PER_FOLDER = 2 * KILLS_PER_FOLDER
CORRECTION_KILLS_PER_FOLDER = 4
# Articles published before each crawl, so each has the same amount of work.
NEW_ARTICLES_PER_CRAWL = 15


@dataclass(frozen=True)
class BaselineCrawl:
    """The result of a crawl that is not killed, its duration, and the time of its first request."""

    posts: PostContents
    seconds: float
    first_request: float

    def kill_times(self, random: Random) -> Iterator[float]:
        """Two anywhere between the start and the end of a crawl, then two while what was left is being set right."""
        while True:
            yield random.uniform(0, self.seconds)
            yield random.uniform(0, self.seconds)
            yield random.uniform(self.first_request * 0.75, self.first_request)
            yield random.uniform(self.first_request * 0.75, self.first_request)


def split_kills(kills: int, max_per_folder: int) -> list[int]:
    """Split the number of kills into folders of at most a given number.

    >>> split_kills(30, 12)
    [12, 12, 6]
    """
    return [min(max_per_folder, kills - offset) for offset in range(0, kills, max_per_folder)]


def time_crawl(sample_site: SampleSite, output: Path) -> tuple[float, float]:
    started_at = time.monotonic()
    result = wait_for_exit(start_process(crawl_command(sample_site, output)))
    assert (result.exit_code, result.stderr) == (0, "")
    return time.monotonic() - started_at, sample_site.requests[0].received_at - started_at


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> BaselineCrawl:
    """Of all articles that a folder of kills can see, in one crawl; timed with as many as one of its crawls has."""
    with SampleSite(Corpus.sample(0)) as sample_site:
        sample_site.corpus.publish(NEW_ARTICLES_PER_CRAWL)
        seconds, first_request = time_crawl(sample_site, tmp_path_factory.mktemp("short") / "output")
        sample_site.corpus.publish(NEW_ARTICLES_PER_CRAWL * (MAX_CRAWLS_PER_FOLDER - 1))
        output = tmp_path_factory.mktemp("whole") / "output"
        run_crawl(sample_site, output)
    return BaselineCrawl(read_posts(output), seconds, first_request)


def kill_after(args: list[str], delay: float) -> bool:
    """Kill a crawl `delay` seconds after its start; return False if it had ended before."""
    process = start_process(args)
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    result = wait_for_exit(process)
    assert result.exit_code in {0, -signal.SIGKILL}, result.stderr
    return result.exit_code != 0


def articles_requested_since(sample_site: SampleSite, request_index: int) -> list[str]:
    """Return the codes of the requested articles, once per recorded request."""
    # A request that a killed crawl sent last may still be on its way to the site.
    wait_until(lambda: sample_site.is_idle)
    return [
        hit.path.removeprefix(ARTICLE_API_PATH)
        for hit in sample_site.requests[request_index:]
        if hit.path.startswith(ARTICLE_API_PATH)
    ]


def assert_fetched_once(sample_site: SampleSite, in_flight: Counter[str]) -> None:
    """More often only where a kill came between the request and the row."""
    for code, times in Counter(articles_requested_since(sample_site, 0)).items():
        assert times <= 1 + in_flight[code], f"{code} was fetched {times} times"


@pytest.mark.parametrize(("folder", "kills"), list(enumerate(split_kills(TOTAL_KILLS, KILLS_PER_FOLDER))))
def test_kill_at_any_moment_loses_and_duplicates_nothing(
    folder: int, kills: int, output: Path, baseline: BaselineCrawl
) -> None:
    kill_times, speed_factor = baseline.kill_times(Random(folder)), 1.0
    in_flight: Counter[str] = Counter()
    with SampleSite(Corpus.sample(0)) as sample_site:
        for _ in range(MAX_CRAWLS_PER_FOLDER):
            sample_site.corpus.publish(NEW_ARTICLES_PER_CRAWL)
            if not kills:
                continue
            first_request_index, started_at = len(sample_site.requests), time.monotonic()
            if kill_after(crawl_command(sample_site, output), next(kill_times) * speed_factor):
                kills -= 1
                assert_consistent(output, baseline.posts)
                saved_codes = query_copy(output, "SELECT code FROM sightings")
                in_flight.update(set(articles_requested_since(sample_site, first_request_index)) - set(saved_codes))
            else:  # the machine may have become faster since the crawl that was timed
                speed_factor = min(speed_factor, (time.monotonic() - started_at) / baseline.seconds)
        assert not kills, "too many crawls ended before they were killed"
        run_crawl(sample_site, output)
        assert_fetched_once(sample_site, in_flight)
    assert_recovered(output, baseline.posts)


@dataclass(frozen=True)
class CorrectionScenario:
    """A folder with articles, all of which an editor has changed since, and what an undisturbed crawl makes of it."""

    site: SampleSite
    before_dir: Path
    after_dir: Path
    seconds: float
    first_request: float


SELECT_REVISIONS = "SELECT code, revision, title, published_at, body_html FROM revisions ORDER BY code, revision"
SELECT_ARTICLES = "SELECT code, revision, title, published_at, body_html, post_path FROM articles ORDER BY code"


def edit_all(corpus: Corpus) -> None:
    for code in list(corpus):
        article = corpus.find_article(code)
        assert article
        corpus.replace(code, title=f"更正：{article.title}", published_at=article.published_at + timedelta(minutes=1))


@pytest.fixture(scope="module")
def correction_scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CorrectionScenario]:
    before, after = (tmp_path_factory.mktemp(name) / "output" for name in ("before", "after"))
    with SampleSite(Corpus.sample(12)) as sample_site:
        run_crawl(sample_site, before)
        edit_all(sample_site.corpus)
        shutil.copytree(before, after)
        sample_site.reset()
        seconds, first_request = time_crawl(sample_site, after)
        assert len(query_function(after / "news.db")(SELECT_REVISIONS)) > 10
        yield CorrectionScenario(sample_site, before, after, seconds, first_request)


@pytest.mark.parametrize(
    ("folder", "kills"), list(enumerate(split_kills(TOTAL_KILLS // 3, CORRECTION_KILLS_PER_FOLDER)))
)
def test_killed_correction_crawl_leaves_old_or_new_posts_and_one_revision_each(
    folder: int, kills: int, output: Path, correction_scenario: CorrectionScenario
) -> None:
    old_posts, new_posts = read_posts(correction_scenario.before_dir), read_posts(correction_scenario.after_dir)
    shutil.copytree(correction_scenario.before_dir, output)
    random = Random(folder)
    for _ in range(kills):
        kill_after(
            crawl_command(correction_scenario.site, output),
            random.uniform(correction_scenario.first_request * 0.75, correction_scenario.seconds),
        )
        assert_consistent(output, old_posts, new_posts)
    run_crawl(correction_scenario.site, output)
    assert_recovered(output, new_posts)

    def revisions_and_articles(folder: Path) -> list[list[Any]]:
        query = query_function(folder / "news.db")
        return [query(SELECT_REVISIONS), query(SELECT_ARTICLES)]

    assert revisions_and_articles(output) == revisions_and_articles(correction_scenario.after_dir)
