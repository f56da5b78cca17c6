"""The only room that speaks SQL: one file a noun. It takes and gives domain values."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sqlite_utils import Database

from crawler.items import Category
from crawler.storage.article_history import History
from crawler.storage.articles import Articles
from crawler.storage.categories import Categories
from crawler.storage.connection import errors_told, open_any, open_for_reading, open_for_writing
from crawler.storage.coverage import Covered
from crawler.storage.daily_counts import Days
from crawler.storage.paused_origins import Pauses
from crawler.storage.quarantine import Quarantine
from crawler.storage.raw_responses import Raw
from crawler.storage.reprints.clusters import Stories
from crawler.storage.reprints.queries import Reprints
from crawler.storage.runs import Runs
from crawler.storage.search import sql_functions
from crawler.storage.search.engine import Search
from crawler.storage.search.index import Index
from crawler.storage.site_pages import Pages
from crawler.storage.stocks import Stocks


def met_categories(output: Path) -> list[Category]:
    """The categories of a database that may not exist yet, or be of an older version; it stays as it is."""
    if (db := open_any(output)) is None:
        return []
    with db:
        return Categories(db).all()


class Store:
    """The database of one output folder, by noun."""

    def __init__(self, db: Database) -> None:
        self._db = db
        sql_functions.register(db.conn)
        self.articles = Articles(db)
        self.categories = Categories(db)
        self.runs = Runs(db)
        self.quarantine = Quarantine(db)
        self.history = History(db)
        self.covered = Covered(db)
        self.raw = Raw(db)
        self.pauses = Pauses(db)
        self.index = Index(db)
        self.search = Search(db)
        self.stocks = Stocks(db)
        self.pages = Pages(db)
        self.stories = Stories(db)
        self.reprints = Reprints(db)
        self.days = Days(db)

    @classmethod
    def writing(cls, output: Path) -> Self:
        """Open it for a crawl; it is made where it does not exist, its index caught up. Raises StoreError."""
        store = cls(open_for_writing(output))
        store.index.catch_up_all()
        return store

    @classmethod
    def reading(cls, output: Path) -> Self:
        """Open it for questions. Raises StoreError, also when there is none."""
        return cls(open_for_reading(output))

    @classmethod
    def reading_any(cls, output: Path) -> Self | None:
        """Open it for questions; None when there is none yet. Raises StoreError."""
        if (db := open_any(output)) is None:
            return None
        db.close()
        return cls.reading(output)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is written in here is committed together, or not at all. Raises StoreError."""
        with errors_told(), self._db.atomic():
            yield

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
