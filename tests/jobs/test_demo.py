"""`finews demo`: a crawl of the bundled sample site."""

import re
from pathlib import Path

import pytest

from tests.support.commands import CommandRunner

FIRST_CODE = "202201102242171631"


@pytest.fixture
def crawled_output(crawl: CommandRunner, output: Path) -> Path:
    crawl("choice")
    return output


def test_demo_crawls_the_sample_site_and_suggests_commands(finews: CommandRunner, tmp_path: Path) -> None:
    result = finews("demo", "--articles", "5")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "output" / "_posts/2022/01/10" / f"2022-01-10-NW{FIRST_CODE}.md").exists()
    code = re.search(r"finews show (\d{18,})", result.stdout)
    assert code
    assert finews("show", code[1]).exit_code == 0
    assert finews("demo", "--articles", "5").exit_code == 0


def test_demo_refuses_an_output_dir_with_real_news(finews: CommandRunner, crawled_output: Path) -> None:
    result = finews("demo", "--output", str(crawled_output))
    assert result.exit_code == 2
    assert "--output" in result.stderr
