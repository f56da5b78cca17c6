"""Sources that are down, ask for a pause, or redirect to other hosts."""

import itertools
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
from tests.support.command_server import run_finews
from tests.support.database import execute_sql
from tests.support.hostile import SHORT_TIMEOUT_SETTINGS, rewrite_body, run_crawl

COLUMN_ARGS = ("--column", "345")
ONE_TRY_AT_A_TIME = ("--set", "RETRY_TIMES=0", "--set", "CONCURRENT_REQUESTS=1")


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


OUTAGES: dict[str, tuple[Fault, str]] = {
    "resets": (reset_connection(), "the connection was closed without a response"),
    "says nothing": (delay_response(30), "took longer"),
    "speaks no HTTP": (send_raw(b"SSH-2.0-x\r\n"), ""),
    "500": (return_status(500), "HTTP 500"),
    "503": (return_status(503), "HTTP 503"),
    "403": (return_status(403), "HTTP 403"),
    "gzip cut": (rewrite_body(lambda _: b"\x1f\x8b\x08\x00", Content_Encoding="gzip"), "the response is cut"),
    "sends to another host": (
        return_redirect("https://example.org/"),
        "https://example.org/: not one of the source's hosts",
    ),
    "an error for all": (return_body(b'{"code":0,"message":"down"}'), "error of the source: down"),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_unavailable_source_is_exit_code_1_and_one_line(sample_site: SampleSite, tmp_path: Path, name: str) -> None:
    fault, expected_text = OUTAGES[name]
    sample_site.add_fault("getNewsByColumns", fault)
    finished_crawl = run_crawl(sample_site, tmp_path / "output", "--set", "RETRY_TIMES=1")
    (line,) = finished_crawl.result.stderr.splitlines()
    assert finished_crawl.result.exit_code == 1
    assert line.startswith("finews: no listing could be read: ")
    assert expected_text in line
    assert finished_crawl.query("SELECT outcome FROM runs") == ["failed"]


def test_unresolvable_host_is_exit_code_1_and_one_line(tmp_path: Path) -> None:
    result = run_finews(
        "crawl",
        "--mirror",
        "http://nowhere.invalid",
        "--output",
        str(tmp_path / "o"),
        "--quiet",
        *SHORT_TIMEOUT_SETTINGS,
    )
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


# Requests of the source for a pause


def request_times(sample_site: SampleSite, pattern: str) -> list[float]:
    return [hit.received_at for hit in sample_site.requests if pattern in hit.target]


def http_date_after(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class RetryAfterFault:
    """Fault with a Retry-After header that is computed when the response is sent."""

    def __init__(self, code: int, retry_after: Callable[[], str]) -> None:
        self._code, self._retry_after = code, retry_after

    def apply(self, exchange: Exchange) -> None:
        return_status(self._code, headers={"Retry-After": self._retry_after()}).apply(exchange)


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize("wait", [lambda: "2", lambda: http_date_after(4)], ids=["seconds", "date"])
def test_short_retry_after_delays_all_requests(
    sample_site: SampleSite, tmp_path: Path, code: int, wait: Callable[[], str]
) -> None:
    sample_site.add_fault("/article/", RetryAfterFault(code, wait), times=1)
    finished_crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS)
    article_request_times = request_times(sample_site, "/article/")
    # Up to three more requests were sent already.
    assert max(after - before for before, after in itertools.pairwise(article_request_times)) > 1.5
    assert (finished_crawl.result.exit_code, finished_crawl.result.json["failed"]) == (0, 0)


@pytest.mark.parametrize("wait", [lambda: "3600", lambda: http_date_after(7200)], ids=["seconds", "date"])
def test_long_retry_after_pauses_later_crawls(sample_site: SampleSite, tmp_path: Path, wait: object) -> None:
    assert callable(wait)
    sample_site.add_fault("getNewsByColumns", return_status(429, headers={"Retry-After": wait()}))
    first_crawl = run_crawl(sample_site, tmp_path / "output")
    listing_requests = len(request_times(sample_site, "getNewsByColumns"))
    assert first_crawl.result.exit_code == 1
    assert listing_requests <= 4
    sample_site.reset()
    second_crawl = run_crawl(sample_site, tmp_path / "output")
    assert second_crawl.result.exit_code == 1
    assert "the source is paused until 20" in second_crawl.result.stderr
    assert request_times(sample_site, "") == []
    elsewhere = run_crawl(sample_site, tmp_path / "elsewhere")
    assert elsewhere.result.exit_code == 0


@pytest.mark.parametrize("wait", ["", "0", "-5", "soon", "999999999999", "Mon, 01 Jan 2001 00:00:00 GMT", "\x00"])
def test_invalid_retry_after_is_ignored(sample_site: SampleSite, tmp_path: Path, wait: str) -> None:
    sample_site.add_fault("getNewsByColumns", return_status(503, headers={"Retry-After": wait}), times=1)
    finished_crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS)
    assert (finished_crawl.result.exit_code, finished_crawl.result.stderr) == (0, "")


