"""Fixtures of all tests: the sample site on the loopback interface, and the `finews` command."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from crawler.sample_site import Corpus, SampleSite

# Failed asserts in these modules show the values, as in test files. Must come before their import.
pytest.register_assert_rewrite("tests.support", "tests.injection.site_builder", "tests.injection.oracle")

from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.database import Query, query_function
from tests.support.programs import MARKERS_OF_FIXTURES, MISSING_PROGRAMS

# Settings of the developer's shell do not apply: output folder, queue, proxies, terminal colours.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name in {"FINEWS_OUTPUT", "FINEWS_QUEUE", "FORCE_COLOR", "NO_COLOR"}:
        del os.environ[name]

# A busy machine is not a bug: no time limit for an example.
settings.register_profile("finews", deadline=None)
settings.load_profile("finews")

# Folders whose tests start many processes or take seconds each.
_SLOW_FOLDERS = {"crash", "distributed", "fuzz", "hostile", "injection", "scrapy_commands", "web"}
# Folders of tests, the slowest first.
_LONGEST_FOLDERS = (
    "injection",
    "crash",
    "distributed",
    "jekyll",
    "web",
    "reprints",
    "hostile",
    "crawl",
    "jobs",
    "storage",
)


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers for each core: tests wait for servers, browsers and timeouts as long as they compute."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures and folders, and start the files that take longest first."""
    places = {folder: place for place, folder in enumerate(_LONGEST_FOLDERS)}
    items.sort(key=lambda item: min((places[part] for part in item.path.parts if part in places), default=len(places)))
    for item in items:
        for fixture in MARKERS_OF_FIXTURES.keys() & getattr(item, "fixturenames", ()):
            item.add_marker(MARKERS_OF_FIXTURES[fixture])
        if _SLOW_FOLDERS.intersection(item.path.parts):
            item.add_marker("slow")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker names a program that is not installed."""
    for marker in item.iter_markers():
        if marker.name in MISSING_PROGRAMS and (reason := MISSING_PROGRAMS[marker.name]()):
            pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def no_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ.pop("FINEWS_OUTPUT", None)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def finews(tmp_path: Path) -> CommandRunner:
    """Return a function that runs `finews ARGS…` in an empty folder."""

    def run(*args: str, cwd: Path = tmp_path, **environment: str) -> CommandResult:
        if not any(name.startswith("PYTHON") for name in environment):
            return run_finews(*args, cwd=cwd, environment=environment)
        completed = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:crawler", "-m", "crawler", *args],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)

    return run


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def crawl(finews: CommandRunner, sample_site: SampleSite, output: Path) -> CommandRunner:
    """Return a function that crawls the sample site into `output` and prints the summary as JSON."""

    def run(spider: str = "eastmoney", *args: str) -> CommandResult:
        target_args = ("--mirror", sample_site.url, "--output", str(output))
        return finews("crawl", spider, *target_args, *FAST_SETTINGS, "--json", *args)

    return run


@pytest.fixture
def query(output: Path) -> Query:
    """Return a function that queries the database with the standard library's SQLite."""
    return query_function(output / "news.db")
