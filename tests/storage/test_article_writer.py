"""Article writer: batches of articles."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from crawler.errors import OutputError
from crawler.items import Article, Category, ListingEntry, Outcome, SavedArticle
from crawler.storage import Store, post_files
from crawler.storage.article_writer import save_article, save_articles, write_unwritten_posts
from crawler.storage.output_dir import OutputDir

NOW = datetime.fromisoformat("2022-01-10T16:20:36+08:00")
ARTICLE = Article(
    entry=ListingEntry("", "标题", NOW, "350", "https://finance.eastmoney.com/a/1.html"), code="", title="标题", published_at=NOW, media="中国农网", category=Category("zhongguonongwang", "中国农网"),
    spider="eastmoney", url="https://finance.eastmoney.com/a/1.html", summary="", body_html="<p>文</p>", body_text="文",
    mentions=(), columns=(), fetched_at=NOW,
)  # fmt: skip


def pending_articles(store: Store, *articles: Article) -> list[Article]:
    """Return articles whose entries are recorded in a run."""
    run_id = store.runs.start("eastmoney", {}, NOW)
    entry_ids = store.runs.add_entries(run_id, [(article.code, "350", None, None, "") for article in articles])
    entries = [ListingEntry(article.code, "标题", article.published_at, "350", article.url) for article in articles]
    return [
        replace(article, entry=replace(entry, entry_id=entry_id))
        for article, entry, entry_id in zip(articles, entries, entry_ids, strict=True)
    ]


def create_articles(count: int) -> list[Article]:
    return [replace(ARTICLE, code=f"{202201102242171600 + number}") for number in range(count)]


def test_bug_in_one_article_does_not_affect_the_batch(tmp_path: Path) -> None:
    good = create_articles(12)
    bad = replace(ARTICLE, code="202201102242171699", title="\ud800")
    with OutputDir.open_for_writing(tmp_path) as out:
        store = out.db
        pending = pending_articles(store, good[0], bad, *good[1:])
        saved = save_articles(out, pending)
        assert isinstance(saved.pop(1), UnicodeEncodeError)
        pending.pop(1)
        assert [
            (saved_article.article, saved_article.outcome)
            for saved_article in saved
            if isinstance(saved_article, SavedArticle)
        ] == [(article, Outcome.NEW) for article in pending]
        assert store.articles.get(bad.code) is None
        assert store.articles.unwritten_posts(99) == []
        assert store.search_index.find_faults() == []
        assert len(list(tmp_path.rglob("*.md"))) == 12


def test_failed_post_writes_stay_pending(tmp_path: Path) -> None:
    with OutputDir.open_for_writing(tmp_path) as out:
        (tmp_path / "_posts").rmdir()
        (tmp_path / "_posts").write_text("a file where a folder should be")
        with pytest.raises(OutputError, match="cannot write"):
            save_articles(out, pending_articles(out.db, *create_articles(9)))
        assert len(out.db.articles.unwritten_posts(99)) == 9
        assert out.db.runs.entry_counts(1)["new"] == 0


def test_opening_writes_unwritten_posts_with_the_current_site_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_output: Path, _texts: object) -> None:
        raise OutputError("no space left on device")

    with OutputDir.open_for_writing(tmp_path) as out:
        with monkeypatch.context() as patched:
            patched.setattr("crawler.storage.article_writer.write_posts", fail)
            with pytest.raises(OutputError, match="no space"):
                save_articles(out, pending_articles(out.db, *create_articles(40)))
        assert list(tmp_path.rglob("*.md")) == []
    with OutputDir.open_for_writing(tmp_path, address="//news.example") as out:
        assert out.db.articles.unwritten_posts(99) == []
        rows = list(out.db.articles.iter_rows_by_path())
        assert len(rows) == 40
        for row in rows:
            content = (tmp_path / row["post_path"]).read_bytes()
            assert b"(//news.example/)" in content
            assert row["post_sha256"] == hashlib.sha256(content).hexdigest()


def test_post_is_marked_written_only_once_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write rows before posts, and posts before marks and outcomes, in two commits."""
    states: list[list[tuple[int | None, str | None]]] = []

    def look() -> None:
        with closing(sqlite3.connect(tmp_path / "news.db")) as other:
            sql = "SELECT published_revision, outcome FROM articles JOIN entries USING (code)"
            states.append(other.execute(sql).fetchall())

    def write_and_look(output: Path, texts: dict[str, str]) -> None:
        look()
        post_files.write_posts(output, texts)
        look()

    monkeypatch.setattr("crawler.storage.article_writer.write_posts", write_and_look)
    with OutputDir.open_for_writing(tmp_path) as out:
        save_articles(out, pending_articles(out.db, *create_articles(2)))
        look()
        write_unwritten_posts(out, list(out.db.articles.iter_rows_by_path()))
    owed, done = [(None, None)] * 2, [(1, "new")] * 2
    assert states == [owed, owed, done, done, done]


def test_bug_in_a_single_article_is_raised(tmp_path: Path) -> None:
    with OutputDir.open_for_writing(tmp_path) as out:
        (good, bad) = pending_articles(
            out.db, *create_articles(1), replace(ARTICLE, code="202201102242171699", title="\ud800")
        )
        with pytest.raises(UnicodeEncodeError):
            save_article(out, bad)
        saved = save_article(out, good)
        assert isinstance(saved, SavedArticle)
        assert saved.outcome is Outcome.NEW
        assert out.db.runs.entry_counts(1)["new"] == 1
