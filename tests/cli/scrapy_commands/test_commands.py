"""`scrapy shell`, `parse`, `fetch` and `view` as Scrapy's users know them; none of them stores anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite
from crawler.spiders.eastmoney import EastmoneySpider
from tests.support.commands import PROJECT_ROOT, CommandResult

SOURCE = "https://np-listapi.eastmoney.com"


@pytest.fixture
def listing(sample_site: SampleSite) -> str:
    url = EastmoneySpider.listing_url(EastmoneySpider.__new__(EastmoneySpider), "345", "1")
    return url.replace(SOURCE, sample_site.url)


def scrapy(output: Path, sample_site: SampleSite, *words: str) -> CommandResult:
    """Run a command of Scrapy's in the checkout, where `scrapy.cfg` is."""
    settings = (
        "-s",
        f"MIRROR={sample_site.url}",
        "-s",
        f"OUTPUT_DIR={output}",
        "-s",
        "DOWNLOAD_DELAY=0",
        "-s",
        "LOG_LEVEL=ERROR",
    )
    command = [sys.executable, "-m", "scrapy", *words, *settings]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    return CommandResult(done.returncode, done.stdout, done.stderr)


def test_shell_has_response_and_spider(sample_site: SampleSite, output: Path, listing: str) -> None:
    answer = scrapy(output, sample_site, "shell", "--spider=eastmoney", "-c", "(response.status, spider.name)", listing)
    assert answer.stdout.strip() == "(200, 'eastmoney')"
    assert not output.exists()


def test_shell_of_another_site_needs_no_spider(sample_site: SampleSite, output: Path) -> None:
    answer = scrapy(output, sample_site, "shell", "-c", "response.status", f"{sample_site.url}/robots.txt")
    assert answer.stdout.strip() == "200"
    assert not output.exists()


@pytest.mark.parametrize("callback", [(), ("-c", "parse_listing")], ids=["by the URL", "named"])
def test_parsing_a_listing_shows_its_requests(
    sample_site: SampleSite, output: Path, listing: str, callback: tuple[str, ...]
) -> None:
    answer = scrapy(output, sample_site, "parse", "--spider=eastmoney", "--nocolour", *callback, listing)
    codes = sample_site.corpus.codes_in_columns(["345"])
    assert codes
    assert all(code in answer.stdout for code in codes)
    assert not output.exists()


@pytest.mark.parametrize("callback", [(), ("-c", "parse_article")], ids=["by the URL", "named"])
def test_parsing_an_article_shows_its_item(sample_site: SampleSite, output: Path, callback: tuple[str, ...]) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    url = f"{sample_site.url}/kuaixun/v2/api/article/{code}"
    answer = scrapy(output, sample_site, "parse", "--spider=eastmoney", "--nocolour", *callback, url)
    assert f"'code': '{code}'" in answer.stdout
    assert "'spider': 'eastmoney'" in answer.stdout
    assert not output.exists()


def test_parsing_what_is_no_listing_says_why(sample_site: SampleSite, output: Path) -> None:
    answer = scrapy(output, sample_site, "parse", "--spider=eastmoney", "--nocolour", f"{sample_site.url}/robots.txt")
    assert "no listing of 344" in answer.stderr
    assert not output.exists()


def test_parsing_through_the_pipelines_is_refused_in_a_line(
    sample_site: SampleSite, output: Path, listing: str
) -> None:
    answer = scrapy(output, sample_site, "parse", "--spider=eastmoney", "--pipelines", listing)
    assert answer.exit_code == 2
    assert "leave out --pipelines" in answer.stdout + answer.stderr
    assert not output.exists()


def test_fetching_prints_the_response(sample_site: SampleSite, output: Path) -> None:
    answer = scrapy(output, sample_site, "fetch", f"{sample_site.url}/robots.txt")
    assert answer.stdout.startswith("User-agent: *")
    assert not output.exists()


def test_unusable_proxy_is_refused_in_a_line(
    sample_site: SampleSite, output: Path, listing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://[bad")
    answer = scrapy(output, sample_site, "shell", "-c", "1", listing)
    assert (answer.exit_code, "Traceback" in answer.stderr) == (2, False)
    assert "set http_proxy=http://HOST:PORT" in answer.stderr


def test_spiders_are_listed() -> None:
    words = [sys.executable, "-m", "scrapy", "list"]
    assert subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split() == [
        "choice", "eastmoney", "flash",
    ]  # fmt: skip
