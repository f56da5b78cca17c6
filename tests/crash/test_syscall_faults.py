"""Each call by which a crawl or `finews rebuild db` changes its output folder fails, or is the last that it comes to.

FINEWS_EVERY is the stride through the calls; `make crash-test` takes every one.
"""

import os
import re
import shutil
import signal
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import CommandResult
from tests.support.crash import (
    PostContents,
    assert_consistent,
    assert_recovered,
    crawl_command,
    missing_requirement,
    partial_files,
    read_posts,
    run_crawl,
    start_process,
    wait_for_exit,
)
from tests.support.database import dump_database, leave_in_log, query_all

CALL_STRIDE = int(os.environ.get("FINEWS_EVERY", "200"))
# Sockets are written with others, and a quiet crawl writes nothing to stderr before it fails; so each of these is a
# call to the output folder, which `undisturbed_calls` makes sure of. Older and newer names of one call are one.
SYSCALL_NAMES = {
    "write": ("write",),
    "pwrite": ("pwrite64",),
    "sync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
    "unlink": ("unlink", "unlinkat"),
    "truncate": ("ftruncate",),
    "folder": ("mkdir", "mkdirat"),
    "mode": ("fchmod",),
}
INJECTED_ERRORS = ("ENOSPC", "EIO", "EACCES")
# A small site: this column has three articles.
SMALL_COLUMN_ARGS = ("--column", "354")
SIGKILL_EXIT_CODE = -signal.SIGKILL
# Batching by time would make the calls depend on the arrival of responses.
UNBATCHED_FINEWS = """
from crawler import pipelines
from crawler.cli import main
from crawler.crawl import tracker
pipelines._BATCH_WAIT = tracker._BATCH_WAIT = 0
main()
"""


pytestmark = pytest.mark.skipif(bool(missing_requirement()), reason=missing_requirement())


@dataclass(frozen=True)
class CrashScenario:
    """The state that crawls start from, and their result when nothing fails."""

    site: SampleSite
    start_dir: Path
    expected: PostContents
    scratch_dir: Path

    def run_traced_crawl(self, output: Path, name: str, *options: str) -> tuple[CommandResult, list[str]]:
        """Run a crawl under strace, and return it with the calls of its main thread."""
        if self.start_dir.exists():
            shutil.copytree(self.start_dir, output)
        trace_file = self.scratch_dir / f"{name}.log"
        names = ",".join(call for calls in SYSCALL_NAMES.values() for call in calls)
        strace_command = ["strace", "-y", "-o", str(trace_file), "-e", f"trace={names}", *options]
        python, _, _, *args = crawl_command(self.site, output, *SMALL_COLUMN_ARGS, "--set", "CONCURRENT_REQUESTS=1")
        result = wait_for_exit(start_process([*strace_command, python, "-c", UNBATCHED_FINEWS, *args]))
        return result, trace_file.read_text().splitlines()


@pytest.fixture(scope="module", params=["nothing", "what a kill left"])
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashScenario]:
    """Return a missing output folder, and one of a killed crawl with an unwritten post and an unfinished run."""
    scratch = tmp_path_factory.mktemp("scratch")
    with SampleSite(Corpus.sample(3)) as sample_site:
        run_crawl(sample_site, scratch / "right", *SMALL_COLUMN_ARGS)
        expected = read_posts(scratch / "right")
        assert len(expected) == 3
        from_nothing = CrashScenario(sample_site, scratch / "nothing", expected, scratch)
        if request.param == "nothing":
            yield from_nothing
        else:
            killed_dir = scratch / "left"
            from_nothing.run_traced_crawl(
                killed_dir, "left", "-e", "inject=rename,renameat,renameat2:signal=KILL:when=2"
            )
            assert len(partial_files(killed_dir)) == len(read_posts(killed_dir)) == 1
            yield CrashScenario(sample_site, killed_dir, expected, scratch)


@pytest.fixture(scope="module")
def undisturbed_calls(scenario: CrashScenario) -> dict[str, list[str]]:
    """Return the calls of an undisturbed crawl by name, in order; they are the same for the same initial state."""
    output = scenario.scratch_dir / "counted"
    result, trace = scenario.run_traced_crawl(output, "counted")
    assert (result.exit_code, result.stderr) == (0, "")
    assert_recovered(output, scenario.expected)
    calls_by_name: dict[str, list[str]] = {}
    for line in trace:
        name = line.partition("(")[0]
        if name.isalnum():
            assert str(output) in line, f"not a call to the output folder: {line}"
            calls_by_name.setdefault(name, []).append(line)
    return calls_by_name


