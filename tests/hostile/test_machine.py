"""A machine and an operator that fail: one line, the right exit code, nothing half-written."""

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
from tests.conftest import NO_MANNERS, Answer
from tests.hostile.conftest import crawl, finews

COLUMN = ("--column", "345")
NOBODY = 65534


@pytest.fixture(scope="module")
def site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


def without_rights(output: Path, *words: str) -> Answer:
    """A command by a user whose folder it is not. Root has to give up what lets it write everywhere."""
    command = [sys.executable, "-m", "crawler", *words, "--output", str(output)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv: apt-get install util-linux")
        for path in (output, *output.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def assert_one_line(answer: Answer, code: int, says: str) -> None:
    assert (answer.code, answer.out) == (code, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("finews: ")
    assert says in line


def test_a_folder_that_may_not_be_written_is_one_line_before_any_request(site: SampleSite, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    output.chmod(0o555)
    site.reset()
    assert_one_line(
        without_rights(output, "crawl", "--mirror", site.url, *NO_MANNERS),
        1,
        f"cannot write the output folder {output}",
    )
    assert list(site.requests) == []
    output.chmod(0o755)
    assert crawl(site, output, *COLUMN).answer.code == 0


def test_a_folder_that_another_user_crawls_is_one_line_and_stays_as_it_is(site: SampleSite, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs two users: run as root")
    output = tmp_path / "output"
    crawl(site, output, *COLUMN)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert_one_line(without_rights(output, "crawl", "--mirror", site.url, *NO_MANNERS), 1, "this user may not write it")
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_a_question_by_a_user_who_may_only_read_says_what_to_do(site: SampleSite, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs two users: run as root")
    output = tmp_path / "output"
    crawl(site, output, *COLUMN)
    answer = without_rights(output, "search", "公司")
    assert_one_line(answer, 1, "ask as its owner, or copy news.db")


def test_a_file_in_the_folders_place_is_one_line(site: SampleSite, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("mine")
    answer = finews("crawl", "--mirror", site.url, "--output", str(tmp_path / "output"))
    assert_one_line(answer, 1, "cannot write the output folder")
    assert (tmp_path / "output").read_text() == "mine"


def damage_header(database: Path) -> None:
    database.write_bytes(b"no database at all" * 400)


def damage_pages(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_header, damage_pages])
def test_a_damaged_database_is_one_line_and_can_be_made_anew(
    site: SampleSite, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    output = tmp_path / "output"
    crawl(site, output, *COLUMN)
    database = output / "news.db"
    damage(database)
    content = database.read_bytes()
    answer = finews("crawl", "--mirror", site.url, "--output", str(output), *COLUMN, *NO_MANNERS, "--quiet")
    assert_one_line(answer, 1, "finews rebuild db")
    assert database.read_bytes() == content
    database.rename(tmp_path / "damaged.db")
    for name in ("news.db-wal", "news.db-shm"):
        (output / name).unlink(missing_ok=True)
    assert finews("rebuild", "db", "--output", str(output)).code == 0
    assert crawl(site, output, *COLUMN).answer.code == 0


def test_a_database_that_another_program_locks_is_one_line_and_nothing_is_lost(
    site: SampleSite, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    crawl(site, output, *COLUMN)
    hasty = "from crawler.storage import connection; connection.BUSY_TIMEOUT_SECONDS = 0.5; from crawler.cli import main; main()"
    other = sqlite3.connect(output / "news.db")
    other.execute("BEGIN IMMEDIATE")
    words = ["crawl", "--mirror", site.url, "--output", str(output), "--quiet", *COLUMN, *NO_MANNERS]
    command = [sys.executable, "-c", hasty, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    other.close()
    assert_one_line(Answer(done.returncode, done.stdout, done.stderr), 1, "another program is writing to it")
    assert crawl(site, output, *COLUMN).answer.code == 0


def test_nothing_that_a_crawl_writes_is_for_all_to_write(site: SampleSite, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        crawl(site, tmp_path / "output", *COLUMN)
    finally:
        os.umask(old)
    written = [tmp_path / "output", *(tmp_path / "output").rglob("*")]
    assert len(written) > 5
    assert [path for path in written if path.stat().st_mode & stat.S_IWOTH] == []


def test_no_address_of_the_machine_and_no_secret_is_kept_or_told(site: SampleSite, tmp_path: Path) -> None:
    secret = ("--set", "CONTACT=me@private.example")
    crawled = crawl(site, tmp_path / "output", *COLUMN, *secret)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "output").rglob("*") if path.is_file())
    told = (crawled.answer.out + crawled.answer.err).encode()
    for word in (b"private.example", b"127.0.0.1", b"token=", b"Cookie"):
        assert word not in kept
        assert word not in told


MISTAKES = {
    "spider": (("crawl", "eastmony"), "there are choice, eastmoney, flash"),
    "category": (("crawl", "--category", "zhongguonongwan"), "did you mean zhongguonongwang"),
    "no category": (("crawl", "--category", ""), "--category"),
    "column": (("crawl", "--column", "35000"), "did you mean 350"),
    "near a column": (("crawl", "--column", "国内经"), "did you mean 国内经济"),
    "date": (("crawl", "--since", "2022-13-01"), "type 2022-01-10"),
    "date in words": (("crawl", "--since", "yesterday"), "such as 2d"),
    "dates the wrong way round": (("crawl", "--since", "2022-02-01", "--until", "2022-01-01"), "swap them"),
    "limit": (("crawl", "--limit", "0"), "--limit"),
    "limit in words": (("crawl", "--limit", "ten"), "--limit"),
    "mirror without scheme": (("crawl", "--mirror", "127.0.0.1:8000"), "type http://127.0.0.1:8000"),
    "mirror of a file": (("crawl", "--mirror", "file:///tmp"), "type http://"),
    "mirror with a password": (("crawl", "--mirror", "http://me:secret@127.0.0.1:9"), "type http://HOST"),
    "setting": (("crawl", "--set", "DOWNLOAD_DELY=1"), "did you mean DOWNLOAD_DELAY"),
    "setting of a spider": (("crawl", "--set", "SHARE_HOTS=x"), "did you mean SHARE_HOST"),
    "setting without value": (("crawl", "--set", "DOWNLOAD_DELAY"), "is not NAME=VALUE"),
    "setting of words": (("crawl", "--set", "DOWNLOAD_DELAY=slow"), "its value is a number"),
    "setting of blanks": (("crawl", "--set", "RETRY_TIMES= "), "its value is a number"),
    "setting of neither": (("crawl", "--set", "ROBOTSTXT_OBEY=maybe"), "its value is 1 or 0"),
    "setting of no object": (("crawl", "--set", "CHOICE_HOSTS={"), "its value is a JSON object"),
    "option": (("crawl", "--catgory", "x"), "--category"),
    "command": (("craw",), "No such command"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_exit_2_and_one_line_that_says_what_to_type(tmp_path: Path, name: str) -> None:
    words, says = MISTAKES[name]
    where = ("--output", str(tmp_path / "output")) if words[0] == "crawl" else ()
    answer = finews(*words, *where)
    assert_one_line(answer, 2, says)
    assert "secret" not in answer.err
    assert not (tmp_path / "output").exists()
