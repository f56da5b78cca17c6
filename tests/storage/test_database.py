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

SITE_LINKS = SiteLinks("//finews.withounder.com")
FARMERS_CATEGORY = Category("zhongguonongwang", "中国农网", ("农网",))
DEFAULT_CODE = "202201102242171631"
PUBLISHED = datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ)
NOW = datetime(2022, 1, 10, 17, 0, tzinfo=CHINA_TZ)
LATER = NOW + timedelta(hours=1)
POST_PATH = f"_posts/2022/01/10/2022-01-10-NW{DEFAULT_CODE}.md"
STOCK_LINK = '<a href="https://quote.eastmoney.com/unify/r/{}">{}</a>'

Query = Callable[..., list[Any]]


def create_article(body: str = "<p>正文</p>", **changes: Any) -> Article:
    fields: dict[str, Any] = {
        "code": DEFAULT_CODE,
        "title": "题",
        "published_at": PUBLISHED,
        "media": "中国农网",
        "category": FARMERS_CATEGORY,
        "spider": "eastmoney",
        "url": f"https://finance.eastmoney.com/a/{DEFAULT_CODE}.html",
        "summary": "摘要",
        "body_html": body,
        "body_text": html_to_text(body),
        "mentions": extract_mentions(body),
        "columns": ("350",),
        "fetched_at": NOW,
    }
    fields |= changes
    fields.setdefault(
        "entry", ListingEntry(fields["code"], fields["title"], fields["published_at"], "350", fields["url"])
    )
    return Article(**fields)


def entry_for(article: Article, **changes: Any) -> ListingEntry:
    """The listing entry that an article came from."""
    entry = ListingEntry(
        code=article.code, title=article.title, published=article.published_at, column="350", url=article.url
    )
    return replace(entry, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open_rw(tmp_path) as opened:
        yield opened


@pytest.fixture
def query(tmp_path: Path) -> Query:
    return query_function(tmp_path)


def query_function(folder: Path) -> Query:
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


def save_article(store: Store, article: Article, entry: ListingEntry | None = None) -> SavedArticle:
    with store.transaction():
        recorded = store.article_upserter.upsert(replace(article, entry=entry or entry_for(article)), SITE_LINKS)
        store.search_index.index_articles([article.code])
    return recorded


def owed(store: Store) -> list[tuple[str, int, str, str]]:
    """Code, revision, path and text of each post that is not written yet."""
    rows = store.articles.unwritten_posts(9)
    return [
        (row["code"], row["revision"], row["post_path"], render_post(Post.from_row(row), SITE_LINKS)) for row in rows
    ]


# Articles


def test_new_article_is_a_row_with_an_unwritten_post(store: Store, query: Query) -> None:
    saved = save_article(store, create_article())
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, saved.revision, saved.post_path) == (Outcome.NEW, 1, POST_PATH)
    assert saved.post_text == render_post(Post.from_row(row), SITE_LINKS)
    assert row["post_sha256"] == hashlib.sha256(saved.post_text.encode()).hexdigest()
    assert {name: row[name] for name in ("title", "published_at", "media", "category", "source", "summary")} == {
        "title": "题", "published_at": "2022-01-10T16:20:36+08:00", "media": "中国农网", "category": "zhongguonongwang",
        "source": "eastmoney", "summary": "摘要",
    }  # fmt: skip
    assert (row["first_seen_at"], row["changed_at"], row["withdrawn_at"]) == ("2022-01-10T17:00:00+08:00", None, None)
    assert query("SELECT slug, media, aliases FROM categories") == [("zhongguonongwang", "中国农网", '["农网"]')]
    assert store.articles.column_ids(DEFAULT_CODE) == ["350"]