def every_stride(calls: Sequence[str]) -> range:
    """Return the numbers, from 1, of the calls in the middle of each CALL_STRIDE of them."""
    return range(1 + min(CALL_STRIDE, len(calls)) // 2, len(calls) + 1, CALL_STRIDE)


def select_calls(calls: dict[str, list[str]], kind: str) -> list[tuple[str, int]]:
    """Return the calls to fail, each as name and number."""
    return [(name, occurrence) for name in SYSCALL_NAMES[kind] for occurrence in every_stride(calls.get(name, ()))]


def run_cases(scenario: CrashScenario, cases: list[tuple[str, int, str]]) -> list[str]:
    """Return a line for each failed case."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return [failure for failure in pool.map(lambda case: failure_of_case(scenario, *case), cases) if failure]


def failure_of_case(scenario: CrashScenario, name: str, occurrence: int, injection: str) -> str:
    label = f"{name}-{occurrence}-{injection.replace('=', '-')}"
    output = scenario.scratch_dir / label
    try:
        result, lines = scenario.run_traced_crawl(output, label, "-e", f"inject={name}:{injection}:when={occurrence}")
        assert_injected(result, lines, injection)
        assert_consistent(output, scenario.expected)
        if result.exit_code == 0:
            assert read_posts(output) == scenario.expected, "a crawl that says it is done is not"
        run_crawl(scenario.site, output, *SMALL_COLUMN_ARGS)
        assert_recovered(output, scenario.expected)
    except Exception as error:
        return f"{label}: {error!r}"[:2000]
    shutil.rmtree(output)
    return ""


def assert_injected(result: CommandResult, trace: list[str], injection: str) -> None:
    if injection == "signal=KILL":
        assert result.exit_code == SIGKILL_EXIT_CODE
        return
    injected_calls = [line for line in trace if "(INJECTED)" in line]
    assert len(injected_calls) == 1
    assert result.exit_code in {0, 1}, result.stderr
    # SQLite does without some calls, and their failure need not be reported.
    expected_stderr = r"finews: .+\n" if result.exit_code else ""
    assert re.fullmatch(expected_stderr, result.stderr), f"after {injected_calls[0]} stderr says: {result.stderr}"


@pytest.mark.parametrize("kind", SYSCALL_NAMES)
def test_next_crawl_recovers_from_kill_at_each_syscall(
    scenario: CrashScenario, undisturbed_calls: dict[str, list[str]], kind: str
) -> None:
    cases = [(name, occurrence, "signal=KILL") for name, occurrence in select_calls(undisturbed_calls, kind)]
    assert run_cases(scenario, cases) == []


@pytest.mark.parametrize("kind", SYSCALL_NAMES)
def test_failed_syscall_prints_one_line_and_next_crawl_recovers(
    scenario: CrashScenario, undisturbed_calls: dict[str, list[str]], kind: str
) -> None:
    """The errors take turns from call to call."""
    selected_calls = select_calls(undisturbed_calls, kind)
    cases = [
        (name, occurrence, f"error={INJECTED_ERRORS[number % len(INJECTED_ERRORS)]}")
        for number, (name, occurrence) in enumerate(selected_calls)
    ]
    assert run_cases(scenario, cases) == []


# `finews rebuild db`: also what it reads, since it must not take a disk that cannot be read for an empty one.

REBUILD_SYSCALL_NAMES = {
    **SYSCALL_NAMES,
    "open": ("openat",),
    "read": ("read", "pread64"),
    "link": ("link", "linkat"),
    "owner": ("chown", "fchown", "fchownat"),
}
# A user's table and column, whose rows only the old database has.
USER_ROWS = """
    CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT);
    INSERT INTO notes SELECT id, code FROM entries;
    ALTER TABLE categories ADD COLUMN country TEXT DEFAULT 'cn';
    UPDATE categories SET country = slug;
