"""robots.txt by RFC 9309: its rules, missing and unavailable files, and how long a file is used."""

import json
from pathlib import Path

import pytest

from crawler.sample_site import (
    Corpus,
    Fault,
    SampleSite,
    delay_response,
    reset_connection,
    return_body,
    return_redirect,
    return_status,
)
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.database import Query, execute_sql

FORBIDDING_RULES = b"User-agent: finews\nDisallow: /\n"


def paths(sample_site: SampleSite) -> list[str]:
    return [hit.path for hit in sample_site.requests]


def robots_requests(sample_site: SampleSite) -> int:
    return paths(sample_site).count("/robots.txt")


def get_line(result: CommandResult) -> str:
    (line,) = result.stderr.splitlines()
    assert "--set ROBOTSTXT_OBEY=0" in line
    return line


UNAVAILABLE: dict[str, tuple[Fault, str]] = {
    "503": (return_status(503), "HTTP 503"),
    "429": (return_status(429), "HTTP 429"),
    "reset": (reset_connection(), "onnection"),
    "time-out": (delay_response(60), "took longer than"),
    "redirect without a target": (return_status(302), "HTTP 302"),
    "redirect to itself": (return_redirect("/robots.txt"), "redirect"),
    "redirect to another host": (return_redirect("http://127.0.0.1:9/robots.txt"), "not one of the source's hosts"),
}


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_robots_txt_that_cannot_be_had_forbids_for_now(
    crawl: CommandRunner, sample_site: SampleSite, name: str
) -> None:
    fault, expected_text = UNAVAILABLE[name]
    sample_site.add_fault("^/robots.txt", fault)
    settings = ("--set", "RETRY_TIMES=1", "--set", "DOWNLOAD_TIMEOUT=1")
    result = crawl("flash", *settings)
    assert result.exit_code == 1
    line = get_line(result)
    assert "robots.txt of np-weblist.eastmoney.com is not available" in line
    assert expected_text in line
    assert "127.0.0.1:" + sample_site.url.rpartition(":")[2] not in line
    assert set(paths(sample_site)) == {"/robots.txt"}


