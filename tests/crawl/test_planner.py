"""`finews crawl --plan`: the estimate of a crawl from the first page of each listing."""

import hashlib
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite, return_body, return_status
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner


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
    """Crawl after a plan. Return the numbers of listing pages, of articles and of requests."""
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
    # For a detail without text the page is fetched, too.
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
    """The sample's articles come at an even rate, so the estimate is off by a page and 10 % at most."""
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


def test_plan_writes_nothing(
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
    """Return the hashes of all files except two that SQLite keeps next to a database while it is read."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in {"news.db-wal", "news.db-shm"})
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_plan_runs_during_a_crawl(plan_crawl: CommandRunner, crawl: CommandRunner, output: Path) -> None:
    """A crawl locks the folder, but a plan only reads it."""
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
def test_plan_has_the_exit_codes_of_a_crawl(
    plan_crawl: CommandRunner, sample_site: SampleSite, args: tuple[str, ...], fault: str, code: int
) -> None:
    if fault:
        sample_site.add_fault(fault, return_status(503))
    result = plan_crawl("eastmoney", *args)
    assert result.exit_code == code
    assert result.stderr.startswith("finews: ") == (code != 0)


def test_plan_obeys_robots_txt(plan_crawl: CommandRunner, sample_site: SampleSite) -> None:
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
    assert "with 1.3 s between two requests" in time_line


def test_only_crawl_accepts_plan_option(finews: CommandRunner) -> None:
    assert finews("crawl", "--distributed", "--plan").exit_code == 2
