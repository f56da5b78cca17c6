"""Articles table: unwritten posts, and known articles."""

from pathlib import Path
from typing import Any

from crawler.crawl.policy.entry_filter import matches_listing
from crawler.items import KnownArticle, Outcome
from crawler.storage import Store
from crawler.storage.connection import open_database_rw
from tests.support.stored_articles import (
    DEFAULT_CODE,
    LATER,
    NOW,
    POST_PATH,
    PUBLISHED,
    create_article,
    entry_for,
    owed,
    save_article,
)


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


def is_known(store: Store, column: str, **listed: Any) -> bool:
    entry = entry_for(create_article(), column=column, **listed)
    return matches_listing(store.articles.get_known([DEFAULT_CODE], "eastmoney", column)[DEFAULT_CODE], entry)


def test_columns_that_disagree_are_each_compared_with_what_they_said(store: Store) -> None:
    """Keep the article unchanged, whichever column it is fetched for."""
    article = create_article()
    save_article(store, article, entry_for(article, column="350"))
    assert not is_known(store, "345", published=LATER)
    save_article(store, article, entry_for(article, column="345", published=LATER))
    assert is_known(store, "345", published=LATER)
    assert is_known(store, "350")
    assert is_known(store, "351")
    assert not is_known(store, "345")
    assert not is_known(store, "350", published=LATER)


def test_columns_that_disagree_settle_where_the_article_says_what_they_say(store: Store) -> None:
    """Compare with an article from its page, whose time has no seconds."""
    columns = {"350": PUBLISHED, "345": LATER, "344": NOW}
    for column in ("350", "345", "344", "350"):
        published = columns[column]
        article = create_article(published_at=published)
        assert not (store.articles.get(DEFAULT_CODE) and is_known(store, column, published=published))
        save_article(store, article, entry_for(article, column=column, published=published))
    assert all(is_known(store, column, published=published) for column, published in columns.items())


def test_change_in_one_column_is_known_to_the_others(store: Store) -> None:
    save_article(store, create_article())
    corrected = create_article(title="更正")
    assert not is_known(store, "345", title="更正")
    save_article(store, corrected, entry_for(corrected, column="345"))
    assert is_known(store, "345", title="更正")
    assert is_known(store, "350", title="更正")
    assert not is_known(store, "345")
    assert not is_known(store, "350")


def test_rejected_entry_of_columns_that_disagree_is_known(store: Store) -> None:
    for column, title in (("350", "题"), ("345", "题 2")):
        store.sightings.mark_rejected(entry_for(create_article(), column=column, title=title), "eastmoney", "no text")
    assert is_known(store, "350")
    assert is_known(store, "345", title="题 2")
    assert find_known_article(store, "eastmoney").rejection_reason == "no text"


def test_unseen_article_is_not_known(store: Store) -> None:
    save_article(store, create_article())
    assert store.articles.get_known(["202201102242171632", "' OR 1=1 --", ""], "eastmoney") == {}
    assert store.articles.get_known([], "eastmoney") == {}
