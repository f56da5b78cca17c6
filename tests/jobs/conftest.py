"""Fixtures: the output folders that publishing jobs work on."""

import shutil
from pathlib import Path

import pytest

from tests.support.published_site import make_published_output


@pytest.fixture
def published_copy(tmp_path_factory: pytest.TempPathFactory, output: Path) -> Path:
    """Copy the published site for a test that changes it."""
    shutil.copytree(make_published_output(tmp_path_factory.getbasetemp()), output)
    return output
