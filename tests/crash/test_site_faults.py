"""`finews site build`, and the pages that a crawl writes: killed at each call, and with each call made to fail.

What cannot be read or written is reported, exit code 1; what a kill left unfinished goes with the next run, which
makes the same site as one that was not disturbed. Of the calls to files of one kind, which differ by their names alone,
the first and the last are taken: FINEWS_EVERY is the stride through these, `make crash-test` takes every one. Without it
there are two a test, and no `--all`.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.support.commands import CommandResult, build_crawl_command
from tests.support.crash import CRAWL_ENVIRONMENT, missing_requirement
from tests.support.database import execute_sql

CALL_STRIDE = int(os.environ.get("FINEWS_EVERY", "0"))
DEFAULT_CALLS = 2
COMMANDS = ("site build", "crawl", *(("site build --all",) if CALL_STRIDE else ()))
CHANGING_CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,ftruncate,link"
READING_CALLS = "openat,read,pread64,newfstatat"
ERRORS = ("EIO", "ENOSPC")
# Jekyll takes seconds: what it has made of the same sources before is taken again.
CACHED_JEKYLL = """#!{python}
import hashlib, os, shutil, subprocess, sys
source, tree = (sys.argv[sys.argv.index(name) + 1] for name in ("--source", "--destination"))
paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(source) for name in names)
digest = hashlib.sha256()
for path in paths:
    digest.update(os.path.relpath(path, source).encode() + b"\\0" + open(path, "rb").read())
cached = os.path.join({cache!r}, digest.hexdigest())
if not os.path.exists(cached):
    if code := subprocess.call([{jekyll!r}, *sys.argv[1:]]):
        sys.exit(code)
    shutil.copytree(tree, f"{{cached}}.{{os.getpid()}}")
    try:
        os.rename(f"{{cached}}.{{os.getpid()}}", cached)
    except OSError:  # another one was faster
        pass
elif not os.path.exists(tree):
    shutil.copytree(cached, tree)
