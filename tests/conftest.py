"""What tests share: the sample site on loopback, and the real command against it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from crawler.sample_site import Corpus, SampleSite

# Their asserts say what differed, as those of a test file do. It has to be said before they are imported.
pytest.register_assert_rewrite("tests.support", "tests.injection.site_builder", "tests.injection.oracle")

from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult, CommandRunner
from tests.support.database import Query, query_function

# Nobody's own settings: not the folder that his crawls go to, nor his way to the net or his terminal.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name in {"FINEWS_OUTPUT", "FINEWS_QUEUE", "FORCE_COLOR", "NO_COLOR"}:
        del os.environ[name]

# A machine that stands still for a moment is no fault of what is tried.
settings.register_profile("finews", deadline=None)
settings.load_profile("finews")


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
    """Two workers a core: tests wait for servers, browsers and time-outs as long as they compute."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take the longest, so that no worker is left alone with one at the end."""
    places = {folder: place for place, folder in enumerate(_LONGEST_FOLDERS)}
    items.sort(key=lambda item: min((places[part] for part in item.path.parts if part in places), default=len(places)))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def finews(tmp_path: Path) -> CommandRunner:
    """Runs `finews WORDS…` in an empty folder, as a user does."""

    def run(*args: str, cwd: Path = tmp_path, **environment: str) -> CommandResult:
        if not environment:
            return run_finews(*args, cwd=cwd)
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
    """Runs one crawl of the sample site into `output`; its summary is the answer's value."""

    def run(spider: str = "eastmoney", *args: str) -> CommandResult:
        target_args = ("--mirror", sample_site.url, "--output", str(output))
        return finews("crawl", spider, *target_args, *FAST_SETTINGS, "--json", *args)

    return run


@pytest.fixture
def query(output: Path) -> Query:
    """Asks the database with the standard library's SQLite, as any other client would."""
    return query_function(output / "news.db")
