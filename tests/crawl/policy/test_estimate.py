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
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)
MINUTE = timedelta(minutes=1)


def entries_of_page(column: str, numbers: Sequence[int], **fields: Any) -> list[ListingEntry]:
    """Entries, one a minute: number 0 is the newest."""
    return [
        ListingEntry(f"{2026 * 10**14 + number:018}", "题", NOON - number * MINUTE, column, "http://x", **fields)
        for number in numbers
    ]


def known_articles(entries: Sequence[ListingEntry]) -> dict[str, KnownArticle]:
    return {
        entry.code: KnownArticle("eastmoney", False, entry.title, format_iso(entry.published), "") for entry in entries
    }


def plan_inputs(
    *columns: str,
    covered: Mapping[str, Coverage] | None = None,
    known_ahead: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    categories: Sequence[str] = (),
) -> PlanInputs:
    registry = CategoryRegistry()
    selection = Selection(tuple(columns), tuple(map(registry.resolve_or_create, categories)), since, until, limit)
    column_names = dict.fromkeys(columns, "")
    return PlanInputs(
        "eastmoney", column_names, frozenset(), selection, registry, covered or {}, lambda *_: known_ahead
    )


def estimate_first_pages(pages: Sequence[FirstPage], **options: Any) -> list[ColumnPlan]:
    return estimate_columns(pages, plan_inputs(*(page.column for page in pages), **options))


def counts_and_precisions(planned: ColumnPlan) -> tuple[int, Precision, int, Precision]:
    return planned.pages, planned.pages_precision, planned.articles, planned.articles_precision


def paginator_after_page(
    entries: Sequence[ListingEntry], *, listing_size: ListingSize | None = None, since: datetime | None = None
) -> ListingPaginator:
    paginator = ListingPaginator(since=since)
    assert paginator.wants_next_page(
        entries, has_new_entries=True, all_known=False, is_last_page=False, listing_size=listing_size
    )
    return paginator


def test_one_page_listing_is_counted() -> None:
    (planned,) = estimate_first_pages([FirstPage("345", entries_of_page("345", range(30)), {}, is_last_page=True)])
    assert counts_and_precisions(planned) == (1, Precision.COUNTED, 30, Precision.COUNTED)


def test_complete_listing_is_counted_by_the_source() -> None:
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, is_last_page=False, listing_size=ListingSize(730, 8))]
    )
    assert counts_and_precisions(planned) == (8, Precision.COUNTED, 730, Precision.COUNTED)


def test_listing_without_count_is_at_least_the_first_page() -> None:
    (planned,) = estimate_first_pages([FirstPage("102", entries_of_page("102", range(50)), {}, is_last_page=False)])
    assert counts_and_precisions(planned) == (2, Precision.AT_LEAST, 50, Precision.AT_LEAST)


def test_since_is_estimated_by_the_rate_of_the_first_page() -> None:
    since = NOON - 450 * MINUTE
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since
    )
    assert (planned.pages, planned.pages_precision, planned.articles_precision) == (
        5,
        Precision.ESTIMATED,
        Precision.ESTIMATED,
    )
    assert planned.articles == pytest.approx(450, abs=10)
    assert not planned.ends_early


def test_estimate_is_capped_by_the_sources_count() -> None:
    since = NOON - 45_000 * MINUTE
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], since=since
    )
    assert counts_and_precisions(planned) == (50, Precision.ESTIMATED, 5000, Precision.ESTIMATED)
    assert planned.ends_early


def test_known_articles_take_pages_but_no_requests() -> None:
    entries = entries_of_page("345", range(100))
    first_page = FirstPage(
        "345", entries, known_articles(entries), is_last_page=False, listing_size=ListingSize(730, 8)
    )
    (planned,) = estimate_first_pages([first_page], known_ahead=400)
    assert counts_and_precisions(planned) == (8, Precision.COUNTED, 230, Precision.ESTIMATED)


