"""Quarantine: content that cannot be parsed is kept unchanged."""

from crawler.storage import Store
from crawler.storage.quarantine import KIND_ARTICLE
from tests.support.database import Query
from tests.support.stored_articles import DEFAULT_CODE, LATER, NOW, create_article, quarantine_response, save_article


def test_same_response_is_quarantined_once_per_reason(store: Store, query_store: Query) -> None:
    first, second = (store.runs.start("choice", {}, NOW) for _ in range(2))
    assert quarantine_response(store, first) is True
    assert quarantine_response(store, first) is False
    assert quarantine_response(store, second, seen_at=LATER, url="http://b.cn/") is False
    assert (
        quarantine_response(store, second, reason="no time") is False
    )  # the content is not new if only the text of the reason differs
    assert quarantine_response(store, second, b"\xff\xfe") is True
    assert query_store("SELECT run_id, reason, raw FROM quarantine ORDER BY id") == [
        (first, "the title is empty", b'{"title": ""}'),
        (second, "no time", b'{"title": ""}'),
        (second, "the title is empty", b"\xff\xfe"),
    ]
    quarantined = store.quarantine.unresolved()
    assert [row["reason"] for row in quarantined] == ["the title is empty", "no time", "the title is empty"]
    assert store.quarantine.get_raw(quarantined[2]["id"]) == b"\xff\xfe"


def test_quarantine_is_committed_at_once(store: Store, query_store: Query) -> None:
    quarantine_response(store, store.runs.start("choice", {}, NOW))
    assert query_store("SELECT code, seen_at FROM quarantine") == [(DEFAULT_CODE, "2022-01-10T17:00:00+08:00")]


def test_entry_leaves_quarantine_when_its_article_is_in(store: Store, query_store: Query) -> None:
    run_id = store.runs.start("choice", {}, NOW)
    quarantine_response(store, run_id)
    quarantine_response(store, run_id, b"<html>", kind=KIND_ARTICLE, spider="eastmoney")
    quarantine_response(store, run_id, b"{}", code="202201102242171632")
    save_article(store, create_article(fetched_at=LATER))
    assert [row["code"] for row in store.quarantine.unresolved()] == ["202201102242171632"]
    assert query_store("SELECT DISTINCT resolved_at FROM quarantine WHERE code = ?", DEFAULT_CODE) == [
        ("2022-01-10T18:00:00+08:00",)
    ]


def test_article_that_cannot_be_read_again_is_back_in_quarantine(store: Store) -> None:
    run_id = store.runs.start("choice", {}, NOW)
    for _ in range(2):
        quarantine_response(store, run_id, kind=KIND_ARTICLE)
        assert [row["code"] for row in store.quarantine.unresolved()] == [DEFAULT_CODE]
        save_article(store, create_article())
        assert store.quarantine.unresolved() == []


def test_bad_row_of_a_stored_article_is_kept_and_resolved(store: Store, query_store: Query) -> None:
    save_article(store, create_article())
    for _ in range(2):
        quarantine_response(store, store.runs.start("choice", {}, NOW))
        assert store.quarantine.unresolved() == []
    assert query_store("SELECT code FROM quarantine") == [(DEFAULT_CODE,)]
