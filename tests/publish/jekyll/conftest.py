"""Fixtures of the tests of the site: `finews site`, a crawled output folder, and a built one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CommandResult, CommandRunner
from tests.support.published_site import make_crawled_output, make_published_output


@pytest.fixture(scope="session")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crawl old and new articles, without a build. Tests make copies."""
    return make_crawled_output(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def published_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site of the crawled folder. Tests make copies."""
    return make_published_output(tmp_path_factory.getbasetemp())


@pytest.fixture
def published_copy(published_output: Path, output: Path) -> Path:
    """Return a copy of the published site that a test may change."""
    shutil.copytree(published_output, output)
    return output


@pytest.fixture
def run_site(finews: CommandRunner, output: Path) -> Callable[..., CommandResult]:
    """Return a function that runs `finews site WORDS…` on the output folder."""

    def run(*args: str, **environment: str) -> CommandResult:
        return finews("site", *args, "--output", str(output), **environment)

    return run
