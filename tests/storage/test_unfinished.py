"""Unfinished files: those of a killed run are removed when the next one begins, and no other files are."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.storage.output_dir import OutputDir
from crawler.storage.unfinished import unfinished_folder, unfinished_name

OTHERS = (
    ".notes.part",
    ".finews",
    "category/.finews-notes",
    "_site/.abcd1234.part",
    ".stage-abcdefgh/mine.txt",
    ".stage-fright/source/a.md",
    ".rebuild-scripts/news.sh",
    "_posts/.hidden.md",
    "_posts/2022/.2022-01-10-NW1.md.swp",
    "_posts/2022/.2022-01-10-NW1.md.backup",
    "news.db.before-rebuild-20220110T162036",
)


def kill_while_locked(output: Path) -> None:
    """Kill a process that holds the lock."""
    script = "import os, sys; from pathlib import Path; from crawler.storage.output_dir import OutputDir\n"
    script += "with OutputDir.lock(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    completed = subprocess.run([sys.executable, "-c", script, str(output)], check=False)
    assert completed.returncode == -signal.SIGKILL


def all_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()} - {".crawl.lock"}


@pytest.mark.parametrize("folder", ["", "_posts/2022/01/10", "_site/2022", "_site/.well-known", "_data", "category"])
def test_unfinished_files_of_a_killed_run_are_swept_and_no_others(output: Path, folder: str) -> None:
    (output / folder).mkdir(parents=True)
    kill_while_locked(output)
    for path in OTHERS:
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (output / path).write_text("somebody's")
    for name in ("0123456789abcdef", "2022-01-10-NW1.md"):
        (output / folder / unfinished_name(name)).write_text("half")
    work_dir = output / folder / ".finews-work.part"
    (work_dir / "tree").mkdir(parents=True)
    (work_dir / "tree" / "page.html").write_text("half")
    with OutputDir.lock(output):
        assert all_files(output) == {*OTHERS, ".finews-run.part"}
    assert all_files(output) == {*OTHERS}


def test_sweep_passes_over_work_in_progress_and_links(output: Path, tmp_path: Path) -> None:
    output.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / unfinished_name("page.html")).touch()
    (output / "linked").symlink_to(elsewhere)
    (output / ".finews-link.part").symlink_to(elsewhere)
    with unfinished_folder(output) as work_dir:  # as an export does, which takes no lock
        (work_dir / "half.csv").write_text("half")
        kill_while_locked(output)
        with OutputDir.lock(output):
            assert (work_dir / "half.csv").exists()
    assert not work_dir.exists()
    assert len(list(elsewhere.iterdir())) == 1


def test_folder_of_a_killed_export_is_swept_by_the_next(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from crawler.storage.unfinished import unfinished_folder\n"
    script += (
        "with unfinished_folder(Path(sys.argv[1])) as folder:\n (folder / 'half').touch()\n os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    (leftover,) = tmp_path.iterdir()
    with unfinished_folder(tmp_path) as first, unfinished_folder(tmp_path) as second:
        assert not leftover.exists()
        assert {*tmp_path.iterdir()} == {first, second}


def test_second_name_of_the_database_is_swept(output: Path) -> None:
    """Kill a `rebuild db` while the old database has both of its names."""
    output.mkdir()
    (output / "news.db").write_bytes(b"rows")
    backup = output / "news.db.before-rebuild-20220110T162036"
    backup.hardlink_to(output / "news.db")
    kill_while_locked(output)
    with OutputDir.lock(output):
        assert not backup.exists()
    assert (output / "news.db").read_bytes() == b"rows"


def test_folders_of_an_earlier_version_are_swept(output: Path) -> None:
    for path in (".stage-ab_d123x/source/_posts/a.md", ".rebuild-abcd123_/news.db"):
        (output / path).parent.mkdir(parents=True)
        (output / path).write_text("half")
    with OutputDir.lock(output):
        assert all_files(output) == {".finews-run.part"}


def test_asking_for_the_lock_changes_nothing(output: Path) -> None:
    output.mkdir()
    kill_while_locked(output)
    half = output / unfinished_name("page.html")
    half.touch()
    assert not OutputDir.is_locked(output)
    assert half.exists()
    with OutputDir.lock(output):
        assert OutputDir.is_locked(output)
        assert not half.exists()
