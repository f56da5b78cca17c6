"""What the tests of the site share: `finews site`, and an output folder that is crawled, and one that is built too."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CommandResult, CommandRunner
from tests.support.published_site import make_crawled_output, make_published_output


@pytest.fixture(scope="session")
def crawled_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Old and new articles, nothing built yet. Tests take a copy."""
    return make_crawled_output(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def published_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, built. Tests take a copy."""
    return make_published_output(tmp_path_factory.getbasetemp())


@pytest.fixture
def published_copy(published_output: Path, output: Path) -> Path:
    """A copy of the published site, to be changed."""
    shutil.copytree(published_output, output)
    return output


@pytest.fixture
def run_site(finews: CommandRunner, output: Path) -> Callable[..., CommandResult]:
    """Runs `finews site WORDS…` on the output folder."""

    def run(*args: str, **environment: str) -> CommandResult:
        return finews("site", *args, "--output", str(output), **environment)

    return run
