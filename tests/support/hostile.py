"""What the tests of a hostile and failing world share: one crawl that meets many faults, each its own entry or listing.

A fault is a row of a table. All rows of a table are met in one crawl, which is then looked at row by row; a second crawl
meets a source that has recovered, and a third one a source that never failed.
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

# A hanging reply need not be waited for as long as a real one; a sound one may take its time on a busy machine.
SHORT_TIMEOUT_SETTINGS = (*FAST_SETTINGS, "--set", "DOWNLOAD_TIMEOUT=6")


@dataclass(frozen=True)
class FaultCase:
    """A fault, and what becomes of the entry that meets it: at once, and when the source has recovered."""

    name: str
    fault: Fault
    outcome: Outcome
    reason: Reason
    expected_detail: str = ""
    outcome_after_recovery: Outcome = Outcome.NEW


def failed_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.CONNECTION_ERROR) -> FaultCase:
    """No reply that could be read: it has failed, and the next crawl tries again."""
    return FaultCase(name, fault, Outcome.FAILED, reason, expected_detail)


def unreadable_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.UNREADABLE) -> FaultCase:
    """Another reply than the endpoint's: kept raw, and the next crawl tries again."""
    return FaultCase(name, fault, Outcome.QUARANTINED, reason, expected_detail)


def rejected_case(name: str, fault: Fault, expected_detail: str, reason: Reason = Reason.REJECTED) -> FaultCase:
    """A sound reply that must not be published: kept raw, reported by each crawl, and not asked for again."""
    return FaultCase(name, fault, Outcome.QUARANTINED, reason, expected_detail, Outcome.QUARANTINED)


def filtered_case(name: str, fault: Fault, expected_detail: str, reason: Reason) -> FaultCase:
    """A sound reply without an article: not asked for again, and nothing that a person has to look at."""
    return FaultCase(name, fault, Outcome.FILTERED, reason, expected_detail, Outcome.FILTERED)


def accepted_case(name: str, fault: Fault) -> FaultCase:
    """Odd, and read all the same, to the letter."""
    return FaultCase(name, fault, Outcome.NEW, Reason.SCRAPED, outcome_after_recovery=Outcome.UNCHANGED)


@dataclass
class FinishedCrawl:
    """What a crawl said, and what it left."""

    result: CommandResult
    output: Path
    entries: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)

    def query(self, sql: str, *values: object) -> list[Any]:
        return query_function(self.output / "news.db")(sql, *values)

    def quarantine_reasons(self, code: str) -> list[Any]:
        """The reasons for which something of this code is in quarantine."""
        return self.query("SELECT reason FROM quarantine WHERE code = ?", code)

    @property
    def articles(self) -> dict[str, tuple[str, str]]:
        return {row[0]: row[1:] for row in self.query("SELECT code, title, body_text FROM articles")}


def run_crawl(sample_site: SampleSite, output: Path, *args: str, spider: str = "eastmoney") -> FinishedCrawl:
    """One crawl; whatever it met, its books balance, and its posts and rows agree."""
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


# Faults of what a reply says


def rewrite_body(transform: Callable[[bytes], bytes], **headers: str) -> Fault:
    """The site's own reply with another body, and headers besides."""
    extra_headers = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return edit_response(
        lambda reply: reply._replace(body=transform(reply.body), headers=(*reply.headers, *extra_headers))
    )


def with_content_type(content_type: str, transform: Callable[[bytes], bytes] = bytes) -> Fault:
    """The site's own reply under another type, and perhaps in another encoding."""
    return edit_response(lambda reply: HttpResponse(transform(reply.body), content_type))


def rewrite_json(transform: Callable[[Any], Any]) -> Fault:
    """The site's own JSON, changed in place or for what the change returns."""

    def rewrite(body: bytes) -> bytes:
        value = json.loads(body)
        replacement = transform(value)
        return json.dumps(value if replacement is None else replacement, ensure_ascii=False).encode()

    return rewrite_body(rewrite)


def list_as_blog_posts(codes: Collection[str]) -> Fault:
    """The site's own listing with these as posts of blogs, which are asked for at one endpoint alone: no page helps."""

    def transform(reply: Any) -> None:
        for row in reply["data"]["list"]:
            row["np_dst"] = "CFH" if row["code"] in codes else row["np_dst"]

    return rewrite_json(transform)
