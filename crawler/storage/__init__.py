"""Storage of one output folder: the database, post files, lock, crash recovery. The only package with SQL."""

import sqlite3
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from crawler.content import clock
from crawler.content.post_format import SiteLinks
from crawler.errors import StoreError
from crawler.items import Category
from crawler.storage.archived_pages import ArchivedPages
from crawler.storage.article_history import ArticleHistory
from crawler.storage.article_restore import ArticleRestorer
from crawler.storage.article_upsert import ArticleUpserter
from crawler.storage.articles import Articles
from crawler.storage.categories import Categories
from crawler.storage.conditions import Conditions
from crawler.storage.connection import (
    DATABASE_FILE_NAME,
    FileIdentity,
    NewsDatabase,
    as_store_error,
    file_identity,
    files_in_use,
    open_database_of_any_version,
    open_database_ro,
    open_database_rw,
)
from crawler.storage.coverage import CoverageTable
from crawler.storage.daily_counts import DailyCounts
from crawler.storage.health import Health
from crawler.storage.migrations import migrations
from crawler.storage.notices import add_notice
from crawler.storage.pauses import Pauses
from crawler.storage.quarantine import Quarantine
from crawler.storage.raw_responses import RawResponses
from crawler.storage.reprints.clusters import ReprintClusters
from crawler.storage.reprints.queries import ReprintQueries
from crawler.storage.robots_files import RobotsFiles
from crawler.storage.row_repair import RepairedRow, RowRepair
from crawler.storage.row_rules import BadValue
from crawler.storage.runs import Runs
from crawler.storage.schema_check import SchemaFault, find_lost_keys, find_schema_faults, repair_schema
from crawler.storage.search import sql_functions
from crawler.storage.search.engine import SearchEngine
from crawler.storage.search.index import ProgressReporter, SearchIndex
from crawler.storage.sightings import Sightings
from crawler.storage.site_links import load_site_links
from crawler.storage.site_pages import SitePages
from crawler.storage.stocks import Stocks
from crawler.storage.table import Table


def load_stored_categories(output: Path) -> list[Category]:
    """Return the categories of a database without changing it; it may be missing, or written by an older finews."""
    if (db := open_database_of_any_version(output)) is None:
        return []
    with db, as_store_error(output / DATABASE_FILE_NAME):
        if not migrations.pending(db) and any(fault.hides_data for fault in find_schema_faults(db)):
            return []  # repaired when the database is opened for writing
        return Categories(db).all()


class Store(Table):
    """Database of one output folder; one attribute per table or query topic."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        # Rows and schema changes by other programs that finews could not use, and how they were repaired.
        self.repaired_rows: list[RepairedRow] = []
        self.schema_faults: list[SchemaFault] = []
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
        self.health = Health(db)
        self.robots_files = RobotsFiles(db)
        self.search_index = SearchIndex(db)
        self.search = SearchEngine(db)
        self.stocks = Stocks(db)
        self.site_pages = SitePages(db)
        self.archived_pages = ArchivedPages(db)
        self.reprint_clusters = ReprintClusters(db)
        self.reprints = ReprintQueries(db)
        self.daily_counts = DailyCounts(db)
        self._files: dict[Path, FileIdentity] = {}

    @classmethod
    def open_rw(
        cls,
        output: Path,
        site_links: SiteLinks | None = None,
        report_index_progress: ProgressReporter | None = None,
    ) -> Self:
        """Open the database for writing, create or migrate it, and index the articles that are not indexed yet.

        Schema changes by other programs are repaired. So are rows that finews cannot use, as far as they can be found
        without reading all rows; rows that cannot be repaired are set aside. Raises StoreError.
        """
        db = open_database_rw(output)
        try:
            store = cls(db)
            path = output / DATABASE_FILE_NAME
            with as_store_error(path):
                store._repair_foreign_writes(output, site_links)
            store.search_index.index_pending(report_index_progress)
            store._files = {file: file_identity(file) for file in files_in_use(path)}
        except BaseException:
            db.close()
            raise
        return store

    def _repair_foreign_writes(self, output: Path, site_links: SiteLinks | None) -> None:
        """Repair changes by other programs that the schema, small tables and pending articles show."""
        self.schema_faults = repair_schema(self._db)
        for fault in self.schema_faults:
            add_notice(f"news.db: {fault}; repaired: run `finews verify --repair` to check the rows")
        if any(fault.name.startswith("trigger") for fault in self.schema_faults):
            self.site_pages.mark_all_stale()
        pending_codes = {*self.search_index.pending_codes(), *self.reprint_clusters.pending_codes()}
        if (
            self.schema_faults
            or find_lost_keys(self._db)
            or self.row_repair(output, site_links).has_bad_values(pending_codes)
        ):
            self.repair_rows(output, site_links)
        if not self.search_index.has_ids_left():
            self.search_index.rebuild()

    def find_schema_faults(self) -> list[SchemaFault]:
        """Return the differences between the schema and that of the migrations. Raises StoreError."""
        with as_store_error():
            return find_schema_faults(self._db)

    def row_repair(self, output: Path, site_links: SiteLinks | None = None) -> RowRepair:
        """Return a `RowRepair` that reads articles from the posts in `output`, whose links lead to `site_links`."""
        return RowRepair(self._db, output, site_links or load_site_links(output))

    def repair_rows(
        self, output: Path, site_links: SiteLinks | None = None, *, keep_orphans: bool = False
    ) -> list[RepairedRow]:
        """Repair all rows that finews cannot use, or set them aside. Requires the lock of the output folder.

        `keep_orphans` skips rows that refer to a missing row of another table. Return the repaired rows, which are
        added to `repaired_rows`. Raises StoreError.
        """
        repaired = self.row_repair(output, site_links).repair_all(clock.now(), keep_orphans=keep_orphans)
        tables = {row.bad_value.table for row in repaired} - {"search_pending", "story_pending"}
        if any(table.startswith("search_") for table in tables):
            self.search_index.rebuild()
        if any(table.startswith("story_") for table in tables):
            self.reprint_clusters.rebuild()
        for row in repaired:
            add_notice(str(row))
        self.repaired_rows += repaired
        return repaired

    @classmethod
    def open_ro(cls, output: Path) -> Self:
        """Open the database for reading. Raises StoreError, also where it is missing."""
        return cls(open_database_ro(output))

    @classmethod
    def open_ro_if_exists(cls, output: Path) -> Self | None:
        """Open the database for reading; return None where it is missing. Raises StoreError."""
        if (db := open_database_of_any_version(output)) is None:
            return None
        db.close()
        return cls.open_ro(output)

    def check_in_place(self) -> None:
        """Raise StoreError if a file of the database was moved, deleted or replaced since it was opened for writing.

        SQLite reports nothing: it keeps writing to a file that was deleted.
        """
        for file, identity in self._files.items():
            if file_identity(file) == identity:
                continue
            if file.name == DATABASE_FILE_NAME:
                raise StoreError(
                    f"{file} was moved, deleted or replaced while it was in use: put it back, or run `finews rebuild "
                    "db` to restore it from the posts and from the readable part of the file"
                )
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log's only copy is the file that was deleted
            raise StoreError(
                f"{file} was deleted or replaced while it was in use: run `finews verify` to find missing rows"
            )

    @property
    def bad_values(self) -> set[BadValue]:
        """Return the values of other programs that were read from this database and break a row rule."""
        return self._db.bad_values if isinstance(self._db, NewsDatabase) else set()

    @property
    def connection(self) -> sqlite3.Connection:
        """Return the SQLite connection, for Datasette's own queries."""
        return self._db.conn

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
