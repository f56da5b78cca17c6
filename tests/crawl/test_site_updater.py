"""Pages of the site after a crawl."""

from pathlib import Path

from tests.support.commands import CommandRunner
from tests.support.output_checks import modification_times


def test_crawl_without_news_changes_no_file(crawl: CommandRunner, output: Path) -> None:
    crawl("choice")
    before = modification_times(output)
    assert crawl("choice").json["new"] == 0
    assert modification_times(output) == before