def test_operator_decides_otherwise(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("^/robots.txt", return_status(503))
    assert crawl("flash", "--set", "ROBOTSTXT_OBEY=0").exit_code == 0
    assert robots_requests(sample_site) == 0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_robots_txt_with_a_client_error_allows(crawl: CommandRunner, sample_site: SampleSite, status: int) -> None:
    sample_site.add_fault("^/robots.txt", return_status(status, FORBIDDING_RULES))
    result = crawl("flash")
    assert (result.exit_code, result.stderr) == (0, "")
    assert robots_requests(sample_site) == 1


def test_robots_txt_that_comes_at_the_second_try_is_obeyed(crawl: CommandRunner, sample_site: SampleSite) -> None:
    sample_site.add_fault("^/robots.txt", return_status(503), times=1)
    sample_site.add_fault("^/robots.txt", return_body(FORBIDDING_RULES, "text/plain"))
    assert "robots.txt of np-weblist.eastmoney.com forbids" in get_line(crawl("flash"))
    assert paths(sample_site) == ["/robots.txt"] * 2


@pytest.mark.parametrize("redirects", [5, 6])
def test_five_redirects_are_followed(crawl: CommandRunner, sample_site: SampleSite, redirects: int) -> None:
    sample_site.add_fault("^/robots.txt", return_redirect("/robots1"))
    for number in range(1, redirects):
        sample_site.add_fault(f"^/robots{number}$", return_redirect(f"/robots{number + 1}"))
    sample_site.add_fault(f"^/robots{redirects}$", return_body(FORBIDDING_RULES, "text/plain"))
    line = get_line(crawl("flash"))
    assert "forbids the request" in line if redirects == 5 else "is not available" in line
    assert not [path for path in paths(sample_site) if "robots" not in path]


# The origins of a source, without a mirror


class TwoHosts:
    """Return arguments for spider `choice` with its lists at one site and its texts at another."""

    def __init__(self, finews: CommandRunner, output: Path, lists: SampleSite, texts: SampleSite) -> None:
        self._finews, self._output = finews, output
        self.lists, self.texts = lists, texts
        hosts = {"list": lists.url, "market": lists.url, "text": texts.url}
        self._args = (
            "choice",
            "--column",
            "37",
            "--output",
            str(output),
            *FAST_SETTINGS,
            "--set",
            f"CHOICE_HOSTS={json.dumps(hosts)}",
        )

    def crawl(self, *args: str) -> CommandResult:
        for site in (self.lists, self.texts):
            site.requests.clear()
        return self._finews("crawl", *self._args, "--json", "--set", "RETRY_TIMES=0", *args)

    def move_fetch_time(self, offset: str) -> None:
        execute_sql(self._output, "UPDATE robots SET fetched_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', ?)", offset)

    @property
    def robots_requests(self) -> tuple[int, int]:
        return robots_requests(self.lists), robots_requests(self.texts)


@pytest.fixture
def two_hosts(finews: CommandRunner, output: Path, sample_site: SampleSite) -> object:
    with SampleSite(Corpus.sample(12)) as texts:
        yield TwoHosts(finews, output, sample_site, texts)


@pytest.mark.parametrize(
    ("fault", "expected_text"),
    [
        (return_status(503), "robots.txt of 127.0.0.1 is not available (HTTP 503)"),
        (return_body(FORBIDDING_RULES, "text/plain"), "robots.txt of 127.0.0.1 forbids"),
    ],
    ids=["not to be had", "forbids"],
)
def test_forbidden_host_fails_its_entries_alone(
    two_hosts: TwoHosts, query: Query, fault: Fault, expected_text: str
) -> None:
    two_hosts.texts.add_fault("^/robots.txt", fault)
    result = two_hosts.crawl()
    assert result.json["failed_listings"] == {}
    assert result.json["failed"] > 0
    assert set(paths(two_hosts.texts)) == {"/robots.txt"}
    assert query("SELECT DISTINCT outcome, reason FROM entries WHERE outcome != 'duplicate'") == [
        ("failed", "robots_forbidden")
    ]
    assert expected_text in get_line(result)
    two_hosts.texts.clear_faults()
    two_hosts.move_fetch_time("-40 days")
    assert two_hosts.crawl().exit_code == 0


def test_fetched_robots_txt_is_used_for_a_day(two_hosts: TwoHosts, query: Query) -> None:
    two_hosts.texts.add_fault("^/robots.txt", return_status(404))
    assert two_hosts.crawl().exit_code == 0
    assert two_hosts.robots_requests == (1, 1)
    assert query("SELECT length(content) FROM robots ORDER BY 1") == [0, 23]
    assert two_hosts.crawl("--refresh", "2022-01-01").exit_code == 0
    assert two_hosts.robots_requests == (0, 0)
    for offset in ("-1 day", "1 hour"):
        two_hosts.move_fetch_time(offset)
        assert two_hosts.crawl("--refresh", "2022-01-01").exit_code == 0
        assert two_hosts.robots_requests == (1, 1)
        assert two_hosts.crawl().exit_code == 0
        assert two_hosts.robots_requests == (0, 0)


def test_old_robots_txt_is_used_while_no_new_one_can_be_had(two_hosts: TwoHosts, query: Query) -> None:
    assert two_hosts.crawl().exit_code == 0
    two_hosts.move_fetch_time("-40 days")
    (before,) = set(query("SELECT fetched_at FROM robots"))
    two_hosts.lists.add_fault("^/robots.txt", return_status(500))
    result = two_hosts.crawl()
    assert (result.exit_code, result.stderr) == (0, "")
    assert two_hosts.robots_requests[0] == 1
    assert before in query("SELECT fetched_at FROM robots")


def test_robots_txt_of_a_mirror_is_not_kept(crawl: CommandRunner, sample_site: SampleSite, query: Query) -> None:
    for turn in (1, 2):
        assert crawl("flash").exit_code == 0
        assert robots_requests(sample_site) == turn
    assert query("SELECT * FROM robots") == []


def test_plan_counts_the_robots_txt_that_a_crawl_would_request(two_hosts: TwoHosts, query: Query) -> None:
    assert two_hosts.crawl("--plan").json["robots"] == 2
    two_hosts.crawl()
    assert two_hosts.crawl("--plan").json["robots"] == 0
    assert two_hosts.robots_requests == (0, 0)
    two_hosts.move_fetch_time("-40 days")
    before = query("SELECT fetched_at FROM robots")
    assert two_hosts.crawl("--plan").json["robots"] == 2
    assert query("SELECT fetched_at FROM robots") == before
