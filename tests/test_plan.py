"""What a plan makes of the first pages, and what `finews crawl --plan` says against what the crawl then asks for."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import pytest
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ, format_iso
from crawler.crawl.planner import read_throttle
from crawler.crawl.policy.estimate import (
    ColumnPlan,
    FirstPage,
    PlanInputs,
    Precision,
    RemainingWork,
    Throttle,
    estimate_columns,
    estimate_remaining,
)
from crawler.crawl.policy.pagination import ListingPaginator
from crawler.crawl.policy.selection import Selection
from crawler.items import Coverage, KnownArticle, ListingEntry, ListingSize
from crawler.sample_site import SampleSite, return_body, return_status
from tests.conftest import NO_MANNERS, Answer, Finews

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)
MINUTE = timedelta(minutes=1)


def page(column: str, numbers: Sequence[int], **of: Any) -> list[ListingEntry]:
    """Entries, one a minute: number 0 is the newest."""
    return [
        ListingEntry(f"{2026 * 10**14 + number:018}", "题", NOON - number * MINUTE, column, "http://x", **of)
        for number in numbers
    ]


def known(entries: Sequence[ListingEntry]) -> dict[str, KnownArticle]:
    return {
        entry.code: KnownArticle("eastmoney", False, entry.title, format_iso(entry.published), "") for entry in entries
    }


def asked(
    *columns: str,
    covered: Mapping[str, Coverage] | None = None,
    known_ahead: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    categories: Sequence[str] = (),
) -> PlanInputs:
    media = CategoryRegistry()
    selection = Selection(tuple(columns), tuple(map(media.resolve_or_create, categories)), since, until, limit)
    names = dict.fromkeys(columns, "")
    return PlanInputs("eastmoney", names, frozenset(), selection, media, covered or {}, lambda *_: known_ahead)


def plan(pages: Sequence[FirstPage], **of: Any) -> list[ColumnPlan]:
    return estimate_columns(pages, asked(*(page.column for page in pages), **of))


def numbers(planned: ColumnPlan) -> tuple[int, Precision, int, Precision]:
    return planned.pages, planned.pages_precision, planned.articles, planned.articles_precision


def walk(
    of: Sequence[ListingEntry], *, extent: ListingSize | None = None, since: datetime | None = None
) -> ListingPaginator:
    walked = ListingPaginator(since=since)
    assert walked.wants_next_page(of, has_new_entries=True, all_known=False, is_last_page=False, listing_size=extent)
    return walked


def test_what_ends_on_its_first_page_is_counted() -> None:
    (planned,) = plan([FirstPage("345", page("345", range(30)), {}, is_last_page=True)])
    assert numbers(planned) == (1, Precision.COUNTED, 30, Precision.COUNTED)


def test_what_is_walked_to_its_end_is_counted_where_the_source_counts() -> None:
    (planned,) = plan(
        [FirstPage("345", page("345", range(100)), {}, is_last_page=False, listing_size=ListingSize(730, 8))]
    )
    assert numbers(planned) == (8, Precision.COUNTED, 730, Precision.COUNTED)


def test_without_a_count_nobody_knows_more_than_the_first_page() -> None:
    (planned,) = plan([FirstPage("102", page("102", range(50)), {}, is_last_page=False)])
    assert numbers(planned) == (2, Precision.AT_LEAST, 50, Precision.AT_LEAST)


def test_how_far_back_a_day_lies_is_estimated_by_the_pace_of_the_first_page() -> None:
    since = NOON - 450 * MINUTE
    (planned,) = plan([FirstPage("345", page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since)
    assert (planned.pages, planned.pages_precision, planned.articles_precision) == (
        5,
        Precision.ESTIMATED,
        Precision.ESTIMATED,
    )
    assert planned.articles == pytest.approx(450, abs=10)
    assert not planned.ends_early


def test_a_listing_is_no_longer_than_the_source_counts() -> None:
    since = NOON - 45_000 * MINUTE
    (planned,) = plan([FirstPage("345", page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since)
    assert numbers(planned) == (50, Precision.ESTIMATED, 5000, Precision.ESTIMATED)
    assert planned.ends_early


def test_known_articles_take_pages_and_no_request_of_their_own() -> None:
    entries = page("345", range(100))
    first = FirstPage("345", entries, known(entries), is_last_page=False, listing_size=ListingSize(730, 8))
    (planned,) = plan([first], known_ahead=400)
    assert numbers(planned) == (8, Precision.COUNTED, 230, Precision.ESTIMATED)


def test_what_is_covered_ends_the_walk() -> None:
    """News fill the first page and half of the second; the third holds nothing new."""
    covered = {"345": Coverage(NOON - 150 * MINUTE, None)}
    (planned,) = plan([FirstPage("345", page("345", range(100)), {}, False, ListingSize(5000, 50))], covered=covered)
    assert planned.pages == 3
    assert planned.articles == pytest.approx(150, abs=5)
    entries = page("345", range(100))
    (nothing_new,) = plan(
        [FirstPage("345", entries, known(entries), False, ListingSize(5000, 50))], covered={"345": Coverage(NOON, None)}
    )
    assert numbers(nothing_new) == (1, Precision.COUNTED, 0, Precision.COUNTED)


def test_an_article_of_two_listings_is_the_first_ones() -> None:
    pages = [
        FirstPage("344", page("344", range(40)), {}, is_last_page=True),
        FirstPage("345", page("345", range(20, 60)), {}, is_last_page=True),
    ]
    assert [numbers(planned) for planned in plan(pages)] == [
        (1, Precision.COUNTED, 40, Precision.COUNTED),
        (1, Precision.COUNTED, 20, Precision.COUNTED),
    ]


def test_what_two_listings_share_is_estimated_by_the_time_that_both_pages_tell_of() -> None:
    """The second names each third minute, all of which the first names too, but for those that end with 9."""
    first = page("344", [number for number in range(111) if number % 10 != 9])
    second = page("345", range(0, 300, 3))
    pages = [
        FirstPage("344", first, {}, False, ListingSize(900, 9)),
        FirstPage("345", second, {}, False, ListingSize(333, 4)),
    ]
    planned = plan(pages)
    assert numbers(planned[0]) == (9, Precision.COUNTED, 900, Precision.COUNTED)
    assert numbers(planned[1])[:2] == (4, Precision.COUNTED)
    assert planned[1].articles == pytest.approx(33, abs=4)
    assert planned[1].articles_precision is Precision.ESTIMATED


def test_a_limit_ends_the_walks_on_their_way() -> None:
    pages = [FirstPage(column, page(column, range(100)), {}, False, ListingSize(5000, 50)) for column in ("344", "345")]
    assert [numbers(planned)[::2] for planned in plan(pages, limit=30)] == [(1, 30), (1, 0)]
    assert [numbers(planned)[::2] for planned in plan(pages, limit=100)] == [(1, 100), (1, 0)]
    assert plan(pages[:1], limit=350)[0].pages == 4
    assert plan(pages[:1], limit=350)[0].articles == 350


def test_only_what_is_wanted_is_expected() -> None:
    entries = [*page("345", range(20), media="财联社"), *page("345", range(20, 100), media="中国网")]
    first = FirstPage("345", entries, {}, is_last_page=False, listing_size=ListingSize(500, 5))
    (of_one_paper,) = plan([first], categories=["财联社"])
    assert numbers(of_one_paper) == (5, Precision.COUNTED, 100, Precision.ESTIMATED)
    (older,) = plan([first], until=NOON - 300 * MINUTE)
    assert older.articles == pytest.approx(200, abs=10)


@pytest.mark.parametrize("minutes", [[7] * 9, [3, 5, 4]], ids=["all at once", "out of order"])
def test_where_there_is_no_pace_the_count_is_all_that_is_known(minutes: list[int]) -> None:
    entries = [entry for number in range(3) for entry in page("345", minutes)[number : number + 1]]
    rest = estimate_remaining(walk(entries, extent=ListingSize(90, 30), since=NOON - 10_000 * MINUTE))
    assert rest == RemainingWork(29, 87, Precision.ESTIMATED)


def test_an_old_entry_on_top_or_at_the_foot_says_nothing_of_the_pace() -> None:
    pinned = [*page("345", range(99)), *page("345", [500_000])]
    assert estimate_remaining(walk(pinned[::-1], since=NOON - 450 * MINUTE)).pages == pytest.approx(4, abs=1)


@pytest.mark.parametrize(
    ("of", "latency", "seconds"),
    [
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 0.1, 0.25),
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 1.2, 0.6),
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 200.0, 50.0),
        (Throttle(0.25, 0.0, 4), 1.2, 0.3),
        (Throttle(0.0, 0.5, 4), 0.1, 0.025),
    ],
    ids=["a quick source", "a slow one", "one that is in trouble", "no throttle", "no delay"],
)
def test_the_time_between_two_requests_is_the_longest_that_a_manner_asks_for(
    of: Throttle, latency: float, seconds: float
) -> None:
    assert of.seconds_between(latency) == pytest.approx(seconds)


def test_a_delay_that_is_drawn_anew_while_it_is_waited_for_is_longer() -> None:
    """As Scrapy does it: `Downloader._process_queue` draws at each turn, and waits for what is missing."""
    draw = Random(1).uniform
    waits = []
    for _ in range(20_000):
        waited = 0.0
        while (delay := 0.25 * (1 + draw(-0.5, 0.5))) > waited:
            waited = delay
        waits.append(waited)
    assert Throttle(0.25, 0.5, 4).seconds_between(0.01) == pytest.approx(mean(waits), rel=0.01)


def test_manners_are_those_of_the_settings() -> None:
    settings = Settings()
    settings.setmodule(our_settings)
    assert read_throttle(settings) == Throttle(0.25, 0.5, 4, 2.0, 30.0)
    settings.update({"AUTOTHROTTLE_ENABLED": False, "CONCURRENT_REQUESTS": 0, "CONCURRENT_REQUESTS_PER_DOMAIN": 2})
    assert read_throttle(settings) == Throttle(0.25, 0.5, 2, None, 30.0)


# the whole command


@pytest.fixture
def crawl_plan(finews: Finews, site: SampleSite, output: Path) -> Finews:
    def run(spider: str = "eastmoney", *words: str) -> Answer:
        where = ("--mirror", site.url, "--output", str(output))
        return finews("crawl", spider, "--plan", *where, *NO_MANNERS, "--json", *words)

    return run


def pages_asked(site: SampleSite) -> int:
    return sum("article" not in hit.path and "robots" not in hit.path and "GetNewsText" not in hit.path and not hit.path.startswith("/a/") for hit in site.requests)  # fmt: skip


def both(plan: Answer, crawl: Finews, site: SampleSite, *words: str) -> tuple[int, int, int]:
    """A crawl after a plan: its pages, the articles that it asked for, and its requests."""
    assert plan.code == 0, plan.err
    assert len(site.requests) == plan.value["asked"]
    site.reset()
    assert crawl(*words).code in {0, 3}
    return pages_asked(site), len(set(site.requested_codes)), len(site.requests)


@pytest.mark.parametrize("spider", ["eastmoney", "choice"])
def test_what_is_counted_is_what_the_crawl_asks_for(
    crawl_plan: Finews, crawl: Finews, site: SampleSite, spider: str
) -> None:
    plan = crawl_plan(spider)
    pages, articles, requests = both(plan, crawl, site, spider)
    assert plan.value["requests_precision"] == "counted"
    assert (plan.value["pages"], plan.value["articles"]) == (pages, articles)
    # Where the detail has no text, the page is asked for, too.
    assert plan.value["requests"] == requests - (len(site.requested_codes) - articles)


def test_a_listing_is_counted_to_its_end(crawl_plan: Finews, crawl: Finews, site: SampleSite) -> None:
    site.corpus.publish(700)
    words = ("eastmoney", "--column", "345")
    plan = crawl_plan(*words)
    assert both(plan, crawl, site, *words)[:2] == (plan.value["pages"], plan.value["articles"])
    assert plan.value["pages"] >= 3
    assert plan.value["requests_precision"] == "counted"


def test_an_estimate_is_near_what_the_crawl_asks_for(crawl_plan: Finews, crawl: Finews, site: SampleSite) -> None:
    """The sample's articles come at an even pace: a page and a tenth is all that it is wrong by."""
    site.corpus.publish(900)
    head = site.corpus.find_listed(site.corpus.codes_in_columns(["344"])[160])
    assert head
    words = ("eastmoney", "--since", f"{head.published_at:%Y-%m-%d %H:%M}")
    plan = crawl_plan(*words)
    pages, articles, _ = both(plan, crawl, site, *words)
    assert plan.value["requests_precision"] == "estimated"
    assert plan.value["pages"] == pytest.approx(pages, abs=7)
    assert plan.value["articles"] == pytest.approx(articles, rel=0.1)


