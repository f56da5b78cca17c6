"""Tests of what Scrapy's documentation promises of a project: its lists of components, stats, templates, feeds, jobs and cache."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scrapy.settings import default_settings

from crawler import settings as our_settings
from crawler.sample_site import SampleSite, return_body, return_status
from tests.support.commands import ARTICLE_API_PATH, FAST_SETTINGS, PROJECT_ROOT, CommandRunner
from tests.support.database import Query
from tests.support.held_responses import HeldResponses
from tests.support.output_checks import assert_outcomes_add_up, assert_posts_match_rows
from tests.support.waiting import wait_until

Scrapy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scrapy_crawl(sample_site: SampleSite, output: Path, tmp_path: Path) -> Scrapy:
    """Return a runner of `scrapy crawl WORDS…` on the sample site, from an empty folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        settings = (f"OUTPUT_DIR={output}", f"MIRROR={sample_site.url}", *FAST_SETTINGS[1::2])
        options = [word for setting in settings for word in ("-s", setting)]
        return run_scrapy("crawl", *words, *options, cwd=tmp_path, project=PROJECT_ROOT)

    return run


def run_scrapy(*words: str, cwd: Path, project: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(project), "SCRAPY_SETTINGS_MODULE": "crawler.settings"}
    command = [sys.executable, "-m", "scrapy", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


# components


def test_component_lists_are_scrapys_without_two_expensive_components() -> None:
    for name, left_out in (
        ("EXTENSIONS_BASE", "scrapy.extensions.remote_control.RemoteControl"),
        ("DOWNLOADER_MIDDLEWARES_BASE", "scrapy.downloadermiddlewares.cookies.CookiesMiddleware"),
    ):
        assert getattr(default_settings, name).items() - getattr(our_settings, name).items() == {
            (left_out, getattr(default_settings, name)[left_out])
        }


def test_each_replacement_names_the_component_it_replaces() -> None:
    assert not hasattr(our_settings, "SPIDER_MIDDLEWARES_BASE")
    switched_off = {path for path, order in our_settings.DOWNLOADER_MIDDLEWARES.items() if order is None}
    assert switched_off <= default_settings.DOWNLOADER_MIDDLEWARES_BASE.keys()


def test_replacements_keep_the_order_of_the_replaced() -> None:
    replaced = {
        order
        for path, order in default_settings.DOWNLOADER_MIDDLEWARES_BASE.items()
        if path in our_settings.DOWNLOADER_MIDDLEWARES
    }
    added = {"crawler.middlewares.PaceMiddleware"}
    ours = our_settings.DOWNLOADER_MIDDLEWARES.items()
    assert replaced == {order for path, order in ours if order is not None and path not in added}


@pytest.mark.parametrize(
    ("assignment", "component"),
    [
        ("COMPRESSION_ENABLED=0", "HttpCompressionMiddleware"),
        ("COOKIES_ENABLED=1", "CookiesMiddleware"),
        ("REMOTE_CONTROL_ENABLED=1", "RemoteControl"),
        ("REMOTE_CONTROL_TIMEOUT_MAX=9", "RemoteControl"),
    ],
)
def test_setting_of_an_unloaded_component_is_rejected(
    crawl: CommandRunner, sample_site: SampleSite, output: Path, assignment: str, component: str
) -> None:
    answer = crawl("flash", "--set", assignment)
    assert answer.exit_code == 2
    assert len(answer.stderr.splitlines()) == 1
    assert assignment.partition("=")[0] in answer.stderr
    assert component in answer.stderr
    assert not sample_site.requests
    assert not output.exists()


def test_setting_equal_to_the_default_is_accepted(crawl: CommandRunner) -> None:
    assert crawl("flash", "--set", "COMPRESSION_ENABLED=1", "--set", "REMOTE_CONTROL_ENABLED=0").exit_code == 0


def test_component_can_be_switched_off_and_on_by_setting(crawl: CommandRunner, sample_site: SampleSite) -> None:
    """The Referer, for one: off by default."""
    crawl("eastmoney", "--set", "REFERER_ENABLED=1")
    assert {
        hit.headers.get("referer", "")[: len(sample_site.url)]
        for hit in sample_site.requests
        if ARTICLE_API_PATH in hit.path
    } == {sample_site.url}


def test_requests_carry_no_referer_and_no_password(crawl: CommandRunner, sample_site: SampleSite) -> None:
    crawl()
    assert len(sample_site.requests) > 8
    assert not [hit for hit in sample_site.requests if {"referer", "authorization"} & hit.headers.keys()]


# stats


def test_closing_stats_are_logged_when_asked_for_and_not_otherwise(crawl: CommandRunner) -> None:
    logged = crawl("flash", "--set", "LOG_LEVEL=INFO")
    assert "Dumping Scrapy stats" in logged.stderr
    for name in ("downloader/response_status_count/200", "item_scraped_count", "elapsed_time_seconds", "finish_reason"):
        assert f"'{name}'" in logged.stderr
    assert crawl("flash").stderr == ""


# a new spider


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Copy this project for a test that changes it."""
    copy = tmp_path / "project"
    shutil.copytree(PROJECT_ROOT / "crawler", copy / "crawler", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("scrapy.cfg", "pyproject.toml"):
        shutil.copy(PROJECT_ROOT / name, copy)
    return copy


def test_generated_spider_crawls_unchanged(sample_site: SampleSite, project: Path, output: Path, query: Query) -> None:
    made = run_scrapy("genspider", "gazette", "gazette.example.org", cwd=project, project=project)
    assert made.returncode == 0, made.stderr
    assert "gazette" in run_scrapy("list", cwd=project, project=project).stdout.split()
    lint = (
        [sys.executable, "-m", "ruff", *words, "crawler/spiders/gazette.py"]
        for words in (["check"], ["format", "--check"])
    )
    for command in lint:
        checked = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    code = "202203040123456789"
    row = {"code": code, "title": "新闻", "time": "2022-03-04 05:06:07", "url": f"https://gazette.example.org/{code}"}
    sample_site.add_fault("/news.json", return_body(json.dumps({"rows": [row]}).encode(), "application/json"))
    sample_site.add_fault(
        f"/{code}", return_body("<h1>新闻一则</h1><article><p>正文。</p></article>".encode(), "text/html")
    )
    settings = (f"OUTPUT_DIR={output}", f"MIRROR={sample_site.url}", *FAST_SETTINGS[1::2])
    options = [word for setting in settings for word in ("-s", setting)]
    done = run_scrapy("crawl", "gazette", *options, cwd=project, project=project)
    assert done.returncode == 0, done.stderr
    assert query("SELECT code, title, media, source, body_html FROM articles") == [
        (code, "新闻一则", "gazette", "gazette", "<p>正文。</p>")
    ]


# feeds


@pytest.fixture
def scraped(scrapy_crawl: Scrapy, tmp_path: Path) -> dict[str, Path]:
    """One crawl, in each format."""
    paths = {extension: tmp_path / f"out.{extension}" for extension in ("csv", "json", "jsonl", "xml")}
    words = [word for path in paths.values() for word in ("-O", str(path))]
    done = scrapy_crawl("eastmoney", *words)
    assert done.returncode == 0, done.stderr
    return paths


def test_feeds_hold_text_and_json(scraped: dict[str, Path], query: Query) -> None:
    objects = json.loads(scraped["json"].read_bytes())
    rows = query("SELECT code, published_at, category, title FROM articles ORDER BY code")
    assert not [each for each in objects if "entry" in each]
    assert rows == sorted(
        tuple(each[name] for name in ("code", "published_at", "category", "title")) for each in objects
    )
    mentions = [mention for each in objects for mention in each["mentions"]]
    assert {(mention["secid"], mention["count"]) for mention in mentions} <= set(
        query("SELECT DISTINCT secid, count FROM mentions")
    )
    assert mentions
    assert [json.loads(line) for line in scraped["jsonl"].read_bytes().splitlines()] == objects
    assert [element.findtext("published_at") for element in ElementTree.parse(scraped["xml"]).getroot()] == [  # noqa: S314  # our own
        each["published_at"] for each in objects
    ]


def test_cells_of_csv_are_text_or_json(scraped: dict[str, Path]) -> None:
    objects = json.loads(scraped["json"].read_bytes())
    with scraped["csv"].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(objects)
    for row, each in zip(rows, objects, strict=True):
        assert datetime.fromisoformat(row["published_at"]).utcoffset() == timedelta(hours=8)
        assert row["columns"] == ",".join(each["columns"])
        assert json.loads(row["mentions"] or "[]") == each["mentions"]
        assert [row[name] for name in ("code", "title", "category", "body_html")] == [
            each[name] for name in ("code", "title", "category", "body_html")
        ]
        assert not [cell for cell in row.values() if "datetime(" in cell or "Category(" in cell or "Mention(" in cell]


# jobs and cache


@pytest.fixture(params=["finews crawl", "scrapy crawl"])
def crawl_with(request: pytest.FixtureRequest, crawl: CommandRunner, scrapy_crawl: Scrapy) -> Callable[..., str]:
    """Run a crawl with these settings by either command, check its exit code, and return its output."""

    def run(*settings: str) -> str:
        if request.param == "finews crawl":
            answer = crawl("eastmoney", *(word for setting in settings for word in ("--set", setting)))
            assert answer.exit_code == 0, answer.stderr
            return answer.stderr
        done = scrapy_crawl("eastmoney", *(word for setting in settings for word in ("-s", setting)))
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def test_crawls_with_one_job_directory_are_as_without(
    crawl_with: Callable[..., str], sample_site: SampleSite, tmp_path: Path, query: Query, output: Path
) -> None:
    for _ in range(2):
        assert "Traceback" not in crawl_with(f"JOBDIR={tmp_path / 'job'}")
    assert (
        len(sample_site.requested_codes)
        == len(set(sample_site.requested_codes))
        == query("SELECT count(*) FROM articles")[0]
    )
    assert (tmp_path / "job" / "spider.state").exists()
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)


def test_stopped_crawl_with_job_directory_loses_nothing(
    crawl: CommandRunner, sample_site: SampleSite, tmp_path: Path, query: Query, output: Path
) -> None:
    """Nor is anything of it left for the next one to take for its own."""
    job = f"JOBDIR={tmp_path / 'job'}"
    gate = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=3)
    words = ("crawl", "eastmoney", "--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--set", job)
    running = subprocess.Popen([sys.executable, "-m", "crawler", *words, "--quiet"], stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(gate.held_requests) >= 4)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=240)
    assert running.returncode == 1, err
    assert_outcomes_add_up(query)
    gate.release()
    again = crawl("eastmoney", "--set", job)
    assert again.exit_code == 0, again.stderr
    assert_outcomes_add_up(query)
    assert_posts_match_rows(output)
    assert set(query("SELECT code FROM articles")) == set(query("SELECT code FROM entries"))


def test_http_cache_serves_a_second_crawl(
    crawl_with: Callable[..., str], sample_site: SampleSite, tmp_path: Path, query: Query, output: Path
) -> None:
    """Listings have the time in their address, so they never come from the cache."""
    settings = ("HTTPCACHE_ENABLED=1", f"HTTPCACHE_DIR={tmp_path / 'cache'}")
    crawl_with(*settings)
    articles = query("SELECT code, title, published_at, body_html, post_sha256 FROM articles ORDER BY code")
    requested = len(sample_site.requested_codes)
    output.rename(tmp_path / "before")
    crawl_with(*settings)
    assert articles == query("SELECT code, title, published_at, body_html, post_sha256 FROM articles ORDER BY code")
    assert len(sample_site.requested_codes) == requested > 0
    assert_outcomes_add_up(query)


def test_retry_bypasses_the_http_cache(crawl: CommandRunner, sample_site: SampleSite, tmp_path: Path) -> None:
    sample_site.add_fault(ARTICLE_API_PATH, return_status(503), times=2)
    words = ("--set", "HTTPCACHE_ENABLED=1", "--set", f"HTTPCACHE_DIR={tmp_path / 'cache'}")
    assert crawl("eastmoney", *words).exit_code == 0


# schedulers


def test_arguments_and_log_of_a_scheduler_are_its_own(scrapy_crawl: Scrapy, tmp_path: Path, query: Query) -> None:
    """As Scrapyd starts a crawl. The exit code is that of a row that cannot be read."""
    done = scrapy_crawl("choice", "-a", "_job=1", "-a", "limit=3", "-s", "LOG_FILE=x.log", "-s", "LOG_LEVEL=INFO")
    assert (done.returncode, done.stderr) == (3, "")
    assert "Dumping Scrapy stats" in (tmp_path / "x.log").read_text()
    assert json.loads(query("SELECT arguments FROM runs")[0]) == {"limit": "3"}