def test_covered_range_ends_pagination() -> None:
    """News fill the first page and half of the second; the third holds nothing new."""
    covered = {"345": Coverage(NOON - 150 * MINUTE, None)}
    (planned,) = estimate_first_pages(
        [FirstPage("345", entries_of_page("345", range(100)), {}, False, ListingSize(5000, 50))], covered=covered
    )
    assert planned.pages == 3
    assert planned.articles == pytest.approx(150, abs=5)
    entries = entries_of_page("345", range(100))
    (nothing_new,) = estimate_first_pages(
        [FirstPage("345", entries, known_articles(entries), False, ListingSize(5000, 50))],
        covered={"345": Coverage(NOON, None)},
    )
    assert counts_and_precisions(nothing_new) == (1, Precision.COUNTED, 0, Precision.COUNTED)


def test_article_in_two_listings_counts_for_the_first() -> None:
    pages = [
        FirstPage("344", entries_of_page("344", range(40)), {}, is_last_page=True),
        FirstPage("345", entries_of_page("345", range(20, 60)), {}, is_last_page=True),
    ]
    assert [counts_and_precisions(planned) for planned in estimate_first_pages(pages)] == [
        (1, Precision.COUNTED, 40, Precision.COUNTED),
        (1, Precision.COUNTED, 20, Precision.COUNTED),
    ]


def test_overlap_of_two_listings_is_estimated_from_their_common_period() -> None:
    """The second names each third minute, all of which the first names too, but for those that end with 9."""
    first = entries_of_page("344", [number for number in range(111) if number % 10 != 9])
    second = entries_of_page("345", range(0, 300, 3))
    pages = [
        FirstPage("344", first, {}, False, ListingSize(900, 9)),
        FirstPage("345", second, {}, False, ListingSize(333, 4)),
    ]
    planned = estimate_first_pages(pages)
    assert counts_and_precisions(planned[0]) == (9, Precision.COUNTED, 900, Precision.COUNTED)
    assert counts_and_precisions(planned[1])[:2] == (4, Precision.COUNTED)
    assert planned[1].articles == pytest.approx(33, abs=4)
    assert planned[1].articles_precision is Precision.ESTIMATED


def test_limit_ends_pagination() -> None:
    pages = [
        FirstPage(column, entries_of_page(column, range(100)), {}, False, ListingSize(5000, 50))
        for column in ("344", "345")
    ]
    assert [counts_and_precisions(planned)[::2] for planned in estimate_first_pages(pages, limit=30)] == [
        (1, 30),
        (1, 0),
    ]
    assert [counts_and_precisions(planned)[::2] for planned in estimate_first_pages(pages, limit=100)] == [
        (1, 100),
        (1, 0),
    ]
    assert estimate_first_pages(pages[:1], limit=350)[0].pages == 4
    assert estimate_first_pages(pages[:1], limit=350)[0].articles == 350


def test_filtered_articles_are_not_expected() -> None:
    entries = [
        *entries_of_page("345", range(20), media="财联社"),
        *entries_of_page("345", range(20, 100), media="中国网"),
    ]
    first_page = FirstPage("345", entries, {}, is_last_page=False, listing_size=ListingSize(500, 5))
    (with_category,) = estimate_first_pages([first_page], categories=["财联社"])
    assert counts_and_precisions(with_category) == (5, Precision.COUNTED, 100, Precision.ESTIMATED)
    (with_until,) = estimate_first_pages([first_page], until=NOON - 300 * MINUTE)
    assert with_until.articles == pytest.approx(200, abs=10)


@pytest.mark.parametrize("minutes", [[7] * 9, [3, 5, 4]], ids=["all at once", "out of order"])
def test_without_a_rate_the_count_is_used(minutes: list[int]) -> None:
    entries = [entry for number in range(3) for entry in entries_of_page("345", minutes)[number : number + 1]]
    remaining = estimate_remaining(
        paginator_after_page(entries, listing_size=ListingSize(90, 30), since=NOON - 10_000 * MINUTE)
    )
    assert remaining == RemainingWork(29, 87, Precision.ESTIMATED)


def test_pinned_entries_do_not_affect_the_rate() -> None:
    entries = [*entries_of_page("345", range(99)), *entries_of_page("345", [500_000])]
    assert estimate_remaining(paginator_after_page(entries[::-1], since=NOON - 450 * MINUTE)).pages == pytest.approx(
        4, abs=1
    )