def test_fast_news_have_no_count(crawl_plan: Finews, crawl: Finews, site: SampleSite) -> None:
    site.corpus.publish(700)
    plan = crawl_plan("flash")
    assert (plan.value["pages"], plan.value["requests_precision"]) == (2, "at least")
    since = ("flash", "--since", "2026-09-19")
    plan = crawl_plan(*since)
    site.reset()
    crawl(*since)
    assert plan.value["requests"] == pytest.approx(len(site.requests), abs=1)


def test_a_plan_after_a_crawl_expects_what_is_new(crawl_plan: Finews, crawl: Finews, site: SampleSite) -> None:
    crawl()
    site.reset()
    again = crawl_plan()
    assert (again.value["pages"], again.value["articles"], again.value["requests_precision"]) == (7, 0, "counted")
    site.corpus.publish(20)
    site.reset()
    plan = crawl_plan()
    assert both(plan, crawl, site)[:2] == (plan.value["pages"], plan.value["articles"])
    assert plan.value["articles"] == 20


def test_refresh_counts_what_is_fetched_again(crawl_plan: Finews, crawl: Finews, site: SampleSite) -> None:
    crawl()
    words = ("eastmoney", "--refresh", "2026-09-18 21:00")
    site.reset()
    plan = crawl_plan(*words)
    assert both(plan, crawl, site, *words)[1] == plan.value["articles"] > 0