"""
REBUILD_INJECTIONS = ("signal=KILL", "error=ENOSPC", "error=EIO")


@dataclass(frozen=True)
class RebuildScenario:
    """A folder whose database is to be rebuilt, with a part of it in its log, and its rows."""

    start_dir: Path
    expected: dict[str, list[Any]]
    scratch_dir: Path

    def run_traced(self, output: Path, name: str, *options: str) -> tuple[CommandResult, list[str]]:
        shutil.copytree(self.start_dir, output)
        trace_file = self.scratch_dir / f"{name}.log"
        names = ",".join(call for calls in REBUILD_SYSCALL_NAMES.values() for call in calls)
        strace_command = ["strace", "-y", "-o", str(trace_file), "-e", f"trace={names}", *options]
        result = wait_for_exit(start_process([*strace_command, *rebuild_command(output)]))
        return result, trace_file.read_text(errors="replace").splitlines()


def rebuild_command(output: Path) -> list[str]:
    return [sys.executable, "-m", "crawler", "rebuild", "db", "--output", str(output)]


@pytest.fixture(scope="module")
def rebuild_scenario(tmp_path_factory: pytest.TempPathFactory) -> RebuildScenario:
    scratch = tmp_path_factory.mktemp("rebuilds")
    with SampleSite(Corpus.sample(3)) as sample_site:
        run_crawl(sample_site, scratch / "start", *SMALL_COLUMN_ARGS)
    database = scratch / "start" / "news.db"
    connection = sqlite3.connect(database)
    connection.executescript(USER_ROWS)
    connection.close()
    leave_in_log(database, "UPDATE notes SET note = 'in the log'")
    shutil.copytree(scratch / "start", scratch / "read")
    return RebuildScenario(scratch / "start", dump_database(scratch / "read" / "news.db"), scratch)


@pytest.fixture(scope="module")
def undisturbed_rebuild(rebuild_scenario: RebuildScenario) -> dict[str, list[int]]:
    """By call, which of them are to the output folder in an undisturbed rebuild."""
    output = rebuild_scenario.scratch_dir / "counted"
    result, trace = rebuild_scenario.run_traced(output, "counted")
    assert (result.exit_code, result.stderr) == (0, "")
    assert_rebuilt(output, rebuild_scenario.expected)
    occurrences: dict[str, list[int]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for line in trace:
        name = line.partition("(")[0]
        counts[name] += 1
        if str(output) in line:
            occurrences[name].append(counts[name])
    return occurrences


def assert_rebuilt(output: Path, expected: dict[str, list[Any]]) -> None:
    """Check that the database is intact and has every row."""
    assert query_all(output / "news.db", "PRAGMA integrity_check", "PRAGMA foreign_key_check") == [[("ok",)], []]
    assert dump_database(output / "news.db") == expected


def rebuild_failure(scenario: RebuildScenario, name: str, occurrence: int, injection: str) -> str:
    """Return the error of a rebuild, checking that the database is intact and has every row."""
    label = f"{name}-{occurrence}-{injection.replace('=', '-')}"
    output = scenario.scratch_dir / label
    try:
        result, lines = scenario.run_traced(output, label, "-e", f"inject={name}:{injection}:when={occurrence}")
        if injection == "signal=KILL":
            assert result.exit_code == SIGKILL_EXIT_CODE
        else:
            assert len([line for line in lines if "(INJECTED)" in line]) == 1
            assert result.exit_code in {0, 1}, result.stderr
            assert re.fullmatch(r"finews: .+\n" if result.exit_code else "", result.stderr), result.stderr
        shutil.copytree(output, scenario.scratch_dir / f"{label}-read")
        assert_rebuilt(scenario.scratch_dir / f"{label}-read", scenario.expected)
        if result.exit_code:
            again = wait_for_exit(start_process(rebuild_command(output)))
            assert (again.exit_code, again.stderr) == (0, "")
            assert_rebuilt(output, scenario.expected)
            assert list(output.glob(".rebuild-*")) == []
    except Exception as error:
        return f"{label}: {error!r}"[:2000]
    shutil.rmtree(output)
    shutil.rmtree(scenario.scratch_dir / f"{label}-read")
    return ""


@pytest.mark.parametrize("kind", REBUILD_SYSCALL_NAMES if CALL_STRIDE == 1 else ("read", "pwrite", "rename"))
def test_rebuild_with_failed_or_last_syscall_leaves_a_sound_database(
    rebuild_scenario: RebuildScenario, undisturbed_rebuild: dict[str, list[int]], kind: str
) -> None:
    calls = [(name, number) for name in REBUILD_SYSCALL_NAMES[kind] for number in undisturbed_rebuild.get(name, [])]
    # Of the calls that are many, each meets one of these, in turns.
    turns = len(REBUILD_INJECTIONS) if len(calls) > 50 else 1
    cases = [
        (*call, injection)
        for number, call in enumerate(calls)
        for injection in REBUILD_INJECTIONS[number % turns :: turns]
    ]
    if CALL_STRIDE > 1:  # each takes seconds: `make crash-test` takes all
        cases = cases[-2:]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        failures = pool.map(lambda case: rebuild_failure(rebuild_scenario, *case), cases)
        assert [failure for failure in failures if failure] == []
