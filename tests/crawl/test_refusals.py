"""Refusals of a source: reports, retries, and pauses."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, Fault, SampleSite, reset_connection, return_body, return_status
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.database import Query, execute_sql
from tests.support.hostile import rewrite_json

COLUMN_ARGS = ("--column", "345")
ONE_AT_A_TIME = ("--set", "CONCURRENT_REQUESTS=1")
NULL_ARTICLE = return_body(b'{"success":1,"data":null}')
SLIDER_PAGE = return_body("<html><body><div class='em_capt'>身份核实</div></body></html>".encode(), "text/html")
UNKNOWN_PAGE = return_body(b"<html><body><div id='app'></div></body></html>", "text/html")


@pytest.fixture
def crawl_column(crawl: CommandRunner) -> CommandRunner:
    return lambda *args: crawl("eastmoney", *COLUMN_ARGS, *ONE_AT_A_TIME, *args)


@pytest.fixture
def crawl_as_cron(finews: CommandRunner, sample_site: SampleSite, output: Path) -> Callable[[], CommandResult]:
    """Return a crawl of one column that fetches each article again, with its plain output."""
    target_args = ("--mirror", sample_site.url, "--output", str(output), "--quiet", "--refresh", "2022-01-01")
    return lambda: finews("crawl", "eastmoney", *COLUMN_ARGS, *ONE_AT_A_TIME, *target_args, *FAST_SETTINGS)


@pytest.fixture
def known_code(crawl_column: CommandRunner, sample_site: SampleSite) -> str:
    """Return the code of a stored article that `--refresh` fetches again."""
    crawl_column()
    return sample_site.corpus.codes_in_columns(["345"])[3]


@pytest.mark.parametrize(
    ("page", "outcome", "reason"),
    [(SLIDER_PAGE, "failed", "refused"), (UNKNOWN_PAGE, "quarantined", "unreadable")],
    ids=["a check for humans", "an unknown layout"],
)
def test_page_that_is_no_article_withdraws_nothing(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query, known_code: str, page: Fault, outcome: str,
    reason: str,
) -> None:  # fmt: skip
    before = query("SELECT * FROM articles WHERE code = ?", known_code)
    sample_site.add_fault(f"article/{known_code}", NULL_ARTICLE)
    sample_site.add_fault(f"/a/{known_code}", page)
    result = crawl_column("--refresh", "2026-09-01")
    assert result.exit_code == 3
    assert [(failure["outcome"], failure["reason"]) for failure in result.json["failures"]] == [(outcome, reason)]
    assert query("SELECT * FROM articles WHERE code = ?", known_code) == before
    sample_site.reset()
    assert crawl_column("--refresh", "2026-09-01").exit_code == 0
    assert known_code in sample_site.requested_codes


def test_missing_article_with_a_missing_page_is_withdrawn(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query, known_code: str
) -> None:
    sample_site.add_fault(f"article/{known_code}", NULL_ARTICLE)
    sample_site.add_fault(f"/a/{known_code}", return_status(410))
    assert crawl_column("--refresh", "2026-09-01").exit_code == 0
    assert query("SELECT code FROM articles WHERE withdrawn_at IS NOT NULL") == [known_code]
    sample_site.reset()
    crawl_column("--refresh", "2026-09-01")
    assert query("SELECT code FROM articles WHERE withdrawn_at IS NOT NULL") == []


def test_articles_that_are_refused_come_by_the_next_extractor(finews: CommandRunner, output: Path) -> None:
    """Each failure is between two responses, so the endpoint stays open."""
    faults = [
        return_status(403), return_status(502), reset_connection(), SLIDER_PAGE, return_body(b"{}"), return_body(b" "),
        return_body(b'{"ok":[]}'), return_status(429),
    ]  # fmt: skip
    with SampleSite(Corpus.sample(80)) as site:
        codes = site.corpus.codes_in_columns(["345"])
        for code, fault in zip(codes[::2], faults, strict=False):
            site.add_fault(f"article/{code}", fault)
        target_args = ("--mirror", site.url, "--output", str(output), *COLUMN_ARGS)
        result = finews("crawl", "eastmoney", *target_args, *FAST_SETTINGS, *ONE_AT_A_TIME, "--json")
        assert len(codes) >= 2 * len(faults)
    assert (result.exit_code, result.json["failed"] + result.json["quarantined"]) == (0, 0)
    assert result.json["new"] == result.json["listed"]
    assert not [note for note in result.json["notes"] if "no requests" in note or "no more requests" in note]


def test_closed_endpoint_is_reported_when_it_closes_once_a_day_and_when_it_opens(
    crawl_as_cron: Callable[[], CommandResult], sample_site: SampleSite, output: Path
) -> None:
    endpoint = "newsinfo.eastmoney.com/kuaixun/v2/api/article/CODE"
    closed_line = f"finews: {endpoint}: no more requests in this crawl after two failures in a row: HTTP 403\n"
    sample_site.add_fault("/api/article/", return_status(403))
    printed = []
    for _ in range(2):
        result = crawl_as_cron()
        assert result.exit_code == 0
        printed.append(result.stderr)
    assert printed == [closed_line, ""]
    execute_sql(output, "UPDATE conditions SET reported_at = '2026-01-01T00:00:00+08:00'")
    assert crawl_as_cron().stderr == closed_line
    sample_site.clear_faults()
    assert crawl_as_cron().stderr == f"finews: no longer: {closed_line.removeprefix('finews: ')}"
    assert crawl_as_cron().stderr == ""


def test_renamed_field_keeps_its_exit_code_and_is_reported_once_a_day(
    crawl_as_cron: Callable[[], CommandResult], sample_site: SampleSite, query: Query
) -> None:
    def rename_title(response: dict[str, dict[str, list[dict[str, str]]]]) -> None:
        for row in response["data"]["list"]:
            row["headline"] = row.pop("title")

    sample_site.add_fault("getNewsByColumns", rewrite_json(rename_title))
    results = [crawl_as_cron() for _ in range(5)]
    assert [result.exit_code for result in results] == [3] * 5
    assert "getNewsByColumns has changed: field 'title' is missing" in results[0].stderr
    assert [result.stderr for result in results[1:]] == [""] * 4
    assert query("SELECT DISTINCT outcome FROM entries") == ["quarantined"]
    sample_site.clear_faults()
    assert "no longer: np-listapi.eastmoney.com" in crawl_as_cron().stderr


def test_unusable_row_among_others_is_filtered_when_it_was_reported(
    crawl_column: CommandRunner, sample_site: SampleSite
) -> None:
    sample_site.add_fault(
        "getNewsByColumns", rewrite_json(lambda response: response["data"]["list"][1].pop("title") and None)
    )
    assert crawl_column().json["quarantined"] == 1
    second = crawl_column()
    assert (second.exit_code, second.json["filtered"], second.json["quarantined"]) == (0, 1, 0)


def test_site_that_resets_from_two_hosts_is_left_alone(
    crawl_as_cron: Callable[[], CommandResult], crawl_column: CommandRunner, sample_site: SampleSite
) -> None:
    sample_site.add_fault("/(article|a)/", reset_connection())
    result = crawl_as_cron()
    assert result.exit_code == 3
    assert (
        "finews: finance.eastmoney.com and newsinfo.eastmoney.com refuse requests from this address: the connection was"
        " closed without a response: no requests until 20"
    ) in result.stderr
    assert "--set DOWNLOAD_DELAY=2" in result.stderr
    assert "Twisted" not in result.stderr
    assert "twisted" not in result.stderr
    assert len([hit for hit in sample_site.requests if "/a" in hit.path]) < 8
    sample_site.reset()
    assert crawl_column().exit_code == 1
    assert list(sample_site.requests) == []


def test_listing_endpoint_closes_at_the_second_refusal(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("getNewsByColumns", return_status(403))
    result = crawl("eastmoney", *ONE_AT_A_TIME)
    assert result.exit_code == 1
    # Without a pace, the next request is sent before the second response is parsed.
    assert len([hit for hit in sample_site.requests if "getNewsByColumns" in hit.path]) in {2, 3}


def test_requests_ask_for_chinese(crawl: CommandRunner, sample_site: SampleSite) -> None:
    crawl("flash")
    assert {hit.headers["accept-language"] for hit in sample_site.requests} == {"zh-CN"}


def test_refused_article_keeps_its_exit_code_and_is_reported_once_a_day(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query, output: Path
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.corpus.replace(code, content="<p>x" * 90_001, body_location="json")
    results = [crawl_column() for _ in range(3)]
    execute_sql(output, "UPDATE conditions SET reported_at = '2026-01-01T00:00:00+08:00'")
    results.append(crawl_column())
    assert [result.exit_code for result in results] == [3] * 4
    assert [f"finews: quarantined: {code}: " in result.stderr for result in results] == [True, True, False, True]
    assert all("too complex: over 90,000 elements" in str(result.json["failures"]) for result in results)
    assert sample_site.requested_codes.count(code) == 1
    sample_site.corpus.replace(code, content="<p>x</p>", title="新的标题")
    assert crawl_column().exit_code == 0
    assert query("SELECT title FROM articles WHERE code = ?", code) == ["新的标题"]


def test_video_is_filtered_with_its_link_and_not_reported(
    crawl_column: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.corpus.replace(code, content="<video src='https://v.cn/1.mp4'></video>", body_location="json")
    results = [crawl_column() for _ in range(2)]
    assert [(result.exit_code, result.stderr, result.json["filtered"]) for result in results] == [(0, "", 1)] * 2
    sql = "SELECT reason, detail FROM entries WHERE code = ? AND outcome = 'filtered' ORDER BY id"
    link = f"a video without text: https://finance.eastmoney.com/a/{code}.html"
    reasons = [reason for reason, _ in query(sql, code)]
    assert reasons == ["no_body", "rejected_earlier"]
    assert all(detail.endswith(link) for _, detail in query(sql, code))
    assert query("SELECT code FROM quarantine") == []
