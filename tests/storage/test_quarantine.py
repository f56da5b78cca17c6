"""What could not be read is kept as it came."""

from crawler.storage import Store
from tests.support.database import Query
from tests.support.stored_articles import DEFAULT_CODE, LATER, NOW, quarantine_response


def test_same_response_is_quarantined_once_per_reason(store: Store, query_store: Query) -> None:
    first, second = (store.runs.start("choice", {}, NOW) for _ in range(2))
    assert quarantine_response(store, first) is True
    assert quarantine_response(store, first) is False
    assert quarantine_response(store, second, seen_at=LATER, url="http://b.cn/") is False
    assert (
        quarantine_response(store, second, reason="no time") is False
    )  # a reason is a text: the content is not new for another one
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