def test_same_article_is_unchanged(store: Store) -> None:
    save_article(store, create_article())
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    before = store.articles.get_full(DEFAULT_CODE)
    saved = save_article(store, create_article(fetched_at=LATER))
    assert (saved.outcome, saved.revision, saved.post_text) == (Outcome.UNCHANGED, 1, "")
    assert store.articles.get_full(DEFAULT_CODE) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "<div><p>正文</p></div>"},
        {"body": "<p><b>正</b>文</p>"},
        {"body": f"<p>{STOCK_LINK.format('1.600160', '正文')}</p>"},
        {"summary": "别的"},
        {"media": "Ｃ", "category": Category("c", "C")},
        {"url": "https://caifuhao.eastmoney.com/news/1"},
    ],
    ids=["box", "bold", "link", "summary", "media", "address"],
)
def test_only_title_time_and_text_make_a_revision(store: Store, changes: dict[str, Any]) -> None:
    save_article(store, create_article())
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    before = store.articles.get(DEFAULT_CODE)
    saved = save_article(store, create_article(**changes))
    assert (saved.outcome, saved.post_text) == (Outcome.UNCHANGED, "")
    assert store.articles.get(DEFAULT_CODE) == before
    assert store.articles.revisions(DEFAULT_CODE) == []


REVISION_CHANGES: dict[str, dict[str, Any]] = {
    "title": {"title": "新题"},
    "time": {"published_at": PUBLISHED + timedelta(days=3)},
    "text": {"body": "<p>正文更正</p>"},
}


@pytest.mark.parametrize("changes", REVISION_CHANGES.values(), ids=REVISION_CHANGES.keys())
def test_revision_keeps_old_version_and_path(store: Store, changes: dict[str, Any]) -> None:
    save_article(store, create_article())
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    saved = save_article(store, create_article(fetched_at=LATER, **changes))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, saved.revision, saved.post_path) == (Outcome.UPDATED, 2, POST_PATH)
    assert saved.post_text == render_post(Post.from_row(row), SITE_LINKS)
    assert (row["revision"], row["post_path"], row["changed_at"]) == (2, POST_PATH, "2022-01-10T18:00:00+08:00")
    assert row["first_seen_at"] == "2022-01-10T17:00:00+08:00"
    assert row["post_sha256"] == hashlib.sha256(saved.post_text.encode()).hexdigest()
    assert store.articles.revisions(DEFAULT_CODE) == [
        {
            "code": DEFAULT_CODE, "revision": 1, "seen_at": "2022-01-10T17:00:00+08:00", "title": "题",
            "published_at": "2022-01-10T16:20:36+08:00", "body_html": "<p>正文</p>",
        }
    ]  # fmt: skip


def test_every_version_is_kept_with_the_time_it_was_seen(store: Store) -> None:
    for hours in range(4):
        save_article(store, create_article(f"<p>第{hours}版</p>", fetched_at=NOW + timedelta(hours=hours)))
    revisions = [
        (row["revision"], row["body_html"], row["seen_at"][11:13]) for row in store.articles.revisions(DEFAULT_CODE)
    ]
    assert revisions == [(1, "<p>第0版</p>", "17"), (2, "<p>第1版</p>", "18"), (3, "<p>第2版</p>", "19")]
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (row["revision"], row["body_text"], row["changed_at"][11:13]) == (4, "第3版", "20")


def test_returning_version_is_a_new_revision(store: Store) -> None:
    for text in ("甲", "乙", "甲"):
        save_article(store, create_article(f"<p>{text}</p>"))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (row["revision"], row["body_text"]) == (3, "甲")
    assert [revision["body_html"] for revision in store.articles.revisions(DEFAULT_CODE)] == ["<p>甲</p>", "<p>乙</p>"]


def test_full_text_replaces_fast_news(store: Store) -> None:
    save_article(store, create_article("<p>快讯</p>", spider="flash", columns=("102",)))
    saved = save_article(store, create_article("<p>全文</p>", columns=("350",)))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, saved.revision, saved.post_path) == (Outcome.UPDATED, 2, POST_PATH)
    assert (row["source"], row["body_text"]) == ("eastmoney", "全文")
    assert [revision["body_html"] for revision in store.articles.revisions(DEFAULT_CODE)] == ["<p>快讯</p>"]
    assert store.articles.column_ids(DEFAULT_CODE) == ["102", "350"]