@pytest.mark.parametrize(
    ("throttle", "latency", "seconds"),
    [
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 0.1, 0.25),
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 1.2, 0.6),
        (Throttle(0.25, 0.0, 4, 2.0, 30.0), 200.0, 50.0),
        (Throttle(0.25, 0.0, 4), 1.2, 0.3),
        (Throttle(0.0, 0.5, 4), 0.1, 0.025),
    ],
    ids=["a quick source", "a slow one", "one that is in trouble", "no throttle", "no delay"],
)
def test_request_interval_is_the_longest_required_delay(throttle: Throttle, latency: float, seconds: float) -> None:
    assert throttle.seconds_between_requests(latency) == pytest.approx(seconds)


def test_mean_delay_accounts_for_redrawn_delays() -> None:
    """As Scrapy does it: `Downloader._process_queue` draws at each turn, and waits for what is missing."""
    draw = Random(1).uniform
    waits = []
    for _ in range(20_000):
        waited = 0.0
        while (delay := 0.25 * (1 + draw(-0.5, 0.5))) > waited:
            waited = delay
        waits.append(waited)
    assert Throttle(0.25, 0.5, 4).seconds_between_requests(0.01) == pytest.approx(mean(waits), rel=0.01)


def test_throttle_is_read_from_settings() -> None:
    settings = Settings()
    settings.setmodule(our_settings)
    assert read_throttle(settings) == Throttle(0.25, 0.5, 4, 2.0, 30.0)
    settings.update({"AUTOTHROTTLE_ENABLED": False, "CONCURRENT_REQUESTS": 0, "CONCURRENT_REQUESTS_PER_DOMAIN": 2})
    assert read_throttle(settings) == Throttle(0.25, 0.5, 2, None, 30.0)


# the whole command


@pytest.fixture
def plan_crawl(finews: CommandRunner, sample_site: SampleSite, output: Path) -> CommandRunner:
    def run(spider: str = "eastmoney", *args: str) -> CommandResult:
        target_args = ("--mirror", sample_site.url, "--output", str(output))
        return finews("crawl", spider, "--plan", *target_args, *FAST_SETTINGS, "--json", *args)

    return run


def pages_requested(sample_site: SampleSite) -> int:
    return sum("article" not in hit.path and "robots" not in hit.path and "GetNewsText" not in hit.path and not hit.path.startswith("/a/") for hit in sample_site.requests)  # fmt: skip


def crawl_after_plan(
    plan: CommandResult, crawl: CommandRunner, sample_site: SampleSite, *args: str
) -> tuple[int, int, int]:
    """A crawl after a plan: its pages, the articles that it asked for, and its requests."""
    assert plan.exit_code == 0, plan.stderr
    assert len(sample_site.requests) == plan.json["asked"]
    sample_site.reset()
    assert crawl(*args).exit_code in {0, 3}
    return pages_requested(sample_site), len(set(sample_site.requested_codes)), len(sample_site.requests)


@pytest.mark.parametrize("spider", ["eastmoney", "choice"])
def test_counted_plan_equals_the_crawl(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, spider: str
) -> None:
    plan = plan_crawl(spider)
    pages, articles, requests = crawl_after_plan(plan, crawl, sample_site, spider)
    assert plan.json["requests_precision"] == "counted"
    assert (plan.json["pages"], plan.json["articles"]) == (pages, articles)
    # Where the detail has no text, the page is asked for, too.
    assert plan.json["requests"] == requests - (len(sample_site.requested_codes) - articles)


def test_long_listing_is_counted_to_its_end(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite
) -> None:
    sample_site.corpus.publish(700)
    args = ("eastmoney", "--column", "345")
    plan = plan_crawl(*args)
    assert crawl_after_plan(plan, crawl, sample_site, *args)[:2] == (plan.json["pages"], plan.json["articles"])
    assert plan.json["pages"] >= 3
    assert plan.json["requests_precision"] == "counted"


def test_estimate_is_near_the_crawl(plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite) -> None:
    """The sample's articles come at an even pace: a page and a tenth is all that it is wrong by."""
    sample_site.corpus.publish(900)
    head = sample_site.corpus.find_listed(sample_site.corpus.codes_in_columns(["344"])[160])
    assert head
    args = ("eastmoney", "--since", f"{head.published_at:%Y-%m-%d %H:%M}")
    plan = plan_crawl(*args)
    pages, articles, _ = crawl_after_plan(plan, crawl, sample_site, *args)
    assert plan.json["requests_precision"] == "estimated"
    assert plan.json["pages"] == pytest.approx(pages, abs=7)
    assert plan.json["articles"] == pytest.approx(articles, rel=0.1)


