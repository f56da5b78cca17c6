"""Site links: an output folder keeps the address of its last crawl or build."""

import os
from pathlib import Path
from typing import Any

import pytest

from crawler.storage.site_links import load_site_links
from tests.jobs.test_replay import KEEP_RAW_ARGS
from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.commands import CommandRunner
from tests.support.database import execute_sql
from tests.support.output_checks import post_paths

DEFAULT_ADDRESS, OWN_ADDRESS = "//finews.withounder.com", "//news.example.org"


def linked_addresses(output: Path) -> set[str]:
    """Return the addresses that the posts link to."""
    return {post.read_text().rpartition("](")[2].removesuffix("/)") for post in post_paths(output)}


@pytest.fixture
def crawled_output(crawl: CommandRunner, output: Path) -> Path:
    crawl("choice", "--set", f"SITE_ADDRESS={OWN_ADDRESS}", *KEEP_RAW_ARGS)
    assert linked_addresses(output) == {OWN_ADDRESS}
    return output


def test_every_command_uses_the_address_of_the_output_dir(
    crawled_output: Path, crawl: CommandRunner, finews: CommandRunner, query: Any
) -> None:
    output_args = ("--output", str(crawled_output))
    config = (crawled_output / "_config.yml").read_bytes()
    assert finews("verify", *output_args).exit_code == 0
    execute_sql(crawled_output, "UPDATE articles SET title = '旧标题' WHERE code = (SELECT min(code) FROM raw_replies)")
    assert "旧标题" in finews("replay", *output_args).stdout
    finews("import", str(LEGACY_POSTS_DIR), *output_args)
    crawl("eastmoney")
    assert len(query("SELECT DISTINCT source FROM articles")) == 2
    assert linked_addresses(crawled_output) == {OWN_ADDRESS}
    assert finews("rebuild", "posts", *output_args).stdout.startswith("0 posts written")
    assert finews("rebuild", "db", *output_args).exit_code == 0
    assert finews("verify", "--repair", *output_args).stdout.splitlines()[0].endswith("posts agree with their rows")
    assert f'href="https:{OWN_ADDRESS}/"' in finews("feed", *output_args).stdout
    assert (crawled_output / "_config.yml").read_bytes() == config


def test_address_option_overrides_the_output_dir(
    crawled_output: Path, crawl: CommandRunner, finews: CommandRunner
) -> None:
    output_args = ("--output", str(crawled_output))
    assert finews("verify", "--site", DEFAULT_ADDRESS, "--json", *output_args).json["agree"] == 0
    execute_sql(crawled_output, "UPDATE articles SET title = '旧标题' WHERE code = (SELECT min(code) FROM raw_replies)")
    finews("replay", "--site", "//third.example.org", *output_args)
    assert linked_addresses(crawled_output) == {OWN_ADDRESS, "//third.example.org"}
    crawl("eastmoney", "--set", "SITE_ADDRESS=//fourth.example.org")
    assert load_site_links(crawled_output).address == "//fourth.example.org"


@pytest.mark.parametrize(
    "line",
    [
        f"address: {OWN_ADDRESS}",
        f"address: '{OWN_ADDRESS}' # where it is",
        f'address:   "{OWN_ADDRESS}"\r',
        f'title: "half\nkeep_days: [\naddress: {OWN_ADDRESS}\n\t&&',
    ],
)
def test_address_is_read_from_the_users_config(tmp_path: Path, line: str) -> None:
    (tmp_path / "_config.yml").write_text(f"title: 新闻\n{line}\nlang: zh-CN\n", newline="")
    assert load_site_links(tmp_path).address == OWN_ADDRESS


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
def test_invalid_address_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "_config.yml").write_text(text, "latin-1")
    assert load_site_links(tmp_path).address == DEFAULT_ADDRESS


def test_config_that_is_no_regular_file_is_ignored(tmp_path: Path) -> None:
    config = tmp_path / "_config.yml"
    assert load_site_links(tmp_path).address == DEFAULT_ADDRESS
    config.symlink_to("/dev/zero")
    assert load_site_links(tmp_path).address == DEFAULT_ADDRESS
    config.unlink()
    os.mkfifo(config)
    assert load_site_links(tmp_path).address == DEFAULT_ADDRESS
    config.unlink()
    config.mkdir()
    assert load_site_links(tmp_path).address == DEFAULT_ADDRESS
