"""Cases of faults for the tests of hostile and failing sources.

A case is a row of a table. One crawl meets the faults of all rows, each for another entry or listing; a second crawl
meets a source that has recovered, a third one a source that never failed. Tests examine the crawls row by row.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.items import Outcome, Reason
from crawler.sample_site import Fault, HttpResponse, SampleSite, edit_response
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult
from tests.support.database import query_function

# Seconds: short for responses that hang, long enough for sound ones on a busy machine.
SHORT_TIMEOUT_SETTINGS = (*FAST_SETTINGS, "--set", "DOWNLOAD_TIMEOUT=6")


@dataclass(frozen=True)
class FaultCase:
    """A fault with the outcomes of its entry: in the first crawl, and after the source has recovered."""

    name: str
    fault: Fault
    outcome: Outcome
    reason: Reason
    expected_detail: str = ""
    outcome_after_recovery: Outcome = Outcome.NEW


def failed_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.CONNECTION_ERROR) -> FaultCase:
    """Return a case of an unreadable response: the entry fails, and the next crawl tries again."""
    return FaultCase(name, fault, Outcome.FAILED, reason, expected_detail)


def unreadable_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.UNREADABLE) -> FaultCase:
    """Return a case of an unexpected response: it is kept raw, and the next crawl tries again."""
    return FaultCase(name, fault, Outcome.QUARANTINED, reason, expected_detail)


def rejected_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.REJECTED) -> FaultCase:
    """Return a case of a sound response that is not published: kept raw, reported by each crawl, not fetched again."""
    return FaultCase(name, fault, Outcome.QUARANTINED, reason, expected_detail, Outcome.QUARANTINED)


def filtered_case(name: str, fault: Fault, expected_detail: str, reason: Reason) -> FaultCase:
    """Return a case of a sound response without an article: not fetched again and not reported."""
    return FaultCase(name, fault, Outcome.FILTERED, reason, expected_detail, Outcome.FILTERED)


def accepted_case(name: str, fault: Fault) -> FaultCase:
    """Return a case of an odd response that is read unchanged."""
    return FaultCase(name, fault, Outcome.NEW, Reason.SCRAPED, outcome_after_recovery=Outcome.UNCHANGED)


@dataclass
class FinishedCrawl:
    """Output and database of a finished crawl."""

    result: CommandResult
    output: Path
    entries: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)

    def query(self, sql: str, *values: object) -> list[Any]:
        return query_function(self.output / "news.db")(sql, *values)

    def quarantine_reasons(self, code: str) -> list[Any]:
        """Return the reasons of the quarantined responses of an article."""
        return self.query("SELECT reason FROM quarantine WHERE code = ?", code)

    @property
    def articles(self) -> dict[str, tuple[str, str]]:
        return {row[0]: row[1:] for row in self.query("SELECT code, title, body_text FROM articles")}


def run_crawl(sample_site: SampleSite, output: Path, *args: str, spider: str = "eastmoney") -> FinishedCrawl:
    """Run one crawl; assert that its outcomes add up and its posts match their rows."""
    target_args = ("--mirror", sample_site.url, "--output", str(output))
    result = run_finews("crawl", spider, *target_args, *SHORT_TIMEOUT_SETTINGS, "--json", "--quiet", *args)
    finished_crawl = FinishedCrawl(result, output)
    assert "Traceback" not in result.stderr
    assert (output / "news.db").exists(), result.stderr
    assert_run_consistent(finished_crawl)
    run_id = finished_crawl.query("SELECT max(id) FROM runs")[0]
    sql = "SELECT code, outcome, reason, detail FROM entries WHERE run_id = ? AND outcome != 'duplicate'"
    finished_crawl.entries = {code: found for code, *found in finished_crawl.query(sql, run_id)}
    return finished_crawl


def assert_run_consistent(finished_crawl: FinishedCrawl) -> None:
    sum_of_outcomes = " + ".join(f'"{outcome}"' for outcome in Outcome)
    assert finished_crawl.query(f"SELECT id FROM runs WHERE listed != {sum_of_outcomes}") == []  # noqa: S608  # our own words
    assert finished_crawl.query("SELECT id FROM entries WHERE outcome IS NULL OR reason IS NULL") == []
    verified = run_finews("verify", "--output", str(finished_crawl.output))
    assert verified.exit_code == 0, verified.stdout + verified.stderr


# Faults in the content of responses


def rewrite_body(transform: Callable[[bytes], bytes], **headers: str) -> Fault:
    """Return a fault that rewrites the body of the site's response and adds headers."""
    extra_headers = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return edit_response(
        lambda response: response._replace(body=transform(response.body), headers=(*response.headers, *extra_headers))
    )


def with_content_type(content_type: str, transform: Callable[[bytes], bytes] = bytes) -> Fault:
    """Return a fault that changes the content type, and optionally the encoding, of the site's response."""
    return edit_response(lambda response: HttpResponse(transform(response.body), content_type))


def rewrite_json(transform: Callable[[Any], Any]) -> Fault:
    """Return a fault that changes the site's JSON in place, or replaces it by the returned value."""

    def rewrite(body: bytes) -> bytes:
        value = json.loads(body)
        replacement = transform(value)
        return json.dumps(value if replacement is None else replacement, ensure_ascii=False).encode()

    return rewrite_body(rewrite)


def list_as_blog_posts(codes: Collection[str]) -> Fault:
    """Return a fault that lists these articles as blog posts, which only one endpoint and no page has."""

    def transform(response: Any) -> None:
        for row in response["data"]["list"]:
            row["np_dst"] = "CFH" if row["code"] in codes else row["np_dst"]

    return rewrite_json(transform)