def test_equal_full_text_replaces_fast_news_without_revision(store: Store) -> None:
    save_article(store, create_article("<p>全文</p>", spider="flash"))
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    saved = save_article(store, create_article("<div><p>全文</p></div>", url="https://finance.eastmoney.com/b"))
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, saved.revision) == (Outcome.UNCHANGED, 1)
    assert (row["source"], row["revision"], row["body_html"]) == ("eastmoney", 1, "<div><p>全文</p></div>")
    assert saved.post_text == render_post(Post.from_row(row), SITE_LINKS)
    assert [text for *_, text in owed(store)] == [saved.post_text]
    assert store.articles.revisions(DEFAULT_CODE) == []


def test_mentions_are_those_of_the_current_text(store: Store) -> None:
    body = "<p>" + STOCK_LINK.format("1.600160", "巨化") * 2 + STOCK_LINK.format("90.BK0493", "新能源") + "</p>"
    save_article(store, create_article(body))
    assert store.articles.mentions(DEFAULT_CODE) == [
        {"secid": "1.600160", "kind": "stock", "name": "巨化", "count": 2},
        {"secid": "90.BK0493", "kind": "board", "name": "新能源", "count": 1},
    ]
    save_article(store, create_article("<p>今日" + STOCK_LINK.format("106.NIO", "蔚来") + "</p>"))
    assert [mention["secid"] for mention in store.articles.mentions(DEFAULT_CODE)] == ["106.NIO"]


def test_columns_accumulate_over_crawls(store: Store) -> None:
    save_article(store, create_article(columns=("350", "355")))
    save_article(store, create_article(columns=("344", "350")))
    assert store.articles.column_ids(DEFAULT_CODE) == ["344", "350", "355"]
    assert {name: row["articles"] for name, row in store.articles.counts_by_column().items()} == {
        "344": 1, "350": 1, "355": 1,
    }  # fmt: skip


def test_existing_category_is_not_changed(store: Store) -> None:
    save_article(store, create_article())
    save_article(
        store, create_article(code="202201102242171632", category=Category("zhongguonongwang", "别名", ("x",)))
    )
    assert store.categories.all() == [FARMERS_CATEGORY]
    assert store.categories.with_article_counts()[0]["articles"] == 2


