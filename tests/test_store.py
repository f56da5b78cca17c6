"""The database of an output folder: articles with their revisions, the ledger of runs, the quarantine."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from crawler.content.dates import CHINA_TZ
from crawler.content.html_text import html_to_text
from crawler.content.post_format import SiteLinks, render_post
from crawler.content.stocks import extract_mentions
from crawler.crawl.policy.entry_filter import matches_listing
from crawler.errors import StoreError
from crawler.items import (
    Article,
    Category,
    KnownArticle,
    ListingEntry,
    Outcome,
    Post,
    RawResponse,
    Reason,
    RunOutcome,
    SavedArticle,
)
from crawler.storage import Store, load_stored_categories
from crawler.storage.connection import open_database_rw
from crawler.storage.migrations import migrations
from crawler.storage.quarantine import KIND_ROW

SITE = SiteLinks("//finews.withounder.com")
FARMERS = Category("zhongguonongwang", "中国农网", ("农网",))
CODE = "202201102242171631"
PUBLISHED = datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ)
NOW = datetime(2022, 1, 10, 17, 0, tzinfo=CHINA_TZ)
LATER = NOW + timedelta(hours=1)
PATH = f"_posts/2022/01/10/2022-01-10-NW{CODE}.md"
STOCK = '<a href="https://quote.eastmoney.com/unify/r/{}">{}</a>'

Query = Callable[..., list[Any]]


def article(body: str = "<p>正文</p>", **changes: Any) -> Article:
    parts: dict[str, Any] = {
        "code": CODE,
        "title": "题",
        "published_at": PUBLISHED,
        "media": "中国农网",
        "category": FARMERS,
        "spider": "eastmoney",
        "url": f"https://finance.eastmoney.com/a/{CODE}.html",
        "summary": "摘要",
        "body_html": body,
        "body_text": html_to_text(body),
        "mentions": extract_mentions(body),
        "columns": ("350",),
        "fetched_at": NOW,
    }
    parts |= changes
    parts.setdefault("entry", ListingEntry(parts["code"], parts["title"], parts["published_at"], "350", parts["url"]))
    return Article(**parts)


def listed(found: Article, **changes: Any) -> ListingEntry:
    """The listing entry that an article came from."""
    entry = ListingEntry(code=found.code, title=found.title, published=found.published_at, column="350", url=found.url)
    return replace(entry, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open_rw(tmp_path) as opened:
        yield opened


@pytest.fixture
def query(tmp_path: Path) -> Query:
    return asking(tmp_path)


def asking(folder: Path) -> Query:
    """Asks with the standard library's SQLite, as any other client would, and without waiting for a lock."""

    def run(sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(folder / "news.db", timeout=0)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    return run


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property: a new database for each would cost more than the test."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared_store(shared_folder: Path) -> Iterator[Store]:
    with Store.open_rw(shared_folder) as opened:
        yield opened


def save(store: Store, found: Article, entry: ListingEntry | None = None) -> SavedArticle:
    with store.transaction():
        recorded = store.article_upserter.upsert(replace(found, entry=entry or listed(found)), SITE)
        store.search_index.index_articles([found.code])
    return recorded


def owed(store: Store) -> list[tuple[str, int, str, str]]:
    """Code, revision, path and text of each post that is not written yet."""
    rows = store.articles.unwritten(9)
    return [(row["code"], row["revision"], row["post_path"], render_post(Post.from_row(row), SITE)) for row in rows]


# Articles


def test_a_new_article_is_a_row_and_is_owed_its_post(store: Store, query: Query) -> None:
    recorded = save(store, article())
    row = store.articles.get(CODE)
    assert row is not None
    assert (recorded.outcome, recorded.revision, recorded.post_path) == (Outcome.NEW, 1, PATH)
    assert recorded.post_text == render_post(Post.from_row(row), SITE)
    assert row["post_sha256"] == hashlib.sha256(recorded.post_text.encode()).hexdigest()
    assert {name: row[name] for name in ("title", "published_at", "media", "category", "source", "summary")} == {
        "title": "题", "published_at": "2022-01-10T16:20:36+08:00", "media": "中国农网", "category": "zhongguonongwang",
        "source": "eastmoney", "summary": "摘要",
    }  # fmt: skip
    assert (row["first_seen_at"], row["changed_at"], row["withdrawn_at"]) == ("2022-01-10T17:00:00+08:00", None, None)
    assert query("SELECT slug, media, aliases FROM categories") == [("zhongguonongwang", "中国农网", '["农网"]')]
    assert store.articles.column_ids(CODE) == ["350"]


def test_the_same_again_is_unchanged_and_owed_nothing(store: Store) -> None:
    save(store, article())
    store.articles.mark_post_written(CODE, 1)
    before = store.articles.get_full(CODE)
    recorded = save(store, article(fetched_at=LATER))
    assert (recorded.outcome, recorded.revision, recorded.post_text) == (Outcome.UNCHANGED, 1, "")
    assert store.articles.get_full(CODE) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "<div><p>正文</p></div>"},
        {"body": "<p><b>正</b>文</p>"},
        {"body": f"<p>{STOCK.format('1.600160', '正文')}</p>"},
        {"summary": "别的"},
        {"media": "Ｃ", "category": Category("c", "C")},
        {"url": "https://caifuhao.eastmoney.com/news/1"},
    ],
    ids=["box", "bold", "link", "summary", "media", "address"],
)
def test_a_change_of_anything_but_title_time_and_text_is_no_revision(store: Store, changes: dict[str, Any]) -> None:
    save(store, article())
    store.articles.mark_post_written(CODE, 1)
    before = store.articles.get(CODE)
    recorded = save(store, article(**changes))
    assert (recorded.outcome, recorded.post_text) == (Outcome.UNCHANGED, "")
    assert store.articles.get(CODE) == before
    assert store.articles.revisions(CODE) == []


