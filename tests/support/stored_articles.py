"""Articles as rows, saved as by a crawl."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from crawler.content.dates import CHINA_TZ
from crawler.content.html_text import html_to_text
from crawler.content.post_format import render_post
from crawler.content.stocks import extract_mentions
from crawler.items import Article, Category, ListingEntry, Post, RawResponse, SavedArticle
from crawler.storage import Store
from crawler.storage.quarantine import KIND_ROW
from tests.support.articles import SITE_LINKS

FARMERS_CATEGORY = Category("zhongguonongwang", "中国农网", ("农网",))
DEFAULT_CODE = "202201102242171631"
PUBLISHED = datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ)
NOW = datetime(2022, 1, 10, 17, 0, tzinfo=CHINA_TZ)
LATER = NOW + timedelta(hours=1)
POST_PATH = f"_posts/2022/01/10/2022-01-10-NW{DEFAULT_CODE}.md"
STOCK_LINK = '<a href="https://quote.eastmoney.com/unify/r/{}">{}</a>'


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
    """Return the listing entry of an article."""
    entry = ListingEntry(
        code=article.code, title=article.title, published=article.published_at, column="350", url=article.url
    )
    return replace(entry, **changes)


def save_article(store: Store, article: Article, entry: ListingEntry | None = None, **options: Any) -> SavedArticle:
    with store.transaction():
        article = replace(article, entry=entry or entry_for(article))
        recorded = store.article_upserter.upsert(article, SITE_LINKS, **options)
        store.search_index.index_articles([article.code])
    return recorded


def owed(store: Store) -> list[tuple[str, int, str, str]]:
    """Return code, revision, path and text of each post that is not written yet."""
    rows = store.articles.unwritten_posts(9)
    return [
        (row["code"], row["revision"], row["post_path"], render_post(Post.from_row(row), SITE_LINKS)) for row in rows
    ]


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