def test_failed_save_is_rolled_back(store: Store, query: Query) -> None:
    entry_without_title = entry_for(create_article(), title=cast("str", None))
    with pytest.raises(StoreError, match="NOT NULL"):
        save_article(store, create_article(), entry_without_title)
    for table in ("articles", "categories", "article_columns", "mentions", "sightings"):
        assert query(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  # our own words only
    assert save_article(store, create_article()).outcome == Outcome.NEW


def test_missing_article_is_none(store: Store) -> None:
    assert store.articles.get(DEFAULT_CODE) is None
    assert store.articles.get_full(DEFAULT_CODE) is None
    assert store.articles.revisions(DEFAULT_CODE) == []
    assert store.articles.code_with_most_mentions() == ""
    assert store.articles.count() == 0


STORABLE_TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


@given(title=STORABLE_TEXTS, summary=STORABLE_TEXTS, body=STORABLE_TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_text_is_stored_unchanged(shared_store: Store, title: str, summary: str, body: str) -> None:
    """Quotes, semicolons and percent signs are text to SQL, too."""
    save_article(shared_store, create_article(title=title, summary=summary, body_html=body, body_text=body))
    row = shared_store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (row["title"], row["body_html"], row["body_text"]) == (title, body, body)
    assert shared_store.articles.count() == 1


# What is owed


def test_post_is_unwritten_until_marked_written(store: Store) -> None:
    saved = save_article(store, create_article())
    assert owed(store) == [(DEFAULT_CODE, 1, POST_PATH, saved.post_text)]
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    assert owed(store) == []


def test_older_revisions_post_does_not_count_as_written(store: Store) -> None:
    save_article(store, create_article())
    saved = save_article(store, create_article("<p>更正</p>"))
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    assert owed(store) == [(DEFAULT_CODE, 2, POST_PATH, saved.post_text)]
    store.articles.mark_post_written(DEFAULT_CODE, 2)
    assert owed(store) == []


def test_unchanged_article_with_unwritten_post_returns_its_post(store: Store) -> None:
    first_save = save_article(store, create_article())
    second_save = save_article(store, create_article("<div><p>正文</p></div>"))
    assert (second_save.outcome, second_save.revision, second_save.post_text) == (
        Outcome.UNCHANGED,
        1,
        first_save.post_text,
    )


# What is known


def test_known_articles_of_a_page_take_one_query(tmp_path: Path) -> None:
    db = open_database_rw(tmp_path)
    store = Store(db)
    codes = [str(int(DEFAULT_CODE) + number) for number in range(100)]
    for code in codes[:3]:
        save_article(store, create_article(code=code))
    statements: list[str] = []
    db.conn.set_trace_callback(statements.append)
    known_articles = store.articles.get_known(codes, "eastmoney")
    db.conn.set_trace_callback(None)
    assert len([sql for sql in statements if "SELECT" in sql]) == 1
    assert sorted(known_articles) == codes[:3]
    store.close()


def find_known_article(store: Store, spider: str) -> KnownArticle:
    return store.articles.get_known([DEFAULT_CODE], spider)[DEFAULT_CODE]


def test_known_article_has_the_listing_title(store: Store) -> None:
    saved_article = create_article(title="文中的题")
    save_article(store, saved_article, entry_for(saved_article, title="列表的题"))
    known_article = find_known_article(store, "eastmoney")
    assert (known_article.source, known_article.title, known_article.rejection_reason) == ("eastmoney", "列表的题", "")
    assert matches_listing(known_article, entry_for(saved_article, title="列表的题"))
    assert not matches_listing(known_article, entry_for(saved_article))
    assert not matches_listing(known_article, entry_for(saved_article, title="列表的题", published=LATER))


def test_known_article_of_another_spider_has_no_listing_data(store: Store) -> None:
    save_article(store, create_article())
    known_article = find_known_article(store, "flash")
    assert (known_article.source, known_article.title, known_article.published_at) == ("eastmoney", None, None)
    assert not matches_listing(known_article, entry_for(create_article()))


def test_rejection_reason_is_known_to_its_spider_only(store: Store) -> None:
    store.sightings.mark_rejected(entry_for(create_article()), "eastmoney", "the title is empty")
    known_article = find_known_article(store, "eastmoney")
    assert (known_article.source, known_article.rejection_reason) == (None, "the title is empty")
    assert matches_listing(known_article, entry_for(create_article()))
    assert store.articles.get_known([DEFAULT_CODE], "flash") == {}


def test_saving_clears_an_earlier_rejection(store: Store) -> None:
    store.sightings.mark_rejected(entry_for(create_article()), "eastmoney", "no text")
    save_article(store, create_article())
    assert find_known_article(store, "eastmoney").rejection_reason == ""


def test_unseen_article_is_not_known(store: Store) -> None:
    save_article(store, create_article())
    assert store.articles.get_known(["202201102242171632", "' OR 1=1 --", ""], "eastmoney") == {}
    assert store.articles.get_known([], "eastmoney") == {}


# The ledger

SUM_OF_OUTCOMES = " + ".join(f'"{outcome}"' for outcome in Outcome)


def assert_outcomes_add_up(query: Query) -> None:
    assert query(f"SELECT id FROM runs WHERE finished_at IS NOT NULL AND listed != {SUM_OF_OUTCOMES}") == []  # noqa: S608  # ours
    for outcome in Outcome:
        sql = f"""
            SELECT id FROM runs WHERE finished_at IS NOT NULL AND "{outcome}" !=
            (SELECT count(*) FROM entries WHERE run_id = runs.id AND entries.outcome = ?)
        """  # noqa: S608  # our own words only
        assert query(sql, str(outcome)) == []


def test_run_has_spider_arguments_and_start(store: Store) -> None:
    run_id = store.runs.start("eastmoney", {"category": "中国农网"}, NOW)
    run = store.runs.get(run_id)
    assert (run["spider"], json.loads(run["arguments"])) == ("eastmoney", {"category": "中国农网"})
    assert "中国农网" in run["arguments"]
    assert (run["started_at"], run["finished_at"], run["outcome"]) == ("2022-01-10T17:00:00+08:00", None, None)


def test_the_first_outcome_of_an_entry_stays(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    first, second = store.runs.add_entries(
        run_id,
        [
            (DEFAULT_CODE, "350", None, None, ""),
            (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "listed already"),
        ],
    )
    store.runs.set_outcome(first, Outcome.NEW, Reason.SCRAPED)
    store.runs.set_outcome(first, Outcome.FAILED, Reason.BUG, "too late")
    store.runs.set_outcome(second, Outcome.NEW, Reason.SCRAPED)
    assert query("SELECT id, outcome, reason, detail FROM entries ORDER BY id") == [
        (first, "new", "scraped", ""),
        (second, "duplicate", "listed_twice", "listed already"),
    ]


def test_outcome_is_committed_at_once(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    (entry_id,) = store.runs.add_entries(run_id, [(DEFAULT_CODE, "350", None, None, "")])
    assert query("SELECT outcome, reason FROM entries") == [(None, None)]
    store.runs.set_outcome(entry_id, Outcome.QUARANTINED, Reason.REJECTED, "the title is empty")
    assert query("SELECT outcome, reason, detail FROM entries") == [("quarantined", "rejected", "the title is empty")]


def test_open_entries_fail_when_the_run_is_closed(store: Store, query: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    store.runs.add_entries(
        run_id,
        [(DEFAULT_CODE, "350", None, None, ""), ("", "350", Outcome.QUARANTINED, Reason.UNREADABLE, "blank row")],
    )
    store.runs.fail_open_entries(run_id, "the crawl ended before its answer came")
    assert store.runs.entry_counts(run_id)["failed"] == 1
    assert query("SELECT reason FROM entries ORDER BY id") == [("interrupted",), ("unreadable",)]
    store.runs.finish(run_id, RunOutcome.PARTIAL, LATER, "why")
    run = store.runs.get(run_id)
    assert (run["outcome"], run["finished_at"], run["detail"]) == ("partial", "2022-01-10T18:00:00+08:00", "why")
    assert (run["listed"], run["failed"], run["quarantined"]) == (2, 1, 1)
    assert_outcomes_add_up(query)


OPTIONAL_OUTCOMES = st.none() | st.sampled_from(list(Outcome))


@given(runs=st.lists(st.lists(st.tuples(OPTIONAL_OUTCOMES, OPTIONAL_OUTCOMES), max_size=12), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_listed_equals_the_sum_of_outcomes(
    shared_store: Store, shared_folder: Path, runs: list[list[tuple[Outcome | None, Outcome | None]]]
) -> None:
    open_runs = []
    for entries in runs:
        run_id = shared_store.runs.start("eastmoney", {}, NOW)
        rows = [
            (f"{DEFAULT_CODE}{index}", "350", first_outcome, Reason.SCRAPED if first_outcome else None, "")
            for index, (first_outcome, _) in enumerate(entries)
        ]
        ids = shared_store.runs.add_entries(run_id, rows)
        for entry_id, (_, later_outcome) in zip(ids, entries, strict=True):
            if later_outcome:
                shared_store.runs.set_outcome(entry_id, later_outcome, Reason.SCRAPED)
        open_runs.append((run_id, len(entries)))
    for run_id, length in open_runs:
        shared_store.runs.fail_open_entries(run_id, "no answer")
        shared_store.runs.finish(run_id, RunOutcome.DONE, LATER)
        assert shared_store.runs.get(run_id)["listed"] == length
    assert_outcomes_add_up(query_function(shared_folder))


def test_runs_of_killed_crawls_are_closed_once(store: Store, query: Query) -> None:
    killed_runs = [store.runs.start("eastmoney", {}, NOW) for _ in range(2)]
    store.runs.add_entries(
        killed_runs[0],
        [(DEFAULT_CODE, "350", None, None, ""), (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "")],
    )
    finished_run = store.runs.start("flash", {}, NOW)
    store.runs.finish(finished_run, RunOutcome.DONE, NOW)
    assert store.runs.open_run_ids() == killed_runs
    store.runs.finish_interrupted_runs(LATER)
    assert store.runs.open_run_ids() == []
    store.runs.finish_interrupted_runs(LATER + timedelta(hours=1))
    assert {store.runs.get(run_id)["finished_at"] for run_id in killed_runs} == {"2022-01-10T18:00:00+08:00"}
    assert query("SELECT outcome, listed, failed, duplicate FROM runs ORDER BY id") == [
        ("interrupted", 2, 1, 1),
        ("interrupted", 0, 0, 0),
        ("done", 0, 0, 0),
    ]
    assert store.runs.get(finished_run)["finished_at"] == "2022-01-10T17:00:00+08:00"
    assert_outcomes_add_up(query)


def test_closing_a_run_adds_its_columns(store: Store) -> None:
    save_article(store, create_article(columns=("350",)))
    run_id = store.runs.start("eastmoney", {}, NOW)
    rows: list[tuple[str, str, Outcome | None, Reason | None, str]] = [
        (DEFAULT_CODE, "350", Outcome.UNCHANGED, Reason.NOT_MODIFIED, ""),
        (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, ""),
        ("5" * 18, "344", Outcome.FILTERED, Reason.OVER_LIMIT, ""),
    ]  # fmt: skip
    store.runs.add_entries(run_id, rows)
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    assert store.articles.column_ids(DEFAULT_CODE) == ["350", "355"]


def test_the_latest_runs_come_first(store: Store) -> None:
    ids = [store.runs.start("eastmoney", {}, NOW) for _ in range(3)]
    assert [run["id"] for run in store.runs.latest(2)] == [ids[2], ids[1]]


# The quarantine


def quarantine_response(store: Store, run_id: int, body: bytes = b'{"title": ""}', **changes: Any) -> bool:
    response = RawResponse(changes.pop("url", "http://a.cn/"), "application/json", body)
    fields = {
        "spider": "choice",
        "kind": KIND_ROW,
        "code": DEFAULT_CODE,
        "reason": "the title is empty",
        "seen_at": NOW,
    }
    return store.quarantine.add(response, run_id=run_id, **{**fields, **changes})


def test_same_response_is_quarantined_once_per_reason(store: Store, query: Query) -> None:
    first, second = (store.runs.start("choice", {}, NOW) for _ in range(2))
    assert quarantine_response(store, first) is True
    assert quarantine_response(store, first) is False
    assert quarantine_response(store, second, seen_at=LATER, url="http://b.cn/") is False
    assert (
        quarantine_response(store, second, reason="no time") is False
    )  # a reason is a text: the content is not new for another one
    assert quarantine_response(store, second, b"\xff\xfe") is True
    assert query("SELECT run_id, reason, raw FROM quarantine ORDER BY id") == [
        (first, "the title is empty", b'{"title": ""}'),
        (second, "no time", b'{"title": ""}'),
        (second, "the title is empty", b"\xff\xfe"),
    ]
    quarantined = store.quarantine.unresolved()
    assert [row["reason"] for row in quarantined] == ["the title is empty", "no time", "the title is empty"]
    assert store.quarantine.get_raw(quarantined[2]["id"]) == b"\xff\xfe"


def test_quarantine_is_committed_at_once(store: Store, query: Query) -> None:
    quarantine_response(store, store.runs.start("choice", {}, NOW))
    assert query("SELECT code, seen_at FROM quarantine") == [(DEFAULT_CODE, "2022-01-10T17:00:00+08:00")]


# Replies as they came


def test_raw_response_is_kept_while_an_article_refers_to_it(store: Store, query: Query) -> None:
    first_entry, second_entry = entry_for(create_article()), entry_for(create_article(code="202201102242171632"))

    def keep_and_list(entry: ListingEntry, body: bytes) -> list[Any]:
        store.raw_responses.save("choice", entry, RawResponse("http://a.cn/", "text/html", body), NOW)
        return [
            *sorted(response.body for _, _, response in store.raw_responses.all()),
            *query("SELECT count(*) FROM raw_contents")[0],
        ]

    assert keep_and_list(first_entry, b"first") == [b"first", 1]
    assert keep_and_list(first_entry, b"first") == [b"first", 1]
    assert keep_and_list(second_entry, b"first") == [b"first", b"first", 1]
    assert keep_and_list(first_entry, b"second") == [b"first", b"second", 2]
    assert keep_and_list(second_entry, b"second") == [b"second", b"second", 1]
    assert keep_and_list(second_entry, b"third") == [b"second", b"third", 2]


def test_migration_removes_unreferenced_raw_responses(tmp_path: Path, query: Query) -> None:
    old_db = Database(tmp_path / "news.db")
    migrations.apply(old_db, stop_before="m011_raw_contents_in_use")
    old_db.execute("INSERT INTO raw_contents VALUES ('a', x'00'), ('b', x'00')")
    old_db.execute("INSERT INTO raw_replies VALUES ('1', 'choice', '', '', 0, '{}', 'b', '')")
    old_db.conn.commit()
    old_db.close()
    open_database_rw(tmp_path).close()
    assert query("SELECT sha256 FROM raw_contents") == [("b",)]


# Opening


def test_missing_database_error_says_how_to_create_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no finews database at .*: `finews crawl` makes one"):
        Store.open_ro(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load_stored_categories(tmp_path) == []


def test_empty_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "news.db").touch()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == []
    with Store.open_rw(tmp_path) as store:
        assert store.articles.count() == 0


def test_foreign_database_is_rejected(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "news.db")
    connection.execute("CREATE TABLE articles (id INTEGER)")
    connection.close()
    with pytest.raises(StoreError, match="no finews database"):
        Store.open_ro(tmp_path)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_non_database_file_is_a_store_error_and_unchanged(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    (tmp_path / "news.db").write_bytes(b"this is not a database " * 100)
    with pytest.raises(StoreError, match=r"news\.db: file is not a database"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == b"this is not a database " * 100


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_a_damaged_database_is_a_store_error(tmp_path: Path, opening: Callable[[Path], Store]) -> None:
    with Store.open_rw(tmp_path) as store:
        for number in range(20):
            save_article(store, create_article("<p>" + "正文" * 2_000 + "</p>", code=str(int(DEFAULT_CODE) + number)))
    path = tmp_path / "news.db"
    damaged = path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="malformed"), opening(tmp_path) as store:
        store.articles.get(DEFAULT_CODE)


@pytest.mark.parametrize(
    "opening", [Store.open_ro, Store.open_rw, load_stored_categories], ids=["reading", "writing", "asking"]
)
def test_newer_database_is_a_store_error_and_unchanged(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    db = open_database_rw(tmp_path)
    db.execute("UPDATE _sqlite_migrations SET name = 'm999_from_the_future' WHERE name LIKE 'm001%'")
    db.conn.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = (tmp_path / "news.db").read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer finews .*m999_from_the_future.*: update finews"):
        opening(tmp_path)
    assert (tmp_path / "news.db").read_bytes() == before


def test_older_database_is_rejected_by_readers_and_migrated_by_writers(tmp_path: Path) -> None:
    with Database(memory=True) as empty_db:
        newest_migration = migrations.pending(empty_db)[-1]
    with Database(tmp_path / "news.db") as old_db:
        migrations.apply(old_db, stop_before=newest_migration.name)
        old_db.table("categories").insert({"slug": "zhongguonongwang", "media": "中国农网", "aliases": '["农网"]'})
    with pytest.raises(StoreError, match=r"written by an older finews: the next `finews crawl` brings it up to date"):
        Store.open_ro(tmp_path)
    assert load_stored_categories(tmp_path) == [FARMERS_CATEGORY]
    with Store.open_rw(tmp_path) as store:
        assert save_article(store, create_article()).outcome == Outcome.NEW
    with Store.open_ro(tmp_path) as store:
        assert store.categories.all() == [FARMERS_CATEGORY]


@pytest.mark.parametrize("opening", [Store.open_ro, Store.open_rw], ids=["reading", "writing"])
def test_folder_in_place_of_database_is_a_store_error(tmp_path: Path, opening: Callable[[Path], Store]) -> None:
    (tmp_path / "news.db").mkdir()
    with pytest.raises(StoreError, match=r"news\.db"):
        opening(tmp_path)


def test_read_only_store_rejects_writes(store: Store, tmp_path: Path, query: Query) -> None:
    save_article(store, create_article())
    with Store.open_ro(tmp_path) as read_only:
        assert read_only.articles.get(DEFAULT_CODE) == store.articles.get(DEFAULT_CODE)
        for write in (
            lambda: save_article(read_only, create_article("<p>x</p>")),
            lambda: read_only.articles.mark_post_written(DEFAULT_CODE, 1),
            lambda: read_only.sightings.mark_rejected(entry_for(create_article()), "eastmoney", "x"),
            lambda: read_only.runs.start("eastmoney", {}, NOW),
        ):
            with pytest.raises(StoreError, match="readonly"):
                write()
    assert query("SELECT body_text, published_revision FROM articles") == [("正文", None)]


def test_stored_categories_can_be_loaded_alone(store: Store, tmp_path: Path) -> None:
    save_article(store, create_article())
    assert load_stored_categories(tmp_path) == [FARMERS_CATEGORY]


# Others at the same time


def test_readers_see_the_old_state_during_a_write(tmp_path: Path, query: Query) -> None:
    db = open_database_rw(tmp_path)
    store = Store(db)
    save_article(store, create_article())
    with db.atomic():
        db.execute("UPDATE articles SET title = 'half written'")
        assert query("SELECT title FROM articles") == [("题",)]
        with Store.open_ro(tmp_path) as read_only:
            row = read_only.articles.get(DEFAULT_CODE)
            assert row is not None
            assert row["title"] == "题"
    assert query("SELECT title FROM articles") == [("half written",)]
    store.close()


def test_read_transaction_keeps_its_snapshot(store: Store, tmp_path: Path, query: Query) -> None:
    save_article(store, create_article())
    reader = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    save_article(store, create_article(code="202201102242171632"))
    assert reader.execute("SELECT count(*) FROM articles").fetchone() == (1,)
    reader.execute("COMMIT")
    reader.close()
    assert query("SELECT count(*) FROM articles") == [(2,)]


def test_no_lock_is_held_between_calls(store: Store, tmp_path: Path) -> None:
    """Each call ends its transaction, or another writer would wait until the crawl is over."""
    other_connection = sqlite3.connect(tmp_path / "news.db", timeout=0, isolation_level=None)

    def assert_writable() -> None:
        other_connection.execute("BEGIN IMMEDIATE")
        other_connection.execute("ROLLBACK")

    run_id = store.runs.start("eastmoney", {}, NOW)
    assert_writable()
    (entry_id,) = store.runs.add_entries(run_id, [(DEFAULT_CODE, "350", None, None, "")])
    assert_writable()
    store.articles.get_known([DEFAULT_CODE], "eastmoney")
    save_article(store, create_article())
    assert_writable()
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    assert_writable()
    store.sightings.mark_rejected(entry_for(create_article(), code="5" * 18), "eastmoney", "x")
    assert_writable()
    quarantine_response(store, run_id)
    assert_writable()
    quarantine_response(store, run_id)
    assert_writable()
    store.runs.set_outcome(entry_id, Outcome.NEW, Reason.SCRAPED)
    assert_writable()
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    assert_writable()
    other_connection.close()


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
