"""File systems without locks or shared memory, and folders that two users of a group share."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.sample_site import Corpus, SampleSite
from crawler.storage.connection import open_database_rw
from tests.support.commands import CommandResult, build_crawl_command
from tests.support.crash import WITHOUT_SITE_UPDATER
from tests.support.output_checks import assert_posts_match_rows

COLUMN_ARGS = ("--column", "354")
GROUP = 60_100
USERS = (60_001, 60_002)


@pytest.fixture(scope="module")
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(6)) as served:
        yield served


@pytest.fixture(scope="module")
def crawled_output(sample_site: SampleSite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("crawled") / "output"
    assert run(*crawl_command(sample_site, output)).exit_code == 0
    return output


@pytest.fixture
def output(crawled_output: Path, tmp_path: Path) -> Path:
    shutil.copytree(crawled_output, tmp_path / "output")
    return tmp_path / "output"


def run(*command: str) -> CommandResult:
    completed = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


def crawl_command(sample_site: SampleSite, output: Path) -> list[str]:
    return build_crawl_command(sample_site.url, output, "eastmoney", *WITHOUT_SITE_UPDATER, *COLUMN_ARGS)


def search_command(output: Path) -> list[str]:
    return [sys.executable, "-m", "crawler", "search", "公司", "--output", str(output)]


def run_without(file: Path, call: str, error: str, command: list[str]) -> CommandResult:
    """Run a command on a file system that does not support a call for a file."""
    strace = shutil.which("strace")
    if strace is None or run(strace, "-o", "/dev/null", "true").exit_code:
        pytest.skip("needs strace: apt-get install strace")
    injection = ("-P", str(file), "-e", f"trace={call}", "-e", f"inject={call}:error={error}")
    return run(strace, "-f", "-o", "/dev/null", *injection, *command)


@pytest.mark.parametrize("error", ["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def test_lock_file_of_a_disk_without_flock_is_reported_and_keeps_no_crawl_out(
    sample_site: SampleSite, output: Path, error: str
) -> None:
    (output / ".crawl.lock").write_bytes(b"")
    result = run_without(output / ".crawl.lock", "flock", error, crawl_command(sample_site, output))
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result
    assert f"cannot lock the output folder {output}: its file system has no locks" in result.stderr
    assert "--output DIR" in result.stderr
    assert run(*crawl_command(sample_site, output)) == CommandResult(0, "", "")


def test_lock_that_seems_held_permanently_is_reported(output: Path) -> None:
    """Check the message: SQLite reports ENOLCK as a lock of another program."""
    short_timeout = "from crawler.storage import connection; connection.BUSY_TIMEOUT_SECONDS = 0.5; from crawler.cli import main; main()"
    command = [sys.executable, "-c", short_timeout, "search", "公司", "--output", str(output)]
    result = run_without(output / "news.db", "fcntl", "ENOLCK", command)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result
    assert "the file system has no locks" in result.stderr
    assert "--output DIR" in result.stderr


@pytest.mark.parametrize("kind", ["crawl", "search"])
@pytest.mark.parametrize(
    ("file", "call", "error", "expected"),
    [
        ("news.db", "fcntl", "ENOSYS", "its file system has no locks"),
        ("news.db", "fcntl", "EOPNOTSUPP", "its file system has no locks"),
        ("news.db-shm", "mmap", "ENODEV", "its file system has no shared memory"),
        ("news.db-shm", "fcntl", "ENOSYS", "its file system has no"),
    ],
    ids=lambda value: value if value.isupper() or (value.islower() and " " not in value) else "",
)
def test_file_system_that_sqlite_cannot_use_is_reported(
    sample_site: SampleSite, output: Path, kind: str, file: str, call: str, error: str, expected: str
) -> None:
    command = crawl_command(sample_site, output) if kind == "crawl" else search_command(output)
    result = run_without(output / file, call, error, command)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result
    assert expected in result.stderr
    assert "--output DIR" in result.stderr
    assert run(*crawl_command(sample_site, output)) == CommandResult(0, "", "")


@pytest.mark.parametrize("umask", [0o002, 0o027, 0o077])
def test_umask_is_kept(sample_site: SampleSite, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        command = build_crawl_command(sample_site.url, tmp_path / "output", "eastmoney", *COLUMN_ARGS)
        assert run(*command).exit_code == 0
        rebuild = [sys.executable, "-m", "crawler", "rebuild", "db", "--output", str(tmp_path / "output")]
        assert run(*rebuild).exit_code == 0
        with open_database_rw(tmp_path / "output"):
            paths = [tmp_path / "output", *(tmp_path / "output").rglob("*")]
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    finally:
        os.umask(before)
    assert {"news.db", "news.db-wal", "news.db-shm", ".crawl.lock", "_posts", "index.html"} <= {
        path.name for path in paths
    }
    wrong = {path: oct(mode) for path, mode in modes.items() if mode != (0o777 if path.is_dir() else 0o666) & ~umask}
    assert wrong == {}


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """Create a folder of a group, outside pytest's own folder, which only its owner may enter."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs two users: run as root, with setpriv: apt-get install util-linux")
    with tempfile.TemporaryDirectory(prefix="finews-shared-", dir="/tmp") as folder:  # only for this test
        Path(folder).chmod(0o755)
        shared = Path(folder) / "shared"
        shared.mkdir()
        os.chown(shared, USERS[0], GROUP)
        shared.chmod(0o2775)
        yield shared


def run_as(user: int, *command: str) -> CommandResult:
    """Run as a user of the group, with a umask for the group, who may read the interpreter."""
    identity = (f"--reuid={user}", f"--regid={user}", f"--groups={GROUP}")
    capabilities = (
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    )
    return run("sh", "-c", 'umask 002; exec "$@"', "sh", "setpriv", *identity, *capabilities, *command)


def test_two_users_of_a_group_can_crawl_search_and_rebuild(sample_site: SampleSite, shared_folder: Path) -> None:
    output = shared_folder / "output"
    crawl = build_crawl_command(sample_site.url, output, "eastmoney")
    commands = [
        [*crawl, *COLUMN_ARGS],
        [*crawl, "--column", "350"],
        search_command(output),
        [sys.executable, "-m", "crawler", "rebuild", "db", "--output", str(output)],
        [sys.executable, "-m", "crawler", "rebuild", "posts", "--output", str(output)],
        [*crawl, "--column", "345"],
        [sys.executable, "-m", "crawler", "verify", "--repair", "--output", str(output)],
    ]
    for number, command in enumerate(commands):
        for user in (USERS[number % 2], USERS[1 - number % 2]):
            result = run_as(user, *command)
            assert (result.exit_code, result.stderr) == (0, ""), (user, command)
    (output / ".crawl.lock").chmod(0o644)  # as earlier versions created it
    for user in USERS:
        assert run_as(user, *crawl, *COLUMN_ARGS).exit_code == 0
    assert {path.stat().st_gid for path in output.rglob("*")} == {GROUP}
    assert_posts_match_rows(output)
