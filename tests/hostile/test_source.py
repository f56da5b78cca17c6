"""A source that is down, that asks to be left alone, or that sends elsewhere."""

import itertools
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from crawler.sample_site import (
    Corpus,
    Exchange,
    Fault,
    SampleSite,
    delay_response,
    reset_connection,
    return_body,
    return_redirect,
    return_status,
    send_raw,
)
from tests.hostile.conftest import IMPATIENT, crawl, finews, rewritten

COLUMN = ("--column", "345")


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


DOWN: dict[str, tuple[Fault, str]] = {
    "resets": (reset_connection(), "Connection"),
    "says nothing": (delay_response(30), "took longer"),
    "speaks no HTTP": (send_raw(b"SSH-2.0-x\r\n"), ""),
    "500": (return_status(500), "HTTP 500"),
    "503": (return_status(503), "HTTP 503"),
    "403": (return_status(403), "HTTP 403"),
    "gzip cut": (rewritten(lambda _: b"\x1f\x8b\x08\x00", Content_Encoding="gzip"), "the reply is cut"),
    "sends to another host": (
        return_redirect("https://example.org/"),
        "https://example.org/, which is none of its hosts",
    ),
    "an error for all": (return_body(b'{"code":0,"message":"down"}'), "the source answers: down"),
}


@pytest.mark.parametrize("name", DOWN)
def test_a_source_that_is_down_is_exit_1_and_one_line(site: SampleSite, tmp_path: Path, name: str) -> None:
    fault, says = DOWN[name]
    site.add_fault("getNewsByColumns", fault)
    crawled = crawl(site, tmp_path / "output", "--set", "RETRY_TIMES=1")
    (line,) = crawled.answer.err.splitlines()
    assert crawled.answer.code == 1
    assert line.startswith("finews: no listing could be had: ")
    assert says in line
    assert crawled.query("SELECT outcome FROM runs") == ["failed"]


def test_a_host_that_nobody_knows_is_exit_1_and_one_line(tmp_path: Path) -> None:
    answer = finews(
        "crawl", "--mirror", "http://nowhere.invalid", "--output", str(tmp_path / "o"), "--quiet", *IMPATIENT
    )
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)


# What a source asks for


def times(site: SampleSite, pattern: str) -> list[float]:
    return [hit.received_at for hit in site.requests if pattern in hit.target]


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class Later:
    """An answer that says, when it is given, how long to wait."""

    def __init__(self, code: int, wait: Callable[[], str]) -> None:
        self._code, self._wait = code, wait

    def apply(self, exchange: Exchange) -> None:
        return_status(self._code, headers={"Retry-After": self._wait()}).apply(exchange)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("wait", [lambda: "2", lambda: in_seconds(4)], ids=["seconds", "date"])
def test_a_short_wait_is_kept_by_all_requests(
    site: SampleSite, tmp_path: Path, code: int, wait: Callable[[], str]
) -> None:
    site.add_fault("/article/", Later(code, wait), times=1)
    crawled = crawl(site, tmp_path / "output", *COLUMN)
    asked = times(site, "/article/")
    # Up to three more were on their way already.
    assert max(after - before for before, after in itertools.pairwise(asked)) > 1.5
    assert (crawled.answer.code, crawled.answer.value["failed"]) == (0, 0)


@pytest.mark.parametrize("wait", [lambda: "3600", lambda: in_seconds(7200)], ids=["seconds", "date"])
def test_a_long_wait_is_kept_by_the_crawls_that_follow(site: SampleSite, tmp_path: Path, wait: object) -> None:
    assert callable(wait)
    site.add_fault("getNewsByColumns", return_status(429, headers={"Retry-After": wait()}))
    first = crawl(site, tmp_path / "output")
    asked = len(times(site, "getNewsByColumns"))
    assert first.answer.code == 1
    assert asked <= 4
    site.reset()
    second = crawl(site, tmp_path / "output")
    assert second.answer.code == 1
    assert "asks to be left alone until 20" in second.answer.err
    assert times(site, "") == []
    crawled = crawl(site, tmp_path / "elsewhere")
    assert crawled.answer.code == 0


@pytest.mark.parametrize(
    "wait", ["", "0", "-5", "soon", "999999999999", "9999999", "Mon, 01 Jan 2001 00:00:00 GMT", "\x00"]
)
def test_a_wait_that_nobody_means_is_none(site: SampleSite, tmp_path: Path, wait: str) -> None:
    site.add_fault("getNewsByColumns", return_status(503, headers={"Retry-After": wait}), times=1)
    crawled = crawl(site, tmp_path / "output", *COLUMN)
    assert (crawled.answer.code, crawled.answer.err) == (0, "")


