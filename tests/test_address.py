"""The address of the site: an output folder remembers the one that it was crawled or built with."""

import os
from pathlib import Path
from typing import Any

import pytest

from crawler import sample_site
from crawler.storage.site_links import load_site_links
from tests.conftest import Finews
from tests.test_crawl import posts_in
from tests.test_replay import KEEP_RAW, damage

DEFAULT, OURS = "//finews.withounder.com", "//news.example.org"
OLD_POSTS = Path(sample_site.__file__).parent / "posts"


def addresses(output: Path) -> set[str]:
    """Where the posts link back to."""
    return {post.read_text().rpartition("](")[2].removesuffix("/)") for post in posts_in(output)}


@pytest.fixture
def crawled(crawl: Finews, output: Path) -> Path:
    crawl("choice", "--set", f"SITE_ADDRESS={OURS}", *KEEP_RAW)
    assert addresses(output) == {OURS}
    return output


def test_every_command_goes_by_the_address_that_the_folder_has(
    crawled: Path, crawl: Finews, finews: Finews, query: Any
) -> None:
    output = ("--output", str(crawled))
    config = (crawled / "_config.yml").read_bytes()
    assert finews("verify", *output).code == 0
    damage(crawled, "UPDATE articles SET title = '旧标题' WHERE code = (SELECT min(code) FROM raw_replies)")
    assert "旧标题" in finews("replay", *output).out
    finews("import", str(OLD_POSTS), *output)
    crawl("eastmoney")
    assert len(query("SELECT DISTINCT source FROM articles")) == 2
    assert addresses(crawled) == {OURS}
    assert finews("rebuild", "posts", *output).out.startswith("0 posts written")
    assert finews("rebuild", "db", *output).code == 0
    assert finews("verify", "--repair", *output).out.splitlines()[0].endswith("posts agree with their rows")
    assert f'href="https:{OURS}/"' in finews("feed", *output).out
    assert (crawled / "_config.yml").read_bytes() == config


def test_an_address_that_is_given_goes_before_the_folders_own(crawled: Path, crawl: Finews, finews: Finews) -> None:
    output = ("--output", str(crawled))
    assert finews("verify", "--site", DEFAULT, "--json", *output).value["agree"] == 0
    damage(crawled, "UPDATE articles SET title = '旧标题' WHERE code = (SELECT min(code) FROM raw_replies)")
    finews("replay", "--site", "//third.example.org", *output)
    assert addresses(crawled) == {OURS, "//third.example.org"}
    crawl("eastmoney", "--set", "SITE_ADDRESS=//fourth.example.org")
    assert load_site_links(crawled).address == "//fourth.example.org"


@pytest.mark.parametrize(
    "line",
    [
        f"address: {OURS}",
        f"address: '{OURS}' # where it is",
        f'address:   "{OURS}"\r',
        f'title: "half\nkeep_days: [\naddress: {OURS}\n\t&&',
    ],
)
def test_the_address_is_the_users_to_change(tmp_path: Path, line: str) -> None:
    (tmp_path / "_config.yml").write_text(f"title: 新闻\n{line}\nlang: zh-CN\n", newline="")
    assert load_site_links(tmp_path).address == OURS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "address:",
        "address: &a [*a, *a]",
        "address: //news.example.org) [x](//elsewhere",
        'address: "//news.example.org\nx: "',
        "other:\n  address: //news.example.org",
        "\x00\xff" * 1000,
        "address: " + " " * 1_000_000 + "x",
    ],
    ids=range(8),
)
def test_what_is_no_address_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "_config.yml").write_text(text, "latin-1")
    assert load_site_links(tmp_path).address == DEFAULT


def test_what_is_no_file_has_no_address(tmp_path: Path) -> None:
    config = tmp_path / "_config.yml"
    assert load_site_links(tmp_path).address == DEFAULT
    config.symlink_to("/dev/zero")
    assert load_site_links(tmp_path).address == DEFAULT
    config.unlink()
    os.mkfifo(config)
    assert load_site_links(tmp_path).address == DEFAULT
    config.unlink()
    config.mkdir()
    assert load_site_links(tmp_path).address == DEFAULT
