"""The codes that say why an entry has its outcome."""

import gzip
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from scrapy.exceptions import DownloadCancelledError, DownloadTimeoutError, IgnoreRequest, ResponseDataLossError
from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError

from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ, format_iso
from crawler.crawl.interface import DroppedRequestError, request_reason
from crawler.crawl.policy.entry_filter import EntryFilter
from crawler.crawl.policy.failures import classify_error
from crawler.crawl.policy.selection import Selection
from crawler.errors import (
    EmptyBodyError,
    IncompleteResponseError,
    ItemError,
    MissingArticleError,
    NoArticleError,
    ParseError,
    RejectedArticleError,
    RequestError,
    SchemaChangedError,
    SourceError,
)
from crawler.items import Category, KnownArticle, ListingEntry, Outcome, Reason
from crawler.sample_site import SampleSite, edit_response, return_body
from crawler.spiders.eastmoney import EastmoneySpider
from tests.support.commands import CommandRunner
from tests.support.database import Query, execute_sql

NOON = datetime(2022, 1, 10, 12, tzinfo=CHINA_TZ)
DAY = timedelta(days=1)
ENTRY = ListingEntry("202201102242171631", "题", NOON, "350", "", media="中国农网")
KNOWN = KnownArticle("eastmoney", False, ENTRY.title, format_iso(NOON), "")
ALL = Selection(columns=("350",))
OTHER = Category("cailianshe", "财联社")


class OwnError(SchemaChangedError):
    """An error of a spider outside this package."""


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_reason_codes_are_snake_case(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason)
    assert reason == reason.name.lower()


# Entries that need no request


@pytest.mark.parametrize(
    ("selection", "known", "outcome", "reason"),
    [
        (ALL, None, None, None),
        (ALL, KNOWN, Outcome.UNCHANGED, Reason.NOT_MODIFIED),
        (ALL, replace(KNOWN, title="旧题"), None, None),
        (ALL, replace(KNOWN, source="flash"), None, None),
        (ALL, replace(KNOWN, source="choice"), Outcome.UNCHANGED, Reason.OTHER_SOURCE),
        (ALL, replace(KNOWN, source=None, rejection_reason="任何话"), Outcome.FILTERED, Reason.REJECTED_EARLIER),
        (ALL, replace(KNOWN, rejection_reason="任何话"), Outcome.UNCHANGED, Reason.REJECTED_EARLIER),
        (replace(ALL, categories=(OTHER,)), None, Outcome.FILTERED, Reason.OTHER_CATEGORY),
        (replace(ALL, since=NOON + DAY), None, Outcome.FILTERED, Reason.BEFORE_SINCE),
        (replace(ALL, until=NOON - DAY), None, Outcome.FILTERED, Reason.AFTER_UNTIL),
    ],
    ids=["new", "known", "edited", "superseded", "another's", "rejected", "stored and rejected", "category", "since", "until"],
)  # fmt: skip
def test_decision_has_outcome_and_reason_or_neither(
    selection: Selection, known: KnownArticle | None, outcome: Outcome | None, reason: Reason | None
) -> None:
    entry_filter = EntryFilter("eastmoney", frozenset({"flash"}), selection, CategoryRegistry())
    decision = entry_filter.decide(ENTRY, known, is_duplicate=False)
    assert (decision.outcome, decision.reason) == (outcome, reason)


def test_duplicate_and_over_limit_entries_have_reasons() -> None:
    triage = EntryFilter("eastmoney", frozenset(), replace(ALL, limit=1), CategoryRegistry())
    entries = ((ENTRY, False), (ENTRY, True), (replace(ENTRY, code="5" * 18), False))
    assert [triage.decide(entry, None, is_duplicate=is_duplicate)[:2] for entry, is_duplicate in entries] == [
        (None, None),
        (Outcome.DUPLICATE, Reason.LISTED_TWICE),
        (Outcome.FILTERED, Reason.OVER_LIMIT),
    ]


