"""Failures of the machine and the operator: one line, the right exit code, no incomplete file."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult
from tests.support.hostile import run_crawl

COLUMN_ARGS = ("--column", "345")
UNPRIVILEGED_UID = 65534


@pytest.fixture(scope="module")
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


def run_without_permissions(output: Path, *args: str) -> CommandResult:
    """Run a command that may not write everywhere: root drops the capabilities for it."""
    command = [sys.executable, "-m", "crawler", *args, "--output", str(output)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv: apt-get install util-linux")
        for path in (output, *output.rglob("*")):
            os.chown(path, UNPRIVILEGED_UID, UNPRIVILEGED_UID)
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", *command]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


def assert_one_line(result: CommandResult, code: int, expected_text: str) -> None:
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("finews: ")
    assert expected_text in line


def test_unwritable_output_is_one_line_before_any_request(sample_site: SampleSite, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    output.chmod(0o555)
    sample_site.reset()
    assert_one_line(
        run_without_permissions(output, "crawl", "--mirror", sample_site.url, *FAST_SETTINGS),
        1,
        f"cannot write the output folder {output}",
    )
    assert list(sample_site.requests) == []
    output.chmod(0o755)
    assert run_crawl(sample_site, output, *COLUMN_ARGS).result.exit_code == 0


def test_output_of_another_user_is_one_line_and_unchanged(sample_site: SampleSite, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs two users: run as root")
    output = tmp_path / "output"
    run_crawl(sample_site, output, *COLUMN_ARGS)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert_one_line(
        run_without_permissions(output, "crawl", "--mirror", sample_site.url, *FAST_SETTINGS),
        1,
        "this user may not write it",
    )
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_read_only_user_is_told_what_to_do(sample_site: SampleSite, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs two users: run as root")
    output = tmp_path / "output"
    run_crawl(sample_site, output, *COLUMN_ARGS)
    result = run_without_permissions(output, "search", "公司")
    assert_one_line(result, 1, "or copy news.db")


def test_file_in_place_of_output_dir_is_one_line(sample_site: SampleSite, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("mine")
    result = run_finews("crawl", "--mirror", sample_site.url, "--output", str(tmp_path / "output"))
    assert_one_line(result, 1, "cannot write the output folder")
    assert (tmp_path / "output").read_text() == "mine"


def overwrite_header(database: Path) -> None:
    database.write_bytes(b"no database at all" * 400)


def overwrite_pages(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)


@pytest.mark.parametrize("damage", [overwrite_header, overwrite_pages])
def test_damaged_database_is_one_line_and_can_be_rebuilt(
    sample_site: SampleSite, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    output = tmp_path / "output"
    run_crawl(sample_site, output, *COLUMN_ARGS)
    database = output / "news.db"
    damage(database)
    content = database.read_bytes()
    result = run_finews(
        "crawl", "--mirror", sample_site.url, "--output", str(output), *COLUMN_ARGS, *FAST_SETTINGS, "--quiet"
    )
    assert_one_line(result, 1, "finews rebuild db")
    assert database.read_bytes() == content
    database.rename(tmp_path / "damaged.db")
    for name in ("news.db-wal", "news.db-shm"):
        (output / name).unlink(missing_ok=True)
    assert run_finews("rebuild", "db", "--output", str(output)).exit_code == 0
    assert run_crawl(sample_site, output, *COLUMN_ARGS).result.exit_code == 0


def test_database_locked_by_another_program_is_one_line_and_loses_nothing(
    sample_site: SampleSite, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    run_crawl(sample_site, output, *COLUMN_ARGS)
    finews_with_short_lock_timeout = "from crawler.storage import connection; connection.BUSY_TIMEOUT_SECONDS = 0.5; from crawler.cli import main; main()"
    other_connection = sqlite3.connect(output / "news.db")
    other_connection.execute("BEGIN IMMEDIATE")
    args = ["crawl", "--mirror", sample_site.url, "--output", str(output), "--quiet", *COLUMN_ARGS, *FAST_SETTINGS]
    command = [sys.executable, "-c", finews_with_short_lock_timeout, *args]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    other_connection.close()
    assert_one_line(
        CommandResult(completed.returncode, completed.stdout, completed.stderr), 1, "another program is writing to it"
    )
    assert run_crawl(sample_site, output, *COLUMN_ARGS).result.exit_code == 0


def test_no_output_file_is_world_writable(sample_site: SampleSite, tmp_path: Path) -> None:
    old_umask = os.umask(0)
    try:
        run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS)
    finally:
        os.umask(old_umask)
    written = [tmp_path / "output", *(tmp_path / "output").rglob("*")]
    assert len(written) > 5
    assert [path for path in written if path.stat().st_mode & stat.S_IWOTH] == []


def test_no_local_path_or_secret_is_stored_or_printed(sample_site: SampleSite, tmp_path: Path) -> None:
    secret = ("--set", "CONTACT=me@private.example")
    finished_crawl = run_crawl(sample_site, tmp_path / "output", *COLUMN_ARGS, *secret)
    stored_bytes = b"".join(path.read_bytes() for path in (tmp_path / "output").rglob("*") if path.is_file())
    printed = (finished_crawl.result.stdout + finished_crawl.result.stderr).encode()
    for word in (b"private.example", b"127.0.0.1", b"token=", b"Cookie"):
        assert word not in stored_bytes
        assert word not in printed


USAGE_ERRORS = {
    "spider": (("crawl", "nosuchspider"), "there are choice, eastmoney, flash"),
    "category": (("crawl", "--category", "zhongguonongwan"), "did you mean zhongguonongwang"),
    "no category": (("crawl", "--category", ""), "--category"),
    "column": (("crawl", "--column", "35000"), "did you mean 350"),
    "near a column": (("crawl", "--column", "国内经"), "did you mean 国内经济"),
    "date": (("crawl", "--since", "2022-13-01"), "type 2022-01-10"),
    "date in words": (("crawl", "--since", "yesterday"), "such as 2d"),
    "dates the wrong way round": (("crawl", "--since", "2022-02-01", "--until", "2022-01-01"), "swap them"),
    "limit": (("crawl", "--limit", "0"), "--limit"),
    "limit in words": (("crawl", "--limit", "ten"), "--limit"),
    "mirror without scheme": (("crawl", "--mirror", "127.0.0.1:8000"), "use http://127.0.0.1:8000"),
    "mirror of a file": (("crawl", "--mirror", "file:///tmp"), "use http://"),
    "mirror with a password": (("crawl", "--mirror", "http://me:secret@127.0.0.1:9"), "use http://HOST"),
    "setting": (("crawl", "--set", "DOWNLOAD_DELY=1"), "did you mean DOWNLOAD_DELAY"),
    "setting of a spider": (("crawl", "--set", "SHARE_HOTS=x"), "did you mean SHARE_HOST"),
    "setting without value": (("crawl", "--set", "DOWNLOAD_DELAY"), "is not NAME=VALUE"),
    "setting of words": (("crawl", "--set", "DOWNLOAD_DELAY=slow"), "type a number"),
    "setting of blanks": (("crawl", "--set", "RETRY_TIMES= "), "type a number"),
    "setting of neither": (("crawl", "--set", "ROBOTSTXT_OBEY=maybe"), "type 1 or 0"),
    "setting of no object": (("crawl", "--set", "CHOICE_HOSTS={"), "type a JSON object"),
    "option": (("crawl", "--catgory", "x"), "--category"),
    "command": (("craw",), "No such command"),
}  # fmt: skip


@pytest.mark.parametrize("name", USAGE_ERRORS)
def test_usage_error_is_exit_code_2_and_one_line(tmp_path: Path, name: str) -> None:
    args, expected_text = USAGE_ERRORS[name]
    output_args = ("--output", str(tmp_path / "output")) if args[0] == "crawl" else ()
    result = run_finews(*args, *output_args)
    assert_one_line(result, 2, expected_text)
    assert "secret" not in result.stderr
    assert not (tmp_path / "output").exists()