def test_a_source_that_has_had_too_many_requests_is_left_alone_for_longer_each_time(
    site: SampleSite, tmp_path: Path
) -> None:
    """It names no time: a minute first, then as long as the trouble has lasted by then; six hours at most."""
    site.add_fault("getNewsByColumns", return_status(429))
    output = tmp_path / "output"
    waits = []
    for hours in (0, 1, 2, 40):
        if hours:
            change(output, "UPDATE runs SET started_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?)", f"-{hours} hours")
            change(output, "UPDATE pauses SET until = '2022-01-01T00:00:00+08:00'")
        before = datetime.now(UTC)
        crawled = crawl(site, output)
        (until,) = crawled.query("SELECT until FROM pauses")
        waits.append((datetime.fromisoformat(until) - before) / timedelta(minutes=1))
        asked = len(times(site, "getNewsByColumns"))
        assert crawled.answer.code == 1
        assert crawl(site, output).answer.code == 1
        assert len(times(site, "getNewsByColumns")) == asked
    assert waits == pytest.approx([1, 60, 120, 360], rel=0.05, abs=1)
    site.clear_faults()
    change(output, "UPDATE pauses SET until = '2022-01-01T00:00:00+08:00'")
    assert crawl(site, output).answer.code == 0


def change(output: Path, sql: str, *values: object) -> None:
    """What the passing of time does, without waiting for it."""
    connection = sqlite3.connect(output / "news.db")
    with connection:
        connection.execute(sql, values)
    connection.close()


# Elsewhere

TARGETS = [
    "http://127.0.0.1:{port}/x", "http://localhost:{port}/x", "//127.0.0.1:{port}/x", "http://[::1]:{port}/x",
    "http://127.1:{port}/x", "http://0x7f000001:{port}/x", "http://2130706433:{port}/x", "http://0:{port}/x",
    "http://{own}@127.0.0.1:{port}/x", "http://me:secret@{own}/x", "https://{own}/x", "HTTP://LOCALHOST:{port}/x",
    "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://example.org/", "\\\\127.0.0.1:{port}\\x",
    "http://127.0.0.1:{port}/x?id=CODE", "http:///127.0.0.1:{port}/x", "file:///etc/passwd", "ftp://127.0.0.1/x",
    "data:text/html,x", "s3://bucket/x", "javascript:x()", "http://127.0.0.1:99999/", "http://[/",
]  # fmt: skip
ENTRIES = {"at once": (), "after a retry": (return_status(503),)}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("start", ["getNewsByColumns", "/article/"], ids=["a listing", "an article"])
def test_no_redirect_leads_off_the_source(tmp_path: Path, start: str, entry: str) -> None:
    with SampleSite(Corpus.sample(140)) as site, SampleSite(Corpus.sample(0)) as canary:
        ports = {"port": canary.url.rsplit(":", 1)[1], "own": site.url.removeprefix("http://")}
        for target in TARGETS:
            for fault in ENTRIES[entry]:
                site.add_fault(start, fault, times=1)
            site.add_fault(start, return_redirect(target.format(**ports)), times=1)
        words = COLUMN if start == "/article/" else ()
        crawled = crawl(site, tmp_path / "output", *words, "--set", "RETRY_TIMES=9", "--set", "CONCURRENT_REQUESTS=1")
        assert list(canary.requests) == []
        assert crawled.answer.code in {1, 3}
        assert (
            crawled.answer.value["failed_listings"]
            or crawled.answer.value["failed"] + crawled.answer.value["quarantined"]
        )
        assert "secret" not in crawled.answer.out + crawled.answer.err
        assert b"secret" not in (tmp_path / "output" / "news.db").read_bytes()


def test_a_crawl_gives_up_a_source_that_fails_again_and_again(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(400)) as site:
        site.add_fault("/article/", return_status(500))
        crawled = crawl(site, tmp_path / "output", *COLUMN, "--set", "RETRY_TIMES=0")
        listed = crawled.answer.value["listed"]
        assert listed > 60
        assert crawled.answer.value["failed"] == listed
        assert len(times(site, "/article/")) <= 34
        assert re.search(
            r"more: given up after 30 failures in a row, the last: [a-z-]+\.eastmoney\.com: HTTP 500\n",
            crawled.answer.err,
        )
        site.clear_faults()
        again = crawl(site, tmp_path / "output", *COLUMN)
        assert again.answer.code == 0
        assert again.answer.value["new"] >= listed
