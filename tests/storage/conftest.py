"""Database fixtures without a crawl."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.storage import Store
from tests.support.database import Query, tuple_query_function


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open_rw(tmp_path) as opened:
        yield opened


@pytest.fixture
def query_store(tmp_path: Path) -> Query:
    return tuple_query_function(tmp_path / "news.db")


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder for all examples of a property: creating a database for each takes longer than the test."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_store(shared_folder: Path) -> Iterator[Store]:
    with Store.open_rw(shared_folder) as opened:
        yield opened
