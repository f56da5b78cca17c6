"""Article upsert: a new row, a revision, or no change."""

import hashlib
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.post_format import render_post
from crawler.errors import StoreError
from crawler.items import Category, Outcome, Post
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage import Store
from tests.support.articles import SITE_LINKS
from tests.support.database import Query
from tests.support.stored_articles import (
    DEFAULT_CODE,
    FARMERS_CATEGORY,
    LATER,
    NOW,
    POST_PATH,
    PUBLISHED,
    STOCK_LINK,
    create_article,
    entry_for,
    owed,
    save_article,
)


def test_new_article_is_a_row_with_an_unwritten_post(store: Store, query_store: Query) -> None:
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
    assert query_store("SELECT slug, media, aliases FROM categories") == [("zhongguonongwang", "中国农网", '["农网"]')]
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


def test_failed_save_is_rolled_back(store: Store, query_store: Query) -> None:
    entry_without_title = entry_for(create_article(), title=cast("str", None))
    with pytest.raises(StoreError, match="NOT NULL"):
        save_article(store, create_article(), entry_without_title)
    for table in ("articles", "categories", "article_columns", "mentions", "sightings"):
        assert query_store(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  # our own words only
    assert save_article(store, create_article()).outcome == Outcome.NEW


def test_missing_article_is_none(store: Store) -> None:
    assert store.articles.get(DEFAULT_CODE) is None
    assert store.articles.get_full(DEFAULT_CODE) is None
    assert store.articles.revisions(DEFAULT_CODE) == []
    assert store.articles.code_with_most_mentions() == ""
    assert store.articles.count() == 0


# Characters that normalisation keeps; see tests/hostile/test_foreign_rows.py for the rest.
STORABLE_TEXTS = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufffe\uffff{"), max_size=40
).map(lambda text: f"题{text}")


@given(title=STORABLE_TEXTS, summary=STORABLE_TEXTS, body=STORABLE_TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_text_is_stored_unchanged(shared_store: Store, title: str, summary: str, body: str) -> None:
    """Store quotes, semicolons and percent signs as text."""
    save_article(shared_store, create_article(title=title, summary=summary, body_html=body, body_text=body))
    row = shared_store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (row["title"], row["body_html"], row["body_text"]) == (title, body, body)
    assert shared_store.articles.count() == 1


SOURCE_LINE = '<p class="em_media">（文章来源：中国农网）</p>'
# Rows that an older finews stored, and the same articles as normalised today.
SAME_ARTICLES = {
    "source line": ({}, f"<p>正文</p>{SOURCE_LINE}", {}),
    "another source line": ({"body": "<p>正文</p><p>（来源：农网）</p>"}, f"<p>正文</p>{SOURCE_LINE}", {}),
    "source line gone": ({"body": f"<p>正文</p>{SOURCE_LINE}"}, "<p>正文</p>", {}),
    "advert": ({"body": "<p>正文</p><p>全新妙想投研助理，立即体验</p>"}, "<p>正文</p>", {}),
    "advert and source line": (
        {"body": f"<p>想炒股，先开户！选东方财富证券&gt;&gt;</p><p>正文</p>{SOURCE_LINE}"}, "<p>正文</p>", {},
    ),
    "editor": ({"body": "<p>正文</p><p>（责任编辑：9）</p>"}, f"<p>正文</p>{SOURCE_LINE}", {}),
    "name of the site": ({"title": "题 _ 东方财富网"}, "<p>正文</p>", {}),
    "blanks of the title": ({"title": "山西 运城"}, "<p>正文</p>", {"title": "山西运城"}),
}  # fmt: skip


@pytest.mark.parametrize(("stored", "body", "changes"), SAME_ARTICLES.values(), ids=SAME_ARTICLES.keys())
def test_what_a_rule_changes_is_no_correction(
    store: Store, stored: dict[str, str], body: str, changes: dict[str, str]
) -> None:
    save_article(store, create_article(**stored))
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    before = store.articles.get(DEFAULT_CODE)
    saved = save_article(store, create_article(body, fetched_at=LATER, **changes), markup=EASTMONEY_MARKUP)
    assert (saved.outcome, saved.revision, saved.post_text) == (Outcome.UNCHANGED, 1, "")
    assert store.articles.get(DEFAULT_CODE) == before
    assert store.articles.revisions(DEFAULT_CODE) == []


@pytest.mark.parametrize(("stored", "body", "changes"), SAME_ARTICLES.values(), ids=SAME_ARTICLES.keys())
def test_what_a_rule_changes_is_written_where_it_is_asked_for(
    store: Store, stored: dict[str, str], body: str, changes: dict[str, str]
) -> None:
    save_article(store, create_article(**stored))
    store.articles.mark_post_written(DEFAULT_CODE, 1)
    store.articles.mark_withdrawn(DEFAULT_CODE, NOW)
    article = create_article(body, fetched_at=LATER, **changes)
    saved = save_article(store, article, markup=EASTMONEY_MARKUP, compare_markup=True)
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, saved.revision, saved.post_text != "") == (Outcome.UNCHANGED, 1, True)
    assert (row["body_html"], row["title"], row["changed_at"]) == (body, article.title, None)
    assert row["withdrawn_at"] is not None
    assert store.articles.revisions(DEFAULT_CODE) == []


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ({"body": f"<p>正文</p>{SOURCE_LINE}"}, {"body": f"<p>正文，改</p>{SOURCE_LINE}"}),
        ({"body": "<p>正文</p><p>立即体验妙想</p>"}, {"body": "<p>正文改</p>"}),
        ({"body": "<p>（来源：甲）</p><p>正文</p>"}, {"body": "<p>正文</p>"}),
        ({"title": "题"}, {"title": "题（更新）"}),
        ({"title": "题 _ 东方财富网"}, {"title": "题二"}),
        ({}, {"published_at": LATER}),
    ],
)
def test_a_correction_is_one_also_where_rules_have_changed(
    store: Store, stored: dict[str, Any], read: dict[str, Any]
) -> None:
    save_article(store, create_article(**stored))
    saved = save_article(store, create_article(**read), markup=EASTMONEY_MARKUP)
    assert (saved.outcome, saved.revision) == (Outcome.UPDATED, 2)


def test_full_text_that_is_the_fast_news_and_its_source_line_is_no_correction(store: Store) -> None:
    save_article(store, create_article("<p>全文</p>", spider="flash"))
    saved = save_article(store, create_article(f"<p>全文</p>{SOURCE_LINE}"), markup=EASTMONEY_MARKUP)
    row = store.articles.get(DEFAULT_CODE)
    assert row is not None
    assert (saved.outcome, row["source"], row["body_html"]) == (
        Outcome.UNCHANGED, "eastmoney", f"<p>全文</p>{SOURCE_LINE}",
    )  # fmt: skip