"""

pytestmark = [
    pytest.mark.jekyll,
    pytest.mark.skipif(bool(missing_requirement()), reason=missing_requirement()),
]


@dataclass(frozen=True)
class Fault:
    """A fault of one call: `call` is its number among those of its name, or among those to `path`."""

    name: str
    number: int
    injection: str
    path: str
    by_path: bool = False

    @property
    def kind(self) -> tuple[str, str]:
        """The call, and the folder and the ending of its file, without what is random or a date."""
        path = re.sub(r"\d+", "0", re.sub(r"\.finews-\w+\.part", ".part", self.path))
        folder, _, name = path.rpartition("/")
        return self.name, f"{folder}/*{Path(name).suffix}"

    def options(self, output: Path) -> list[str]:
        path_options = ["-P", str(output / self.path)] if self.by_path else []
        return [*path_options, "-e", f"inject={self.name}:{self.injection}:when={self.number}"]


@dataclass(frozen=True)
class PageScenario:
    """A command that writes pages, where it starts from, and what it makes of that when nothing fails."""

    command: Callable[[Path], list[str]]
    start_dir: Path
    scratch_dir: Path
    environment: dict[str, str]

    def run(self, output: Path, *strace_options: str) -> tuple[CommandResult, list[str]]:
        """Run the command, under strace if there are options for it, and return it with the traced calls."""
        trace_file = output.with_suffix(".log")
        strace = ["strace", "-y", "-o", str(trace_file), *strace_options] if strace_options else []
        completed = subprocess.run(
            [*strace, *self.command(output)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        trace = trace_file.read_text(errors="replace").splitlines() if strace else []
        return CommandResult(completed.returncode, completed.stdout, completed.stderr), trace

    def start(self, name: str) -> Path:
        output = self.scratch_dir / name
        shutil.copytree(self.start_dir, output)
        return output


def select_calls(faults: list[Fault]) -> list[Fault]:
    """Return every n-th of the first and the last calls of each kind; n is the stride."""
    firsts = {fault.kind: fault for fault in reversed(faults)}
    lasts = {fault.kind: fault for fault in faults}
    chosen = sorted({*firsts.values(), *lasts.values()}, key=faults.index)
    stride = CALL_STRIDE or -(-len(chosen) // DEFAULT_CALLS)
    return chosen[stride // 2 :: stride]


def read_output(output: Path) -> dict[str, str]:
    """All that is published or is to be, by path, as hashes: not the database, the logs and the record of a build.

    What could not be removed, and goes with the next run, is not published.
    """
    files = (path for path in output.rglob("*") if path.is_file())
    return {
        str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith("news.db")
        and path.name not in {".finews.json", ".crawl.lock", ".requests.log"}
        and ".finews-" not in str(path)
    }


@pytest.fixture(scope="module", params=COMMANDS)
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageScenario]:
    """Make a site with an archived month and a corrected article, and a folder whose next crawl finds articles."""
    scratch = tmp_path_factory.mktemp("scratch")
    jekyll, cache = scratch / "bin" / "jekyll", scratch / "cache"
    jekyll.parent.mkdir()
    cache.mkdir()
    jekyll.write_text(CACHED_JEKYLL.format(python=sys.executable, cache=str(cache), jekyll=shutil.which("jekyll")))
    jekyll.chmod(0o755)
    path = f"{jekyll.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**CRAWL_ENVIRONMENT, "PATH": path, "PYTHONHASHSEED": "0"}
    start = scratch / "start"
    finews = [sys.executable, "-m", "crawler"]
    with SampleSite(Corpus.sample(3, newest_at=clock.now() - timedelta(days=90))) as sample_site:

        def crawl(output: Path) -> list[str]:
            return build_crawl_command(sample_site.url, output, "eastmoney", "--column", "354")

        def build(output: Path) -> list[str]:
            options = request.param.split()[2:]
            return [*finews, "site", "build", "--keep-days", "30", "--quiet", "--output", str(output), *options]

        subprocess.run(crawl(start), env=environment, check=True)
        if request.param != "crawl":
            subprocess.run(build(start), env=environment, check=True)
            assert list((start / "_frozen").rglob("*.md"))
            execute_sql(start, "UPDATE articles SET title = '更正' WHERE code = (SELECT min(code) FROM articles)")
            subprocess.run([*finews, "rebuild", "posts", "--output", str(start)], check=True, capture_output=True)
        else:
            sample_site.corpus.publish(4)
        yield PageScenario(crawl if request.param == "crawl" else build, start, scratch, environment)


@pytest.fixture(scope="module")
def expected(scenario: PageScenario) -> dict[str, str]:
    output = scenario.start("undisturbed")
    result, _ = scenario.run(output)
    assert (result.exit_code, result.stderr) == (0, "")
    return read_output(output)


def changing_faults(scenario: PageScenario, injections: tuple[str, ...]) -> list[Fault]:
    """Each call that changes the folder, with one of these faults in turn."""
    output = scenario.start(f"changing-{injections[0]}".replace("=", "-"))
    result, trace = scenario.run(output, "-e", f"trace={CHANGING_CALLS}")
    assert (result.exit_code, result.stderr) == (0, "")
    numbers: Counter[str] = Counter()
    faults: list[Fault] = []
    for line in trace:
        name = line.partition("(")[0]
        numbers[name] += 1
        if found := find_path(output, line):
            faults.append(Fault(name, numbers[name], injections[len(faults) % len(injections)], found))
    return select_calls(faults)


def find_path(output: Path, line: str) -> str:
    """Return the path of a call, relative to the output folder, or an empty text."""
    found = re.search(rf'{re.escape(str(output))}/([^">]+)[">]', line)
    return found[1] if found else ""


def reading_faults(scenario: PageScenario) -> list[Fault]:
    """Each call that looks at a file or a folder which was there before or is the database."""
    output = scenario.start("reading")
    result, trace = scenario.run(output, "-e", f"trace={READING_CALLS}")
    assert (result.exit_code, result.stderr) == (0, "")
    numbers: Counter[tuple[str, str]] = Counter()
    faults = []
    for line in trace:
        path = find_path(output, line)
        if not path or " = -1 " in line or ".finews-" in path:
            continue
        name = line.partition("(")[0]
        numbers[name, path] += 1
        faults.append(Fault(name, numbers[name, path], "error=EIO", path, by_path=True))
    assert {"openat", "read"} <= {fault.name for fault in faults}
    return select_calls(faults)


def find_failures(scenario: PageScenario, expected: dict[str, str], faults: list[Fault]) -> list[str]:
    """Return a line for each failed fault."""
    assert faults
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        failures = pool.map(lambda numbered: _failure_of(scenario, expected, *numbered), enumerate(faults))
        return [failure for failure in failures if failure]


def _failure_of(scenario: PageScenario, expected: dict[str, str], number: int, fault: Fault) -> str:
    output = scenario.start(f"fault-{fault.injection[:8].replace('=', '-')}-{fault.name}-{number}")
    try:
        result, trace = scenario.run(output, *fault.options(output))
        if fault.injection.startswith("signal"):
            assert result.exit_code in {-signal.SIGKILL, 128 + signal.SIGKILL}
        else:
            assert any("(INJECTED)" in line for line in trace), "no such call"
            assert result.exit_code in {0, 1}, result.stderr
            assert re.fullmatch(r"finews: (?!internal error).+\n" if result.exit_code else "", result.stderr), (
                result.stderr
            )
            if result.exit_code == 0:
                assert differences(read_output(output), expected) == [], "a command that says it is done is not"
        again, _ = scenario.run(output)
        assert (again.exit_code, again.stderr) == (0, ""), again.stderr
        assert differences(read_output(output), expected) == []
        assert sorted(output.rglob(".finews-*.part")) == []
    except Exception as error:
        return f"{fault}: {error!r}"[:2000]
    shutil.rmtree(output)
    return ""


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    return sorted(path for path in found.keys() | expected.keys() if found.get(path) != expected.get(path))


def test_next_run_completes_the_pages_of_a_killed_one(scenario: PageScenario, expected: dict[str, str]) -> None:
    assert find_failures(scenario, expected, changing_faults(scenario, ("signal=KILL",))) == []


def test_failed_write_of_a_page_is_reported(scenario: PageScenario, expected: dict[str, str]) -> None:
    injections = tuple(f"error={name}" for name in ERRORS)
    assert find_failures(scenario, expected, changing_faults(scenario, injections)) == []


def test_failed_read_is_reported(scenario: PageScenario, expected: dict[str, str]) -> None:
    assert find_failures(scenario, expected, reading_faults(scenario)) == []


@pytest.mark.parametrize("scenario", [name for name in COMMANDS if name != "crawl"], indirect=True)
def test_site_that_jekyll_cannot_read_is_reported(
    scenario: PageScenario, expected: dict[str, str], tmp_path: Path
) -> None:
    """Of Jekyll's own calls those by which it opens what it makes the site of."""
    trace_file = tmp_path / "jekyll.log"
    wrapper = tmp_path / "bin" / "jekyll"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\nexec strace -o {trace_file} -e trace=openat $INJECT {shutil.which("jekyll")} "$@"\n'
    )
    wrapper.chmod(0o755)
    environment = {**scenario.environment, "PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}
    traced = PageScenario(scenario.command, scenario.start_dir, tmp_path, environment)
    result, _ = traced.run(traced.start("traced"))
    assert result.exit_code == 0, result.stderr
    opened = [line for line in trace_file.read_text().splitlines() if line.startswith("openat(")]
    numbers = [
        number
        for number, line in enumerate(opened, 1)
        if re.search(r'/source/|D, "[^/]', line) and " = -1 " not in line
    ]
    assert len(numbers) > 20
    for number in numbers[:: CALL_STRIDE * 10 or len(numbers) // 2]:
        output = traced.start(f"fault-{number}")
        failing = PageScenario(
            traced.command,
            traced.start_dir,
            tmp_path,
            {**environment, "INJECT": f"-e inject=openat:error=EIO:when={number}"},
        )
        result, _ = failing.run(output)
        assert "(INJECTED)" in trace_file.read_text()
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), (opened[number - 1], result.stderr)
        again, _ = scenario.run(output)
        assert (again.exit_code, again.stderr) == (0, "")
        assert differences(read_output(output), expected) == []