# Errors


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ParseError("x"), Reason.UNREADABLE),
        (SchemaChangedError("x"), Reason.SCHEMA_CHANGED),
        (OwnError("x"), Reason.SCHEMA_CHANGED),
        (RejectedArticleError("x"), Reason.REJECTED),
        (ItemError("x"), Reason.REJECTED),
        (NoArticleError("x"), Reason.NO_BODY),
        (RequestError(Reason.CONNECTION_ERROR, "x"), Reason.CONNECTION_ERROR),
        (MissingArticleError(Reason.HTTP_ERROR, "x"), Reason.HTTP_ERROR),
        (ValueError("x"), Reason.BUG),
        (EmptyBodyError("x"), Reason.NO_BODY),
        (SourceError("x"), Reason.SOURCE_ERROR),
        (IncompleteResponseError("x"), Reason.RESPONSE_INCOMPLETE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_error_class_sets_the_reason(error: Exception, reason: Reason) -> None:
    assert classify_error(error, "https://a.cn/").reason is reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (HttpError(Response("https://a.cn/", status=500)), Reason.HTTP_ERROR),
        (IgnoreRequest("Forbidden by robots.txt"), Reason.REQUEST_DROPPED),
        (DroppedRequestError(Reason.RESPONSE_INCOMPLETE, "the response is cut"), Reason.RESPONSE_INCOMPLETE),
        (DownloadCancelledError("x"), Reason.RESPONSE_TOO_LARGE),
        (ResponseDataLossError(), Reason.RESPONSE_INCOMPLETE),
        (DownloadTimeoutError("x"), Reason.CONNECTION_ERROR),
        (None, Reason.CONNECTION_ERROR),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failed_request_has_a_reason(error: BaseException | None, reason: Reason) -> None:
    assert request_reason(error) is reason


# Crawls


def test_truncated_page_is_incomplete_and_error_page_is_a_source_error(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    sample_site.add_fault(f"article/{code}", return_body(b'{"success": 1, "data": null}', "application/json"))
    sample_site.add_fault(f"/a/{code}", return_body(b"<html><body>", "text/html"))
    answer = crawl("eastmoney", "--column", "345")
    assert query("SELECT outcome, reason FROM entries WHERE code = ?", code) == [("failed", "response_incomplete")]
    assert [trouble["reason"] for trouble in answer.json["failures"]] == ["response_incomplete"]


def test_blog_post_without_text_is_asked_once_and_filtered_with_its_link(
    crawl: CommandRunner, sample_site: SampleSite, query: Query
) -> None:
    codes = sample_site.corpus.codes_in_columns(EastmoneySpider.default_columns)
    code = next(code for code in codes if getattr(sample_site.corpus.find_article(code), "np_dst", "") == "CFH")
    sample_site.add_fault(f"article/{code}", return_body(b'{"success": 1, "data": null}', "application/json"))
    crawl("eastmoney")
    crawl("eastmoney")
    found = query("SELECT outcome, reason, detail FROM entries WHERE code = ? AND outcome != 'duplicate'", code)
    assert found == [
        ("filtered", "no_body", f"no text at this source: https://caifuhao.eastmoney.com/news/{code}"),
        ("filtered", "rejected_earlier", f"in quarantine since an earlier crawl: {found[0][2]}"),
    ]
    assert sample_site.requested_codes.count(code) == 1


def test_explain_gives_the_code_beside_the_text(
    crawl: CommandRunner, finews: CommandRunner, query: Query, output: Path
) -> None:
    crawl("choice")
    code = query("SELECT code FROM articles LIMIT 1")[0]
    known = finews("explain", code, "--output", str(output), "--json").json
    assert [(entry["outcome"], entry["reason"], entry["detail"]) for entry in known["entries"]] == [
        ("new", "scraped", "")
    ]


def test_explain_goes_by_the_codes_whatever_the_texts_are(
    crawl: CommandRunner, finews: CommandRunner, query: Query, output: Path
) -> None:
    crawl("choice")
    crawl("eastmoney")
    (code, *_) = query("SELECT code FROM entries WHERE reason = 'other_source'")
    execute_sql(output, "UPDATE entries SET detail = '别的话'")
    printed = finews("explain", code, "--output", str(output)).stdout
    assert "text: choice's is kept: eastmoney listed it too, and that does not take its place" in printed
    execute_sql(output, "UPDATE entries SET outcome = 'updated', reason = 'withdrawn' WHERE code = ?", code)
    printed = finews("explain", code, "--output", str(output)).stdout
    assert ": updated: 别的话" in printed
    assert "taken in" not in printed


def test_truncated_response_is_retried(crawl: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    half = edit_response(
        lambda reply: reply._replace(
            body=gzip.compress(reply.body)[:-8], headers=(*reply.headers, ("Content-Encoding", "gzip"))
        )
    )
    sample_site.add_fault(f"article/{code}", half, times=1)
    assert crawl("eastmoney", "--column", "345").exit_code == 0
    assert query("SELECT outcome, reason FROM entries WHERE code = ?", code) == [("new", "scraped")]
    assert sample_site.requested_codes.count(code) == 2