def test_fast_news_plan_is_a_lower_bound(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite
) -> None:
    sample_site.corpus.publish(700)
    plan = plan_crawl("flash")
    assert (plan.json["pages"], plan.json["requests_precision"]) == (2, "at least")
    since_args = ("flash", "--since", "2026-09-19")
    plan = plan_crawl(*since_args)
    sample_site.reset()
    crawl(*since_args)
    assert plan.json["requests"] == pytest.approx(len(sample_site.requests), abs=1)


def test_plan_after_a_crawl_expects_only_new_articles(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite
) -> None:
    crawl()
    sample_site.reset()
    second_plan = plan_crawl()
    assert (second_plan.json["pages"], second_plan.json["articles"], second_plan.json["requests_precision"]) == (
        7,
        0,
        "counted",
    )
    sample_site.corpus.publish(20)
    sample_site.reset()
    plan = plan_crawl()
    assert crawl_after_plan(plan, crawl, sample_site)[:2] == (plan.json["pages"], plan.json["articles"])
    assert plan.json["articles"] == 20


def test_refresh_plan_counts_refetched_articles(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite
) -> None:
    crawl()
    args = ("eastmoney", "--refresh", "2026-09-18 21:00")
    sample_site.reset()
    plan = plan_crawl(*args)
    assert crawl_after_plan(plan, crawl, sample_site, *args)[1] == plan.json["articles"] > 0


def test_a_plan_writes_nothing(
    plan_crawl: CommandRunner, crawl: CommandRunner, sample_site: SampleSite, output: Path
) -> None:
    assert plan_crawl().exit_code == 0
    assert not output.exists()
    crawl()
    sample_site.corpus.publish(20)
    before = file_hashes(output)
    assert plan_crawl().json["articles"] == 20
    assert file_hashes(output) == before


def file_hashes(folder: Path) -> dict[Path, str]:
    """But for the two files that SQLite has beside a database while somebody reads it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"news.db-wal", "news.db-shm"})
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_plan_runs_during_a_crawl(plan_crawl: CommandRunner, crawl: CommandRunner, output: Path) -> None:
    """Which holds the folder; a plan needs no more than to read it."""
    from crawler.storage.output_dir import OutputDir

    crawl()
    with OutputDir.lock(output):
        assert plan_crawl().exit_code == 0


@pytest.mark.parametrize(
    ("args", "fault", "code"),
    [
        (("--column", "nosuch"), "", 2),
        ((), "getNewsByColumns", 1),
        ((), "column=345", 3),
        (("--limit", "5"), "", 0),
    ],
    ids=["wrong usage", "no listing", "one listing less", "done"],
)
def test_a_plan_ends_with_the_exit_codes_of_a_crawl(
    plan_crawl: CommandRunner, sample_site: SampleSite, args: tuple[str, ...], fault: str, code: int
) -> None:
    if fault:
        sample_site.add_fault(fault, return_status(503))
    result = plan_crawl("eastmoney", *args)
    assert result.exit_code == code
    assert result.stderr.startswith("finews: ") == (code != 0)


def test_a_plan_obeys_robots_txt(plan_crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("robots.txt", return_body(b"User-agent: finews\nDisallow: /comm/\n", "text/plain"))
    assert plan_crawl().exit_code == 1
    assert [hit.path for hit in sample_site.requests] == ["/robots.txt"]


def test_plan_table_output(finews: CommandRunner, sample_site: SampleSite, output: Path) -> None:
    result = finews("crawl", "--plan", "--mirror", sample_site.url, "--output", str(output), "--column", "345")
    header_line, column_line, requests_line, time_line = result.stdout.splitlines()
    assert header_line.split() == [
        "column_id",
        "name",
        "pages",
        "pages_precision",
        "articles",
        "articles_precision",
        "back_to",
    ]
    assert column_line.split()[:4] == ["345", "资讯精华", "1", "counted"]
    assert requests_line.startswith("eastmoney: ")
    assert time_line.startswith("time: about ")
    assert "with 0.3 s between two requests" in time_line


def test_only_crawl_accepts_plan_option(finews: CommandRunner) -> None:
    assert finews("crawl", "--distributed", "--plan").exit_code == 2