def test_pause_after_429_grows_with_each_crawl(sample_site: SampleSite, tmp_path: Path) -> None:
    """Check pauses without Retry-After: a minute first, then the time since the first failure, at most six hours."""
    sample_site.add_fault("getNewsByColumns", return_status(429))
    output = tmp_path / "output"
    pause_minutes = []
    for hours in (0, 1, 2, 40):
        if hours:
            execute_sql(
                output, "UPDATE runs SET started_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?)", f"-{hours} hours"
            )
            execute_sql(output, "UPDATE pauses SET until = '2022-01-01T00:00:00+08:00'")
        before = datetime.now(UTC)
        finished_crawl = run_crawl(sample_site, output)
        (until,) = finished_crawl.query("SELECT until FROM pauses")
        pause_minutes.append((datetime.fromisoformat(until) - before) / timedelta(minutes=1))
        listing_requests = len(request_times(sample_site, "getNewsByColumns"))
        assert finished_crawl.result.exit_code == 1
        assert run_crawl(sample_site, output).result.exit_code == 1
        assert len(request_times(sample_site, "getNewsByColumns")) == listing_requests
    assert pause_minutes == pytest.approx([1, 60, 120, 360], rel=0.05, abs=1)
    sample_site.clear_faults()
    execute_sql(output, "UPDATE pauses SET until = '2022-01-01T00:00:00+08:00'")
    assert run_crawl(sample_site, output).result.exit_code == 0


# Redirects to other hosts

REDIRECT_TARGETS = [
    "http://127.0.0.1:{port}/x", "http://localhost:{port}/x", "//127.0.0.1:{port}/x", "http://[::1]:{port}/x",
    "http://127.1:{port}/x", "http://0x7f000001:{port}/x", "http://2130706433:{port}/x", "http://0:{port}/x",
    "http://{own}@127.0.0.1:{port}/x", "http://me:secret@{own}/x", "https://{own}/x", "HTTP://LOCALHOST:{port}/x",
    "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://example.org/", "\\\\127.0.0.1:{port}\\x",
    "http://127.0.0.1:{port}/x?id=CODE", "http:///127.0.0.1:{port}/x", "file:///etc/passwd", "ftp://127.0.0.1/x",
    "data:text/html,x", "s3://bucket/x", "javascript:x()", "http://127.0.0.1:99999/", "http://[/",
]  # fmt: skip
FAULTS_BEFORE_REDIRECT = {"at once": (), "after a retry": (return_status(503),)}


@pytest.mark.parametrize("entry", FAULTS_BEFORE_REDIRECT)
@pytest.mark.parametrize("start", ["getNewsByColumns", "/(article|a)/"], ids=["a listing", "an article"])
def test_redirect_to_foreign_host_is_not_followed(tmp_path: Path, start: str, entry: str) -> None:
    with SampleSite(Corpus.sample(140)) as sample_site, SampleSite(Corpus.sample(0)) as foreign_site:
        ports = {"port": foreign_site.url.rsplit(":", 1)[1], "own": sample_site.url.removeprefix("http://")}
        for target in REDIRECT_TARGETS:
            for fault in FAULTS_BEFORE_REDIRECT[entry]:
                sample_site.add_fault(start, fault, times=1)
            sample_site.add_fault(start, return_redirect(target.format(**ports)), times=1)
        args = () if start == "getNewsByColumns" else COLUMN_ARGS
        finished_crawl = run_crawl(
            sample_site, tmp_path / "output", *args, "--set", "RETRY_TIMES=9", "--set", "CONCURRENT_REQUESTS=1"
        )
        assert list(foreign_site.requests) == []
        assert finished_crawl.result.exit_code in {1, 3}
        assert (
            finished_crawl.result.json["failed_listings"]
            or finished_crawl.result.json["failed"] + finished_crawl.result.json["quarantined"]
        )
        assert "secret" not in finished_crawl.result.stdout + finished_crawl.result.stderr
        assert b"secret" not in (tmp_path / "output" / "news.db").read_bytes()


@pytest.mark.parametrize("fault", [return_status(500), return_status(403), reset_connection(), return_body(b"")])
def test_closed_article_endpoint_leaves_every_article_to_the_next(tmp_path: Path, fault: Fault) -> None:
    with SampleSite(Corpus.sample(400)) as sample_site:
        sample_site.add_fault("/article/", fault)
        crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS, *ONE_TRY_AT_A_TIME)
        blog_posts = [detail for outcome, _, detail in crawl.entries.values() if outcome == "failed"]
        assert crawl.result.json["listed"] > 60
        assert crawl.result.json["new"] == crawl.result.json["listed"] - len(blog_posts)
        # Twisted repeats a request when a kept-alive connection is closed.
        assert len(request_times(sample_site, "/article/")) in ({2, 3} if fault == reset_connection() else {2})


def test_source_whose_articles_all_fail_is_asked_for_few(tmp_path: Path) -> None:
    with SampleSite(Corpus.sample(400)) as sample_site:
        sample_site.add_fault("/(article|a)/", return_status(500))
        first_crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS, *ONE_TRY_AT_A_TIME)
        listed_count = first_crawl.result.json["listed"]
        assert listed_count > 60
        assert (first_crawl.result.exit_code, first_crawl.result.json["failed"]) == (3, listed_count)
        assert len(request_times(sample_site, "/article/") + request_times(sample_site, "/a/")) == 4
        sample_site.clear_faults()
        second_crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS)
        assert second_crawl.result.exit_code == 0
        assert second_crawl.result.json["new"] >= listed_count
