"""Raw responses: kept unchanged."""

from pathlib import Path
from typing import Any

from sqlite_utils import Database

from crawler.items import ListingEntry, RawResponse
from crawler.storage import Store
from crawler.storage.connection import open_database_rw
from crawler.storage.migrations import migrations
from tests.support.database import Query
from tests.support.stored_articles import NOW, create_article, entry_for


def test_raw_response_is_kept_while_an_article_refers_to_it(store: Store, query_store: Query) -> None:
    first_entry, second_entry = entry_for(create_article()), entry_for(create_article(code="202201102242171632"))

    def keep_and_list(entry: ListingEntry, body: bytes) -> list[Any]:
        store.raw_responses.save("choice", entry, RawResponse("http://a.cn/", "text/html", body), NOW)
        return [
            *sorted(response.body for _, _, response in store.raw_responses.all()),
            *query_store("SELECT count(*) FROM raw_contents")[0],
        ]

    assert keep_and_list(first_entry, b"first") == [b"first", 1]
    assert keep_and_list(first_entry, b"first") == [b"first", 1]
    assert keep_and_list(second_entry, b"first") == [b"first", b"first", 1]
    assert keep_and_list(first_entry, b"second") == [b"first", b"second", 2]
    assert keep_and_list(second_entry, b"second") == [b"second", b"second", 1]
    assert keep_and_list(second_entry, b"third") == [b"second", b"third", 2]


def test_migration_removes_unreferenced_raw_responses(tmp_path: Path, query_store: Query) -> None:
    old_db = Database(tmp_path / "news.db")
    migrations.apply(old_db, stop_before="m011_raw_contents_in_use")
    old_db.execute("INSERT INTO raw_contents VALUES ('a', x'00'), ('b', x'00')")
    old_db.execute("INSERT INTO raw_replies VALUES ('1', 'choice', '', '', 0, '{}', 'b', '')")
    old_db.conn.commit()
    old_db.close()
    open_database_rw(tmp_path).close()
    assert query_store("SELECT sha256 FROM raw_contents") == [("b",)]
