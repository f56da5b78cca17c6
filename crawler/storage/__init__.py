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
    """The categories of a database that may not exist yet, or be of an older version; it stays as it is."""
    if (db := open_database_of_any_version(output)) is None:
        return []
    with db, as_store_error(output / DATABASE_FILE_NAME):
        if not migrations.pending(db) and any(fault.hides_data for fault in find_schema_faults(db)):
            return []  # opened for writing, it is repaired
        return Categories(db).all()


class Store(Table):
    """The database of one output folder, by noun."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        # What another program wrote that this one cannot use, and what became of it.
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
        """Open it for a crawl; it is made where it does not exist, its index caught up.

        What another program has changed of the schema is repaired, and its rows that finews cannot use are repaired or
        set aside, as far as that can be seen without reading all of them. Raises StoreError.
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
        """Repair what another program has changed, as far as the schema, small tables and pending articles show it."""
        self.schema_faults = repair_schema(self._db)
        for fault in self.schema_faults:
            add_notice(f"news.db: {fault}; repaired: `finews verify --repair` looks for what that has left")
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
        """What another program has changed of the schema. Raises StoreError."""
        with as_store_error():
            return find_schema_faults(self._db)

    def row_repair(self, output: Path, site_links: SiteLinks | None = None) -> RowRepair:
        """What finds and repairs rows; articles are read from the posts of this folder, which link back to the site."""
        return RowRepair(self._db, output, site_links or load_site_links(output))

    def repair_rows(
        self, output: Path, site_links: SiteLinks | None = None, *, keep_orphans: bool = False
    ) -> list[RepairedRow]:
        """Repair all rows that finews cannot use, or set them aside. Only the holder of the lock may do this.

        `keep_orphans` leaves those alone whose row of another table is missing.

        Return what they were, which `repaired_rows` has too. Raises StoreError.
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
    def bad_values(self) -> set[BadValue]:
        """The values that were met, and that another program wrote so that finews cannot use them."""
        return self._db.bad_values if isinstance(self._db, NewsDatabase) else set()

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
