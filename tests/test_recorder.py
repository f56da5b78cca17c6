"""Articles that are taken in together."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from crawler.content.post_format import SiteLinks
from crawler.errors import OutputError
from crawler.items import Article, Category, ListingEntry, Outcome
from crawler.storage import Store
from crawler.storage.article_writer import BatchWriter, PendingArticle

NOW = datetime.fromisoformat("2022-01-10T16:20:36+08:00")
ARTICLE = Article(
    entry=ListingEntry("", "标题", NOW, "350", "https://finance.eastmoney.com/a/1.html"), code="", title="标题", published_at=NOW, media="中国农网", category=Category("zhongguonongwang", "中国农网"),
    spider="eastmoney", url="https://finance.eastmoney.com/a/1.html", summary="", body_html="<p>文</p>", body_text="文",
    mentions=(), columns=(), fetched_at=NOW,
)  # fmt: skip


def waiting(store: Store, *articles: Article) -> list[PendingArticle]:
    run_id = store.runs.start("eastmoney", {}, NOW)
    ids = store.runs.add_entries(run_id, [(each.code, "350", None, None, "") for each in articles])
    entries = [ListingEntry(each.code, "标题", each.published_at, "350", each.url) for each in articles]
    return [PendingArticle(*each) for each in zip(articles, entries, ids, strict=True)]


def numbered(count: int) -> list[Article]:
    return [replace(ARTICLE, code=f"{202201102242171600 + number}") for number in range(count)]


def test_an_article_that_meets_a_fault_of_ours_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    good = numbered(12)
    bad = replace(ARTICLE, code="202201102242171699", title="\ud800")
    with Store.open_rw(tmp_path) as store:
        recorder = BatchWriter(tmp_path, store, SiteLinks("//site"))
        for each in waiting(store, good[0], bad, *good[1:]):
            recorder.add(each)
        recorded, faults = recorder.flush()
        assert [(done.article, done.outcome) for done in recorded] == [(each, Outcome.NEW) for each in good]
        assert [(entry.code, type(error)) for entry, error in faults] == [(bad.code, UnicodeEncodeError)]
        assert store.articles.get(bad.code) is None
        assert store.articles.unwritten_posts(SiteLinks("//site")) == []
        assert store.search_index.find_faults() == []
        assert len(list(tmp_path.rglob("*.md"))) == 12
        assert recorder.flush() == ([], [])


def test_posts_that_cannot_be_written_stay_owed(tmp_path: Path) -> None:
    (tmp_path / "_posts").write_text("a file where a folder should be")
    with Store.open_rw(tmp_path) as store:
        recorder = BatchWriter(tmp_path, store, SiteLinks("//site"))
        for each in waiting(store, *numbered(9)):
            recorder.add(each)
        with pytest.raises(OutputError, match="cannot write"):
            recorder.flush()
        assert len(store.articles.unwritten_posts(SiteLinks("//site"))) == 9
