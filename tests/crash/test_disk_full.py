"""A crawl fills a disk that is too small, and goes on when there is room."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.crash import (
    assert_consistent,
    assert_recovered,
    crawl_command,
    partial_files,
    read_posts,
    run_crawl,
    start_process,
    wait_for_exit,
)
from tests.support.database import dump_database, query_all

run_command = partial(subprocess.run, capture_output=True, check=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes, a third of what the articles need."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or run_command(["mount", "-t", "tmpfs", "-o", "size=2m", "finews", str(folder)]).returncode
    ):
        pytest.skip("no file system may be mounted here")
    yield folder
    run_command(["umount", str(folder)])


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(120)) as served:
        yield served


def enlarge_disk(disk: Path) -> None:
    run_command(["mount", "-o", "remount,size=64m", str(disk)])


def assert_fails_with_one_line(sample_site: SampleSite, output: Path) -> None:
    result = wait_for_exit(start_process(crawl_command(sample_site, output)))
    assert result.exit_code == 1
    assert re.fullmatch(r"finews: .+\n", result.stderr), result.stderr


def test_full_disk_prints_one_line_and_crawl_continues_once_there_is_room(
    sample_site: SampleSite, small_disk: Path, tmp_path: Path
) -> None:
    run_crawl(sample_site, tmp_path / "alone")
    expected, output = read_posts(tmp_path / "alone"), small_disk / "output"
    for _ in range(3):
        assert_fails_with_one_line(sample_site, output)
        assert_consistent(output, expected)
        assert partial_files(output) == []
    assert 0 < len(read_posts(output)) < len(expected)
    enlarge_disk(small_disk)
    run_crawl(sample_site, output)
    assert_recovered(output, expected)


def test_output_of_full_disk_can_be_moved_to_another_disk(
    sample_site: SampleSite, small_disk: Path, tmp_path: Path
) -> None:
    run_crawl(sample_site, tmp_path / "alone")
    assert_fails_with_one_line(sample_site, small_disk / "output")
    shutil.copytree(small_disk / "output", tmp_path / "moved")
    run_crawl(sample_site, tmp_path / "moved")
    assert_recovered(tmp_path / "moved", read_posts(tmp_path / "alone"))


def test_rebuild_on_any_size_of_full_disk_keeps_every_row(
    sample_site: SampleSite, small_disk: Path, tmp_path: Path
) -> None:
    """The disk has ever more room for the new database, until it is enough."""
    run_crawl(sample_site, tmp_path / "alone")
    expected = dump_database(tmp_path / "alone" / "news.db")
    enlarge_disk(small_disk)
    shutil.copytree(tmp_path / "alone", small_disk / "output")
    filler = small_disk / "filler"
    database_size = (small_disk / "output" / "news.db").stat().st_size
    outcomes = []
    for room in range(database_size // 4, 4 * database_size, database_size // 4):
        filler.unlink(missing_ok=True)
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(bytes(free - room))
        result = wait_for_exit(
            start_process([sys.executable, "-m", "crawler", "rebuild", "db", "--output", str(small_disk / "output")])
        )
        outcomes.append(result.exit_code)
        assert re.fullmatch(r"finews: .+\n" if result.exit_code else "", result.stderr), result.stderr
        shutil.rmtree(tmp_path / "read", ignore_errors=True)  # on the full disk there is no room to read it
        shutil.copytree(small_disk / "output", tmp_path / "read")
        assert query_all(tmp_path / "read" / "news.db", "PRAGMA integrity_check") == [[("ok",)]]
        assert dump_database(tmp_path / "read" / "news.db") == expected
        if result.exit_code == 0:
            break
    assert outcomes[0] == 1
    assert outcomes[-1] == 0
