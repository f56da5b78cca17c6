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
from tests.conftest import DETAIL, waited_for
from tests.crash.conftest import (
    Posts,
    asker,
    assert_healed,
    assert_sound,
    command,
    crawl_once,
    ended,
    look,
    start,
    visible,
)

KILLS = int(os.environ.get("FINEWS_KILLS", "12"))
# So many in one output folder; then a new one is begun, so that the making of the database is hit often, too.
KILLS_IN_A_FOLDER = 12
# Some of them end before their moment comes.
MOST_CRAWLS = 2 * KILLS_IN_A_FOLDER
KILLS_OF_CORRECTIONS = 4
# What is published before each crawl, so that each has as much to do.
NEW_ARTICLES = 15


@dataclass(frozen=True)
class Undisturbed:
    """What a crawl leaves that nobody kills, how long one takes, and when it sends its first request."""

    posts: Posts
    seconds: float
    first_request: float

    def moments(self, random: Random) -> Iterator[float]:
        """Two anywhere between the start and the end of a crawl, then two while what was left is being set right."""
        while True:
            yield random.uniform(0, self.seconds)
            yield random.uniform(0, self.seconds)
            yield random.uniform(self.first_request * 0.75, self.first_request)
            yield random.uniform(self.first_request * 0.75, self.first_request)


def sizes(kills: int, most: int) -> list[int]:
    """So many kills, in folders of at most so many.

    >>> sizes(30, 12)
    [12, 12, 6]
    """
    return [min(most, kills - done) for done in range(0, kills, most)]


def measured(site: SampleSite, output: Path) -> tuple[float, float]:
    begin = time.monotonic()
    crawl_once(site, output)
    return time.monotonic() - begin, site.requests[0].received_at - begin


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Of all articles that a folder of kills can see, in one crawl; timed with as many as one of its crawls has."""
    with SampleSite(Corpus.sample(0)) as site:
        site.corpus.publish(NEW_ARTICLES)
        seconds, first_request = measured(site, tmp_path_factory.mktemp("short") / "output")
        site.corpus.publish(NEW_ARTICLES * (MOST_CRAWLS - 1))
        output = tmp_path_factory.mktemp("whole") / "output"
        crawl_once(site, output)
    return Undisturbed(visible(output), seconds, first_request)


def killed(words: list[str], moment: float) -> bool:
    """Whether a crawl could be killed so long after its start; it may have ended before."""
    process = start(words)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    answer = ended(process)
    assert answer.code in {0, -signal.SIGKILL}, answer.err
    return answer.code != 0


def fetched_since(site: SampleSite, first: int) -> list[str]:
    """The articles that were asked for, once for each request that the site has taken note of."""
    # A request that a killed crawl sent last may still be on its way to the site.
    waited_for(lambda: site.is_idle)
    return [hit.path.removeprefix(DETAIL) for hit in site.requests[first:] if hit.path.startswith(DETAIL)]


def assert_fetched_once(site: SampleSite, in_flight: Counter[str]) -> None:
    """More often only where a kill came between the request and the row."""
    for code, times in Counter(fetched_since(site, 0)).items():
        assert times <= 1 + in_flight[code], f"{code} was fetched {times} times"


@pytest.mark.parametrize(("folder", "kills"), list(enumerate(sizes(KILLS, KILLS_IN_A_FOLDER))))
def test_whatever_moment_a_crawl_is_killed_at_nothing_is_torn_lost_or_doubled(
    folder: int, kills: int, output: Path, undisturbed: Undisturbed
) -> None:
    moments, pace = undisturbed.moments(Random(folder)), 1.0
    in_flight: Counter[str] = Counter()
    with SampleSite(Corpus.sample(0)) as site:
        for _ in range(MOST_CRAWLS):
            site.corpus.publish(NEW_ARTICLES)
            if not kills:
                continue
            first, begin = len(site.requests), time.monotonic()
            if killed(command(site, output), next(moments) * pace):
                kills -= 1
                assert_sound(output, undisturbed.posts)
                known = look(output, "SELECT code FROM sightings")
                in_flight.update(set(fetched_since(site, first)) - set(known))
            else:  # the machine may have become faster since the crawl that was timed
                pace = min(pace, (time.monotonic() - begin) / undisturbed.seconds)
        assert not kills, "too many crawls ended before they were killed"
        crawl_once(site, output)
        assert_fetched_once(site, in_flight)
    assert_healed(output, undisturbed.posts)


@dataclass(frozen=True)
class Corrected:
    """A folder with articles, all of which an editor has changed since, and what an undisturbed crawl makes of it."""

    site: SampleSite
    before: Path
    after: Path
    seconds: float
    first_request: float


REVISIONS = "SELECT code, revision, title, published_at, body_html FROM revisions ORDER BY code, revision"
ARTICLES = "SELECT code, revision, title, published_at, body_html, post_path FROM articles ORDER BY code"


def edit_all(corpus: Corpus) -> None:
    for code in list(corpus):
        article = corpus.find_article(code)
        assert article
        corpus.replace(code, title=f"更正：{article.title}", published_at=article.published_at + timedelta(minutes=1))


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corrected]:
    before, after = (tmp_path_factory.mktemp(name) / "output" for name in ("before", "after"))
    with SampleSite(Corpus.sample(12)) as site:
        crawl_once(site, before)
        edit_all(site.corpus)
        shutil.copytree(before, after)
        site.reset()
        seconds, first_request = measured(site, after)
        assert len(asker(after / "news.db")(REVISIONS)) > 10
        yield Corrected(site, before, after, seconds, first_request)


@pytest.mark.parametrize(("folder", "kills"), list(enumerate(sizes(KILLS // 3, KILLS_OF_CORRECTIONS))))
def test_a_crawl_of_corrections_that_is_killed_leaves_each_post_old_or_new_and_each_old_text_once(
    folder: int, kills: int, output: Path, corrected: Corrected
) -> None:
    old, new = visible(corrected.before), visible(corrected.after)
    shutil.copytree(corrected.before, output)
    random = Random(folder)
    for _ in range(kills):
        killed(command(corrected.site, output), random.uniform(corrected.first_request * 0.75, corrected.seconds))
        assert_sound(output, old, new)
    crawl_once(corrected.site, output)
    assert_healed(output, new)

    def texts(folder: Path) -> list[list[Any]]:
        query = asker(folder / "news.db")
        return [query(REVISIONS), query(ARTICLES)]

    assert texts(output) == texts(corrected.after)
