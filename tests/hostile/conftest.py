"""What the tests of a hostile and failing world share: one crawl that meets many faults, each its own entry or listing.

A fault is a row of a table. All rows of a table are met in one crawl, which is then looked at row by row; a second crawl
meets a source that has recovered, and a third one a source that never failed.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crawler.items import Outcome, Reason
from crawler.sample_site import Fault, HttpResponse, SampleSite, edit_response
from tests.conftest import NO_MANNERS, Answer

# A hanging reply need not be waited for as long as a real one; a sound one may take its time on a busy machine.
IMPATIENT = (*NO_MANNERS, "--set", "DOWNLOAD_TIMEOUT=6")


@dataclass(frozen=True)
class Row:
    """A fault, and what becomes of the entry that meets it: at once, and when the source has recovered."""

    name: str
    fault: Fault
    outcome: Outcome
    reason: Reason
    says: str = ""
    then: Outcome = Outcome.NEW


def fails(name: str, fault: Fault, says: str, reason: Reason = Reason.CONNECTION_ERROR) -> Row:
    """No reply that could be read: it has failed, and the next crawl tries again."""
    return Row(name, fault, Outcome.FAILED, reason, says)


def unreadable(name: str, fault: Fault, says: str, reason: Reason = Reason.UNREADABLE) -> Row:
    """Another reply than the endpoint's: kept raw, and the next crawl tries again."""
    return Row(name, fault, Outcome.QUARANTINED, reason, says)


def rejected(name: str, fault: Fault, says: str, reason: Reason = Reason.REJECTED) -> Row:
    """A sound reply that must not be published: kept raw, and not asked for again."""
    return Row(name, fault, Outcome.QUARANTINED, reason, says, Outcome.UNCHANGED)


def taken(name: str, fault: Fault) -> Row:
    """Odd, and read all the same, to the letter."""
    return Row(name, fault, Outcome.NEW, Reason.SCRAPED, then=Outcome.UNCHANGED)


@dataclass
class Crawled:
    """What a crawl said, and what it left."""

    answer: Answer
    output: Path
    entries: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)

    def query(self, sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(self.output / "news.db")
        try:
            rows = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return [row[0] if len(row) == 1 else row for row in rows]

    def kept(self, code: str) -> list[Any]:
        """The reasons for which something of this code stands in quarantine."""
        return self.query("SELECT reason FROM quarantine WHERE code = ?", code)

    @property
    def articles(self) -> dict[str, tuple[str, str]]:
        return {row[0]: row[1:] for row in self.query("SELECT code, title, body_text FROM articles")}


def finews(*words: str, timeout: float = 100) -> Answer:
    command = [sys.executable, "-m", "crawler", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def crawl(site: SampleSite, output: Path, *words: str, spider: str = "eastmoney") -> Crawled:
    """One crawl; whatever it met, its books balance, and its posts and rows agree."""
    where = ("--mirror", site.url, "--output", str(output))
    answer = finews("crawl", spider, *where, *IMPATIENT, "--json", "--quiet", *words)
    crawled = Crawled(answer, output)
    assert "Traceback" not in answer.err
    assert (output / "news.db").exists(), answer.err
    assert_sound(crawled)
    run = crawled.query("SELECT max(id) FROM runs")[0]
    sql = "SELECT code, outcome, reason, detail FROM entries WHERE run_id = ? AND outcome != 'duplicate'"
    crawled.entries = {code: found for code, *found in crawled.query(sql, run)}
    return crawled


def assert_sound(crawled: Crawled) -> None:
    total = " + ".join(f'"{outcome}"' for outcome in Outcome)
    assert crawled.query(f"SELECT id FROM runs WHERE listed != {total}") == []  # noqa: S608  # our own words
    assert crawled.query("SELECT id FROM entries WHERE outcome IS NULL OR reason IS NULL") == []
    verified = finews("verify", "--output", str(crawled.output))
    assert verified.code == 0, verified.out + verified.err


# Faults of what a reply says


def rewritten(change: Callable[[bytes], bytes], **headers: str) -> Fault:
    """The site's own reply with another body, and headers besides."""
    more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return edit_response(lambda reply: reply._replace(body=change(reply.body), headers=(*reply.headers, *more)))


def typed(content_type: str, change: Callable[[bytes], bytes] = bytes) -> Fault:
    """The site's own reply under another type, and perhaps in another encoding."""
    return edit_response(lambda reply: HttpResponse(change(reply.body), content_type))


def reworded(change: Callable[[Any], Any]) -> Fault:
    """The site's own JSON, changed in place or for what the change returns."""

    def rewrite(body: bytes) -> bytes:
        value = json.loads(body)
        changed = change(value)
        return json.dumps(value if changed is None else changed, ensure_ascii=False).encode()

    return rewritten(rewrite)