CHANGES: dict[str, dict[str, Any]] = {
    "title": {"title": "新题"},
    "time": {"published_at": PUBLISHED + timedelta(days=3)},
    "text": {"body": "<p>正文更正</p>"},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_keeps_the_old_version_and_the_path(store: Store, changes: dict[str, Any]) -> None:
    save(store, article())
    store.articles.mark_post_written(CODE, 1)
    recorded = save(store, article(fetched_at=LATER, **changes))
    row = store.articles.get(CODE)
    assert row is not None
    assert (recorded.outcome, recorded.revision, recorded.post_path) == (Outcome.UPDATED, 2, PATH)
    assert recorded.post_text == render_post(Post.from_row(row), SITE)
    assert (row["revision"], row["post_path"], row["changed_at"]) == (2, PATH, "2022-01-10T18:00:00+08:00")
    assert row["first_seen_at"] == "2022-01-10T17:00:00+08:00"
    assert row["post_sha256"] == hashlib.sha256(recorded.post_text.encode()).hexdigest()
    assert store.articles.revisions(CODE) == [
        {
            "code": CODE, "revision": 1, "seen_at": "2022-01-10T17:00:00+08:00", "title": "题",
            "published_at": "2022-01-10T16:20:36+08:00", "body_html": "<p>正文</p>",
        }
    ]  # fmt: skip


def test_every_version_is_kept_with_the_time_it_was_seen(store: Store) -> None:
    for hours in range(4):
        save(store, article(f"<p>第{hours}版</p>", fetched_at=NOW + timedelta(hours=hours)))
    kept = [(row["revision"], row["body_html"], row["seen_at"][11:13]) for row in store.articles.revisions(CODE)]
    assert kept == [(1, "<p>第0版</p>", "17"), (2, "<p>第1版</p>", "18"), (3, "<p>第2版</p>", "19")]
    row = store.articles.get(CODE)
    assert row is not None
    assert (row["revision"], row["body_text"], row["changed_at"][11:13]) == (4, "第3版", "20")


def test_a_version_that_comes_back_is_another_revision(store: Store) -> None:
    for text in ("甲", "乙", "甲"):
        save(store, article(f"<p>{text}</p>"))
    row = store.articles.get(CODE)
    assert row is not None
    assert (row["revision"], row["body_text"]) == (3, "甲")
    assert [kept["body_html"] for kept in store.articles.revisions(CODE)] == ["<p>甲</p>", "<p>乙</p>"]


def test_full_text_takes_the_place_of_fast_news(store: Store) -> None:
    save(store, article("<p>快讯</p>", spider="flash", columns=("102",)))
    recorded = save(store, article("<p>全文</p>", columns=("350",)))
    row = store.articles.get(CODE)
    assert row is not None
    assert (recorded.outcome, recorded.revision, recorded.post_path) == (Outcome.UPDATED, 2, PATH)
    assert (row["source"], row["body_text"]) == ("eastmoney", "全文")
    assert [kept["body_html"] for kept in store.articles.revisions(CODE)] == ["<p>快讯</p>"]
    assert store.articles.column_ids(CODE) == ["102", "350"]


def test_full_text_that_says_the_same_takes_its_place_without_a_revision(store: Store) -> None:
    save(store, article("<p>全文</p>", spider="flash"))
    store.articles.mark_post_written(CODE, 1)
    recorded = save(store, article("<div><p>全文</p></div>", url="https://finance.eastmoney.com/b"))
    row = store.articles.get(CODE)
    assert row is not None
    assert (recorded.outcome, recorded.revision) == (Outcome.UNCHANGED, 1)
    assert (row["source"], row["revision"], row["body_html"]) == ("eastmoney", 1, "<div><p>全文</p></div>")
    assert recorded.post_text == render_post(Post.from_row(row), SITE)
    assert [text for *_, text in owed(store)] == [recorded.post_text]
    assert store.articles.revisions(CODE) == []


def test_mentions_are_those_of_the_text_that_stands(store: Store) -> None:
    first = "<p>" + STOCK.format("1.600160", "巨化") * 2 + STOCK.format("90.BK0493", "新能源") + "</p>"
    save(store, article(first))
    assert store.articles.mentions(CODE) == [
        {"secid": "1.600160", "kind": "stock", "name": "巨化", "count": 2},
        {"secid": "90.BK0493", "kind": "board", "name": "新能源", "count": 1},
    ]
    save(store, article("<p>今日" + STOCK.format("106.NIO", "蔚来") + "</p>"))
    assert [mention["secid"] for mention in store.articles.mentions(CODE)] == ["106.NIO"]


def test_columns_are_gathered_over_all_crawls(store: Store) -> None:
    save(store, article(columns=("350", "355")))
    save(store, article(columns=("344", "350")))
    assert store.articles.column_ids(CODE) == ["344", "350", "355"]
    assert {name: row["articles"] for name, row in store.articles.counts_by_column().items()} == {
        "344": 1, "350": 1, "355": 1,
    }  # fmt: skip


def test_a_category_that_stands_stays_as_it_is(store: Store) -> None:
    save(store, article())
    save(store, article(code="202201102242171632", category=Category("zhongguonongwang", "别名", ("x",))))
    assert store.categories.all() == [FARMERS]
    assert store.categories.with_article_counts()[0]["articles"] == 2


def test_what_fails_half_way_leaves_no_trace(store: Store, query: Query) -> None:
    blank = listed(article(), title=cast("str", None))
    with pytest.raises(StoreError, match="NOT NULL"):
        save(store, article(), blank)
    for table in ("articles", "categories", "article_columns", "mentions", "sightings"):
        assert query(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  # our own words only
    assert save(store, article()).outcome == Outcome.NEW


def test_what_nobody_has_is_none(store: Store) -> None:
    assert store.articles.get(CODE) is None
    assert store.articles.get_full(CODE) is None
    assert store.articles.revisions(CODE) == []
    assert store.articles.code_with_most_mentions() == ""
    assert store.articles.count() == 0


HOSTILE = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


@given(title=HOSTILE, summary=HOSTILE, body=HOSTILE)
@settings(max_examples=60, deadline=None)
def test_whatever_an_article_says_is_stored_as_it_is(shared_store: Store, title: str, summary: str, body: str) -> None:
    """Quotes, semicolons and percent signs are text to SQL, too."""
    save(shared_store, article(title=title, summary=summary, body_html=body, body_text=body))
    row = shared_store.articles.get(CODE)
    assert row is not None
    assert (row["title"], row["body_html"], row["body_text"]) == (title, body, body)
    assert shared_store.articles.count() == 1


# What is owed


def test_an_article_is_owed_its_post_until_it_stands(store: Store) -> None:
    recorded = save(store, article())
    assert owed(store) == [(CODE, 1, PATH, recorded.post_text)]
    store.articles.mark_post_written(CODE, 1)
    assert owed(store) == []


def test_a_post_of_an_older_revision_does_not_settle_the_debt(store: Store) -> None:
    save(store, article())
    recorded = save(store, article("<p>更正</p>"))
    store.articles.mark_post_written(CODE, 1)
    assert owed(store) == [(CODE, 2, PATH, recorded.post_text)]
    store.articles.mark_post_written(CODE, 2)
    assert owed(store) == []


def test_an_unchanged_article_whose_post_was_never_written_is_owed_it(store: Store) -> None:
    first = save(store, article())
    again = save(store, article("<div><p>正文</p></div>"))
    assert (again.outcome, again.revision, again.post_text) == (Outcome.UNCHANGED, 1, first.post_text)


# What is known


def test_what_is_known_of_a_page_is_asked_in_one_query(tmp_path: Path) -> None:
    db = open_database_rw(tmp_path)
    store = Store(db)
    codes = [str(int(CODE) + number) for number in range(100)]
    for code in codes[:3]:
        save(store, article(code=code))
    asked: list[str] = []
    db.conn.set_trace_callback(asked.append)
    known = store.articles.get_known(codes, "eastmoney")
    db.conn.set_trace_callback(None)
    assert len([sql for sql in asked if "SELECT" in sql]) == 1
    assert sorted(known) == codes[:3]
    store.close()


def known_of(store: Store, spider: str) -> KnownArticle:
    return store.articles.get_known([CODE], spider)[CODE]


def test_what_was_taken_in_is_known_with_what_its_listing_said(store: Store) -> None:
    found = article(title="文中的题")
    save(store, found, listed(found, title="列表的题"))
    known = known_of(store, "eastmoney")
    assert (known.source, known.title, known.rejection_reason) == ("eastmoney", "列表的题", "")
    assert matches_listing(known, listed(found, title="列表的题"))
    assert not matches_listing(known, listed(found))
    assert not matches_listing(known, listed(found, title="列表的题", published=LATER))


def test_another_spider_knows_that_it_is_kept_and_not_what_was_listed(store: Store) -> None:
    save(store, article())
    known = known_of(store, "flash")
    assert (known.source, known.title, known.published_at) == ("eastmoney", None, None)
    assert not matches_listing(known, listed(article()))


def test_what_was_refused_is_known_with_the_reason_to_its_spider_only(store: Store) -> None:
    store.sightings.mark_rejected(listed(article()), "eastmoney", "the title is empty")
    known = known_of(store, "eastmoney")
    assert (known.source, known.rejection_reason) == (None, "the title is empty")
    assert matches_listing(known, listed(article()))
    assert store.articles.get_known([CODE], "flash") == {}


def test_what_is_taken_in_after_a_refusal_is_refused_no_more(store: Store) -> None:
    store.sightings.mark_rejected(listed(article()), "eastmoney", "no text")
    save(store, article())
    assert known_of(store, "eastmoney").rejection_reason == ""


def test_what_was_never_met_is_not_known(store: Store) -> None:
    save(store, article())
    assert store.articles.get_known(["202201102242171632", "' OR 1=1 --", ""], "eastmoney") == {}
    assert store.articles.get_known([], "eastmoney") == {}


# The ledger

SUM = " + ".join(f'"{outcome}"' for outcome in Outcome)


def assert_the_books_balance(query: Query) -> None:
    assert query(f"SELECT id FROM runs WHERE finished_at IS NOT NULL AND listed != {SUM}") == []  # noqa: S608  # ours
    for outcome in Outcome:
        sql = f"""
            SELECT id FROM runs WHERE finished_at IS NOT NULL AND "{outcome}" !=
            (SELECT count(*) FROM entries WHERE run_id = runs.id AND entries.outcome = ?)
        """  # noqa: S608  # our own words only
        assert query(sql, str(outcome)) == []


def test_a_run_says_who_asked_what_and_when(store: Store) -> None:
    run_id = store.runs.start("eastmoney", {"category": "中国农网"}, NOW)
    run = store.runs.get(run_id)
    assert (run["spider"], json.loads(run["arguments"])) == ("eastmoney", {"category": "中国农网"})
    assert "中国农网" in run["arguments"]
    assert (run["started_at"], run["finished_at"], run["outcome"]) == ("2022-01-10T17:00:00+08:00", None, None)


def test_the_first_outcome_of_an_entry_stays(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    first, second = store.runs.add_entries(
        run_id, [(CODE, "350", None, None, ""), (CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "listed already")]
    )
    store.runs.set_outcome(first, Outcome.NEW, Reason.SCRAPED)
    store.runs.set_outcome(first, Outcome.FAILED, Reason.BUG, "too late")
    store.runs.set_outcome(second, Outcome.NEW, Reason.SCRAPED)
    assert query("SELECT id, outcome, reason, detail FROM entries ORDER BY id") == [
        (first, "new", "scraped", ""),
        (second, "duplicate", "listed_twice", "listed already"),
    ]


def test_an_outcome_is_there_for_others_at_once(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    (entry_id,) = store.runs.add_entries(run_id, [(CODE, "350", None, None, "")])
    assert query("SELECT outcome, reason FROM entries") == [(None, None)]
    store.runs.set_outcome(entry_id, Outcome.QUARANTINED, Reason.REJECTED, "the title is empty")
    assert query("SELECT outcome, reason, detail FROM entries") == [("quarantined", "rejected", "the title is empty")]


def test_what_got_no_answer_has_failed_when_the_run_is_closed(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    store.runs.add_entries(
        run_id, [(CODE, "350", None, None, ""), ("", "350", Outcome.QUARANTINED, Reason.UNREADABLE, "blank row")]
    )
    store.runs.fail_open_entries(run_id, "the crawl ended before its answer came")
    assert store.runs.entry_counts(run_id)["failed"] == 1
    assert query("SELECT reason FROM entries ORDER BY id") == [("interrupted",), ("unreadable",)]
    store.runs.finish(run_id, RunOutcome.PARTIAL, LATER, "why")
    run = store.runs.get(run_id)
    assert (run["outcome"], run["finished_at"], run["detail"]) == ("partial", "2022-01-10T18:00:00+08:00", "why")
    assert (run["listed"], run["failed"], run["quarantined"]) == (2, 1, 1)
    assert_the_books_balance(query)


OUTCOMES = st.none() | st.sampled_from(list(Outcome))


@given(runs=st.lists(st.lists(st.tuples(OUTCOMES, OUTCOMES), max_size=12), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_every_run_lists_as_many_entries_as_have_an_outcome(
    shared_store: Store, shared_folder: Path, runs: list[list[tuple[Outcome | None, Outcome | None]]]
) -> None:
    open_runs = []
    for entries in runs:
        run_id = shared_store.runs.start("eastmoney", {}, NOW)
        rows = [
            (f"{CODE}{place}", "350", decided, Reason.SCRAPED if decided else None, "")
            for place, (decided, _) in enumerate(entries)
        ]
        ids = shared_store.runs.add_entries(run_id, rows)
        for entry_id, (_, later) in zip(ids, entries, strict=True):
            if later:
                shared_store.runs.set_outcome(entry_id, later, Reason.SCRAPED)
        open_runs.append((run_id, len(entries)))
    for run_id, length in open_runs:
        shared_store.runs.fail_open_entries(run_id, "no answer")
        shared_store.runs.finish(run_id, RunOutcome.DONE, LATER)
        assert shared_store.runs.get(run_id)["listed"] == length
    assert_the_books_balance(asking(shared_folder))


def test_what_a_killed_crawl_left_open_is_closed_once(store: Store, query: Query) -> None:
    killed = [store.runs.start("eastmoney", {}, NOW) for _ in range(2)]
    store.runs.add_entries(
        killed[0], [(CODE, "350", None, None, ""), (CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "")]
    )
    closed = store.runs.start("flash", {}, NOW)
    store.runs.finish(closed, RunOutcome.DONE, NOW)
    assert store.runs.open_run_ids() == killed
    store.runs.finish_interrupted_runs(LATER)
    assert store.runs.open_run_ids() == []
    store.runs.finish_interrupted_runs(LATER + timedelta(hours=1))
    assert {store.runs.get(run_id)["finished_at"] for run_id in killed} == {"2022-01-10T18:00:00+08:00"}
    assert query("SELECT outcome, listed, failed, duplicate FROM runs ORDER BY id") == [
        ("interrupted", 2, 1, 1),
        ("interrupted", 0, 0, 0),
        ("done", 0, 0, 0),
    ]
    assert store.runs.get(closed)["finished_at"] == "2022-01-10T17:00:00+08:00"
    assert_the_books_balance(query)


def test_a_closed_run_adds_the_columns_that_listed_an_article(store: Store) -> None:
    save(store, article(columns=("350",)))
    run_id = store.runs.start("eastmoney", {}, NOW)
    rows: list[tuple[str, str, Outcome | None, Reason | None, str]] = [
        (CODE, "350", Outcome.UNCHANGED, Reason.NOT_MODIFIED, ""),
        (CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, ""),
        ("5" * 18, "344", Outcome.FILTERED, Reason.OVER_LIMIT, ""),
    ]  # fmt: skip
    store.runs.add_entries(run_id, rows)
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    assert store.articles.column_ids(CODE) == ["350", "355"]


def test_the_latest_runs_come_first(store: Store) -> None:
    ids = [store.runs.start("eastmoney", {}, NOW) for _ in range(3)]
    assert [run["id"] for run in store.runs.latest(2)] == [ids[2], ids[1]]


# The quarantine


def keep(store: Store, run_id: int, body: bytes = b'{"title": ""}', **changes: Any) -> bool:
    reply = RawResponse(changes.pop("url", "http://a.cn/"), "application/json", body)
    parts = {"spider": "choice", "kind": KIND_ROW, "code": CODE, "reason": "the title is empty", "seen_at": NOW}
    return store.quarantine.add(reply, run_id=run_id, **{**parts, **changes})


def test_the_same_raw_reply_is_kept_once_for_each_reason(store: Store, query: Query) -> None:
    first, second = (store.runs.start("choice", {}, NOW) for _ in range(2))
    assert keep(store, first) is True
    assert keep(store, first) is False
    assert keep(store, second, seen_at=LATER, url="http://b.cn/") is False
    assert keep(store, second, reason="no time") is False  # a reason is a text: the content is not new for another one
    assert keep(store, second, b"\xff\xfe") is True
    assert query("SELECT run_id, reason, raw FROM quarantine ORDER BY id") == [
        (first, "the title is empty", b'{"title": ""}'),
        (second, "no time", b'{"title": ""}'),
        (second, "the title is empty", b"\xff\xfe"),
    ]
    kept = store.quarantine.unresolved()
    assert [row["reason"] for row in kept] == ["the title is empty", "no time", "the title is empty"]
    assert store.quarantine.get_raw(kept[2]["id"]) == b"\xff\xfe"


def test_what_is_kept_is_there_for_others_at_once(store: Store, query: Query) -> None:
    keep(store, store.runs.start("choice", {}, NOW))
    assert query("SELECT code, seen_at FROM quarantine") == [(CODE, "2022-01-10T17:00:00+08:00")]


# Replies as they came


def test_a_reply_is_kept_as_long_as_an_article_names_it(store: Store, query: Query) -> None:
    one, other = listed(article()), listed(article(code="202201102242171632"))

    def kept(entry: ListingEntry, body: bytes) -> list[Any]:
        store.raw_responses.save("choice", entry, RawResponse("http://a.cn/", "text/html", body), NOW)
        return [
            *sorted(reply.body for _, _, reply in store.raw_responses.all()),
            *query("SELECT count(*) FROM raw_contents")[0],
        ]

    assert kept(one, b"first") == [b"first", 1]
    assert kept(one, b"first") == [b"first", 1]
    assert kept(other, b"first") == [b"first", b"first", 1]
    assert kept(one, b"second") == [b"first", b"second", 2]
    assert kept(other, b"second") == [b"second", b"second", 1]
    assert kept(other, b"third") == [b"second", b"third", 2]


def test_replies_that_no_article_names_any_more_go_with_the_next_version(tmp_path: Path, query: Query) -> None:
    older = Database(tmp_path / "news.db")
    migrations.apply(older, stop_before="m011_raw_contents_in_use")
    older.execute("INSERT INTO raw_contents VALUES ('a', x'00'), ('b', x'00')")
    older.execute("INSERT INTO raw_replies VALUES ('1', 'choice', '', '', 0, '{}', 'b', '')")
    older.conn.commit()
    older.close()
    open_database_rw(tmp_path).close()
    assert query("SELECT sha256 FROM raw_contents") == [("b",)]


# Opening


def test_reading_where_there_is_no_database_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no finews database at .*: `finews crawl` makes one"):
        Store.open_ro(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load_stored_categories(tmp_path) == []


def test_an_empty_file_is_no_database_yet(tmp_path: Path) -> None:
    (tmp_path / "news.db").touch()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == []
    with Store.open_rw(tmp_path) as store:
        assert store.articles.count() == 0


def test_another_programs_database_is_none_of_ours(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "news.db")
    other.execute("CREATE TABLE articles (id INTEGER)")
    other.close()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    (tmp_path / "news.db").write_bytes(b"this is not a database " * 100)
    with pytest.raises(StoreError, match=r"news\.db: file is not a database"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == b"this is not a database " * 100


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_a_damaged_database_is_a_store_error(tmp_path: Path, opening: Callable[[Path], Store]) -> None:
    with Store.open_rw(tmp_path) as store:
        for number in range(20):
            save(store, article("<p>" + "正文" * 2_000 + "</p>", code=str(int(CODE) + number)))
    path = tmp_path / "news.db"
    damaged = path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="malformed"), opening(tmp_path) as store:
        store.articles.get(CODE)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    db = open_database_rw(tmp_path)
    db.execute("UPDATE _sqlite_migrations SET name = 'm999_from_the_future' WHERE name LIKE 'm001%'")
    db.conn.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = (tmp_path / "news.db").read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer finews .*m999_from_the_future.*: update finews"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == before


def test_an_older_database_is_told_to_readers_and_brought_up_to_date_by_a_crawl(tmp_path: Path) -> None:
    with Database(memory=True) as blank:
        newest = migrations.pending(blank)[-1]
    with Database(tmp_path / "news.db") as older:
        migrations.apply(older, stop_before=newest.name)
        older.table("categories").insert({"slug": "zhongguonongwang", "media": "中国农网", "aliases": '["农网"]'})
    with pytest.raises(StoreError, match=r"written by an older finews: the next `finews crawl` brings it up to date"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == [FARMERS]
    with Store.open_rw(tmp_path) as store:
        assert save(store, article()).outcome == Outcome.NEW
    with Store.open_ro(tmp_path) as store:
        assert store.categories.all() == [FARMERS]


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_a_folder_in_the_place_of_the_database_is_a_store_error(
    tmp_path: Path, opening: Callable[[Path], Store]
) -> None:
    (tmp_path / "news.db").mkdir()
    with pytest.raises(StoreError, match=r"news\.db"):
        opening(tmp_path)


def test_who_only_reads_cannot_change_anything(store: Store, tmp_path: Path, query: Query) -> None:
    save(store, article())
    with Store.open_ro(tmp_path) as reading:
        assert reading.articles.get(CODE) == store.articles.get(CODE)
        for change in (
            lambda: save(reading, article("<p>x</p>")),
            lambda: reading.articles.mark_post_written(CODE, 1),
            lambda: reading.sightings.mark_rejected(listed(article()), "eastmoney", "x"),
            lambda: reading.runs.start("eastmoney", {}, NOW),
        ):
            with pytest.raises(StoreError, match="readonly"):
                change()
    assert query("SELECT body_text, published_revision FROM articles") == [("正文", None)]


def test_the_categories_that_were_met_can_be_asked_for_alone(store: Store, tmp_path: Path) -> None:
    save(store, article())
    assert load_stored_categories(tmp_path) == [FARMERS]


# Others at the same time


def test_others_read_the_old_state_while_a_write_is_open(tmp_path: Path, query: Query) -> None:
    db = open_database_rw(tmp_path)
    store = Store(db)
    save(store, article())
    with db.atomic():
        db.execute("UPDATE articles SET title = 'half written'")
        assert query("SELECT title FROM articles") == [("题",)]
        with Store.open_ro(tmp_path) as reading:
            found = reading.articles.get(CODE)
            assert found is not None
            assert found["title"] == "题"
    assert query("SELECT title FROM articles") == [("half written",)]
    store.close()


def test_a_reader_keeps_its_view_while_the_crawl_goes_on(store: Store, tmp_path: Path, query: Query) -> None:
    save(store, article())
    reader = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    save(store, article(code="202201102242171632"))
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    reader.execute("COMMIT")
    reader.close()
    assert query("SELECT count(*) FROM articles") == [(2,)]


def test_nothing_stays_locked_between_two_calls(store: Store, tmp_path: Path) -> None:
    """Each call ends its transaction, or another writer would wait until the crawl is over."""
    other = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)

    def write() -> None:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")

    run_id = store.runs.start("eastmoney", {}, NOW)
    write()
    (entry_id,) = store.runs.add_entries(run_id, [(CODE, "350", None, None, "")])
    write()
    store.articles.get_known([CODE], "eastmoney")
    save(store, article())
    write()
    store.articles.mark_post_written(CODE, 1)
    write()
    store.sightings.mark_rejected(listed(article(), code="5" * 18), "eastmoney", "x")
    write()
    keep(store, run_id)
    write()
    keep(store, run_id)
    write()
    store.runs.set_outcome(entry_id, Outcome.NEW, Reason.SCRAPED)
    write()
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    write()
    other.close()


def test_what_a_crawl_has_listed_is_asked_of_its_entries_alone(store: Store) -> None:
    earlier = store.runs.start("eastmoney", {}, NOW)
    store.runs.add_entries(earlier, [("1", "350", Outcome.NEW, Reason.SCRAPED, "")])
    before = store.runs.last_entry_id()
    run = store.runs.start("eastmoney", {}, NOW)
    assert store.runs.find_listed(before, "350", ["1", "2"]) == (set(), set())
    store.runs.add_entries(
        run,
        [
            ("2", "350", None, None, ""),
            ("3", "344", Outcome.UNCHANGED, Reason.NOT_MODIFIED, ""),
            ("4", "350", Outcome.FILTERED, Reason.OTHER_CATEGORY, ""),
            ("5", "350", Outcome.FILTERED, Reason.NO_BODY, ""),
        ],
    )
    listed = store.runs.find_listed(before, "350", ["1", "2", "3", "4", "5", "6"])
    assert listed.in_run == {"2", "3", "5"}, "what its listing filtered may be wanted as another one lists it"
    assert listed.in_column == {"2", "4", "5"}


def test_a_code_that_many_crawls_have_listed_costs_no_more_to_find(store: Store) -> None:
    """SQLite seeks to the code and to the crawl's first entry at once."""
    plan = store.connection.execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM entries WHERE code = 'x' AND id > 5 AND column_id = '350'"
    ).fetchall()
    assert "code=? AND rowid>?" in plan[0][3]