def test_a_plan_writes_nothing(crawl_plan: Finews, crawl: Finews, site: SampleSite, output: Path) -> None:
    assert crawl_plan().code == 0
    assert not output.exists()
    crawl()
    site.corpus.publish(20)
    before = fingerprints(output)
    assert crawl_plan().value["articles"] == 20
    assert fingerprints(output) == before


def fingerprints(folder: Path) -> dict[Path, str]:
    """But for the two files that SQLite has beside a database while somebody reads it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"news.db-wal", "news.db-shm"})
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_plan_goes_on_beside_a_crawl(crawl_plan: Finews, crawl: Finews, output: Path) -> None:
    """Which holds the folder; a plan needs no more than to read it."""
    from crawler.storage.output_dir import OutputDir

    crawl()
    with OutputDir.lock(output):
        assert crawl_plan().code == 0


@pytest.mark.parametrize(
    ("words", "fault", "code"),
    [
        (("--column", "nosuch"), "", 2),
        ((), "getNewsByColumns", 1),
        ((), "column=345", 3),
        (("--limit", "5"), "", 0),
    ],
    ids=["wrong usage", "no listing", "one listing less", "done"],
)
def test_a_plan_ends_with_the_exit_codes_of_a_crawl(
    crawl_plan: Finews, site: SampleSite, words: tuple[str, ...], fault: str, code: int
) -> None:
    if fault:
        site.add_fault(fault, return_status(503))
    answer = crawl_plan("eastmoney", *words)
    assert answer.code == code
    assert answer.err.startswith("finews: ") == (code != 0)


def test_a_plan_obeys_robots_txt(crawl_plan: Finews, site: SampleSite) -> None:
    site.add_fault("robots.txt", return_body(b"User-agent: finews\nDisallow: /comm/\n", "text/plain"))
    assert crawl_plan().code == 1
    assert [hit.path for hit in site.requests] == ["/robots.txt"]


def test_a_plan_is_told_to_a_person(finews: Finews, site: SampleSite, output: Path) -> None:
    answer = finews("crawl", "--plan", "--mirror", site.url, "--output", str(output), "--column", "345")
    head, row, requests, time = answer.out.splitlines()
    assert head.split() == [
        "column_id",
        "name",
        "pages",
        "pages_precision",
        "articles",
        "articles_precision",
        "back_to",
    ]
    assert row.split()[:4] == ["345", "资讯精华", "1", "counted"]
    assert requests.startswith("eastmoney: ")
    assert time.startswith("time: about ")
    assert "with 0.3 s between two requests" in time


def test_only_a_crawl_has_a_plan(finews: Finews) -> None:
    assert finews("crawl", "--distributed", "--plan").code == 2
