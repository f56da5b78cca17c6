"""Storage of one output folder: the database, post files, lock, crash recovery. The only package with SQL."""

import sqlite3
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from crawler.errors import StoreError
from crawler.items import Category
from crawler.storage.article_history import ArticleHistory
from crawler.storage.article_restore import ArticleRestorer
from crawler.storage.article_upsert import ArticleUpserter
from crawler.storage.articles import Articles
from crawler.storage.categories import Categories
from crawler.storage.conditions import Conditions
from crawler.storage.connection import (
    DATABASE_FILE_NAME,
    FileIdentity,
    file_identity,
    files_in_use,
    open_database_of_any_version,
    open_database_ro,
    open_database_rw,
)
from crawler.storage.coverage import CoverageTable
from crawler.storage.daily_counts import DailyCounts
from crawler.storage.pauses import Pauses
from crawler.storage.quarantine import Quarantine
from crawler.storage.raw_responses import RawResponses
from crawler.storage.reprints.clusters import ReprintClusters
from crawler.storage.reprints.queries import ReprintQueries
from crawler.storage.robots_files import RobotsFiles
from crawler.storage.runs import Runs
from crawler.storage.search import sql_functions
from crawler.storage.search.engine import SearchEngine
from crawler.storage.search.index import SearchIndex
from crawler.storage.sightings import Sightings
from crawler.storage.site_pages import SitePages
from crawler.storage.stocks import Stocks
from crawler.storage.table import Table


def load_stored_categories(output: Path) -> list[Category]:
    """The categories of a database that may not exist yet, or be of an older version; it stays as it is."""
    if (db := open_database_of_any_version(output)) is None:
        return []
    with db:
        return Categories(db).all()


class Store(Table):
    """The database of one output folder, by noun."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        sql_functions.register_search_functions(db.conn)
        self.articles = Articles(db)
        self.article_upserter = ArticleUpserter(db)
        self.article_restorer = ArticleRestorer(db)
        self.sightings = Sightings(db)
        self.categories = Categories(db)
        self.runs = Runs(db)
        self.quarantine = Quarantine(db)
        self.history = ArticleHistory(db)
        self.coverage = CoverageTable(db)
        self.raw_responses = RawResponses(db)
        self.pauses = Pauses(db)
        self.conditions = Conditions(db)
        self.robots_files = RobotsFiles(db)
        self.search_index = SearchIndex(db)
        self.search = SearchEngine(db)
        self.stocks = Stocks(db)
        self.site_pages = SitePages(db)
        self.reprint_clusters = ReprintClusters(db)
        self.reprints = ReprintQueries(db)
        self.daily_counts = DailyCounts(db)
        self._files: dict[Path, FileIdentity] = {}

    @classmethod
    def open_rw(cls, output: Path) -> Self:
        """Open it for a crawl; it is made where it does not exist, its index caught up. Raises StoreError."""
        store = cls(open_database_rw(output))
        store.search_index.index_pending()
        store._files = {file: file_identity(file) for file in files_in_use(output / DATABASE_FILE_NAME)}
        return store

    @classmethod
    def open_ro(cls, output: Path) -> Self:
        """Open it for questions. Raises StoreError, also when there is none."""
        return cls(open_database_ro(output))

    @classmethod
    def open_ro_if_exists(cls, output: Path) -> Self | None:
        """Open it for questions; None when there is none yet. Raises StoreError."""
        if (db := open_database_of_any_version(output)) is None:
            return None
        db.close()
        return cls.open_ro(output)

    def check_in_place(self) -> None:
        """Raises StoreError when another program has moved, deleted or replaced a file that was opened for a crawl.

        SQLite goes on writing to a file that has lost its name, and reports nothing.
        """
        for file, identity in self._files.items():
            if file_identity(file) == identity:
                continue
            if file.name == DATABASE_FILE_NAME:
                raise StoreError(
                    f"{file} was moved, deleted or replaced while it was in use: put it back, or `finews rebuild db` "
                    "makes it again from the posts and what can be read of what is there"
                )
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what is in the log has no other place
            raise StoreError(
                f"{file} was deleted or replaced while it was in use: `finews verify` shows what is missing"
            )

    @property
    def connection(self) -> sqlite3.Connection:
        """For Datasette, which asks questions of its own."""
        return self._db.conn

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
