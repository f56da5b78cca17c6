"""A crawl fills a disk that is too small, and goes on when there is room."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.crash.conftest import assert_healed, assert_sound, command, crawl_once, ended, hidden, start, visible

run = partial(subprocess.run, capture_output=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Two megabytes, a third of what the articles need."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or run(["mount", "-t", "tmpfs", "-o", "size=2m", "finews", str(folder)]).returncode
    ):
        pytest.skip("no file system may be mounted here")
    yield folder
    run(["umount", str(folder)])


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(120)) as served:
        yield served


def grow(disk: Path) -> None:
    run(["mount", "-o", "remount,size=64m", str(disk)])


def assert_fails_in_a_line(site: SampleSite, output: Path) -> None:
    answer = ended(start(command(site, output)))
    assert answer.code == 1
    assert re.fullmatch(r"finews: .+\n", answer.err), answer.err


def test_a_full_disk_ends_a_crawl_in_one_line_and_with_room_the_next_goes_on(
    site: SampleSite, disk: Path, tmp_path: Path
) -> None:
    crawl_once(site, tmp_path / "alone")
    right, output = visible(tmp_path / "alone"), disk / "output"
    for _ in range(3):
        assert_fails_in_a_line(site, output)
        assert_sound(output, right)
        assert hidden(output) == []
    assert 0 < len(visible(output)) < len(right)
    grow(disk)
    crawl_once(site, output)
    assert_healed(output, right)


def test_a_folder_that_filled_its_disk_can_be_moved_to_another(site: SampleSite, disk: Path, tmp_path: Path) -> None:
    crawl_once(site, tmp_path / "alone")
    assert_fails_in_a_line(site, disk / "output")
    shutil.copytree(disk / "output", tmp_path / "moved")
    crawl_once(site, tmp_path / "moved")
    assert_healed(tmp_path / "moved", visible(tmp_path / "alone"))
