"""news.db is moved, deleted or replaced while a crawl writes to it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import ARTICLE_API_PATH, CommandResult
from tests.support.crash import (
    assert_recovered,
    count_saved_articles,
    crawl_command,
    read_posts,
    run_crawl,
    start_process,
    wait_for_exit,
)
from tests.support.held_responses import HeldResponses
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(40)) as served:
        yield served


def move_database(output: Path) -> None:
    (output / "news.db").rename(output / "moved.db")


def delete_database(output: Path) -> None:
    (output / "news.db").unlink()


def replace_database(output: Path) -> None:
    shutil.copy(output / "news.db", output / "copy.db")
    (output / "copy.db").replace(output / "news.db")


def delete_log(output: Path) -> None:
    (output / "news.db-wal").unlink()


def delete_index_of_log(output: Path) -> None:
    (output / "news.db-shm").unlink()


def move_folder(output: Path) -> None:
    output.rename(output.with_name("moved"))


def crawl_and_disturb(sample_site: SampleSite, output: Path, disturb: Callable[[Path], None]) -> CommandResult:
    """Crawl, and do something to the folder when half of the articles are saved."""
    held_responses = HeldResponses(sample_site, ARTICLE_API_PATH, pass_first=20)
    process = start_process(crawl_command(sample_site, output))
    wait_until(lambda: bool(held_responses.held_requests) and count_saved_articles(output) >= 10)
    disturb(output)
    held_responses.release()
    return wait_for_exit(process)


@pytest.mark.parametrize(
    ("disturb", "name"),
    [
        (move_database, "news.db"),
        (delete_database, "news.db"),
        (replace_database, "news.db"),
        (delete_log, "news.db-wal"),
        (delete_index_of_log, "news.db-shm"),
        (move_folder, "news.db"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_database_that_is_taken_away_during_a_crawl_is_reported(
    sample_site: SampleSite, output: Path, disturb: Callable[[Path], None], name: str
) -> None:
    sample_site.reset()
    result = crawl_and_disturb(sample_site, output, disturb)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result
    assert result.stderr.startswith(f"finews: {output / name} was ")
    assert "deleted" in result.stderr


@pytest.mark.parametrize("disturb", [move_database, delete_log, delete_index_of_log, move_folder])
def test_next_crawl_goes_on_when_the_database_is_back(
    sample_site: SampleSite, output: Path, tmp_path: Path, disturb: Callable[[Path], None]
) -> None:
    sample_site.reset()
    run_crawl(sample_site, tmp_path / "alone")
    crawl_and_disturb(sample_site, output, disturb)
    if disturb is move_database:
        (output / "moved.db").rename(output / "news.db")
    elif disturb is move_folder:
        shutil.rmtree(output, ignore_errors=True)
        output.with_name("moved").rename(output)
    run_crawl(sample_site, output)
    assert_recovered(output, read_posts(tmp_path / "alone"))


def test_database_that_is_back_in_time_changes_nothing(sample_site: SampleSite, output: Path, tmp_path: Path) -> None:
    sample_site.reset()
    run_crawl(sample_site, tmp_path / "alone")

    def move_and_put_back(output: Path) -> None:
        move_database(output)
        (output / "moved.db").rename(output / "news.db")

    result = crawl_and_disturb(sample_site, output, move_and_put_back)
    assert (result.exit_code, result.stderr) == (0, "")
    assert_recovered(output, read_posts(tmp_path / "alone"))
