"""Feeds of articles: Atom, RSS and JSON Feed, with full texts, permanent ids, and the time of the last change."""

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from crawler.content.unicode_text import collapse_whitespace

Row = Mapping[str, Any]

# Prefix of all ids, a tag URI (RFC 4151) without a host: ids stay the same when the site moves.
_TAG = "tag:finews,2021:"
# Search parameters that are in the title of a feed.
_TITLE_FILTERS = ("category", "column", "stock", "q")


def article_id(code: str) -> str:
    """Return the permanent id of an article, the same in every feed.

    >>> article_id("202201102242171631")
    'tag:finews,2021:202201102242171631'
    """
    return _TAG + quote(code, errors="replace")


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """Metadata of a feed; `site_address` is the site's address, such as `//finews.withounder.com`.

    `filters` are the parameters of its search, by name; a value may be a list. `url` is the feed's own address, empty
    where it is not known.
    """

    site_address: str
    filters: Mapping[str, str | Sequence[str]]
    url: str = ""

    @property
    def title(self) -> str:
        """Return `finews` and the most important values of the search."""
        values = (self.filters.get(name, "") for name in _TITLE_FILTERS)
        words = (word for value in values for word in ([value] if isinstance(value, str) else value))
        return collapse_whitespace(" ".join(("finews", *words)))

    @property
    def id(self) -> str:
        """Return the id of the feed, a valid URI that is different for each search."""
        query = urlencode(self.filters, doseq=True, errors="replace", quote_via=quote)
        return f"{_TAG}feed:{quote(self.host)}" + (f"?{query}" if query else "")

    @property
    def host(self) -> str:
        """Return the host of the site."""
        return self.site_address.rpartition("//")[2].partition("/")[0]

    @property
    def home_url(self) -> str:
        """Return the URL of the site's home page."""
        return f"https:{self.site_address}/" if self.site_address.startswith("//") else f"{self.site_address}/"


def select_newest(rows: Iterable[Row], limit: int) -> list[Row]:
    """Return the first `limit` rows that the source has not withdrawn."""
    return list(itertools.islice((row for row in rows if not row["withdrawn_at"]), limit))


def render_atom(rows: Iterable[Row], info: FeedInfo) -> str:
    """Return an Atom feed (RFC 4287)."""
    return str(_generate_feed(list(rows), info).atom_str(pretty=True).decode())


def render_rss(rows: Iterable[Row], info: FeedInfo) -> str:
    """Return an RSS 2.0 feed, with the text as `content:encoded` where there is a summary, else as the description."""
    feed = _generate_feed(list(rows), info)
    feed.description(info.title)  # required by RSS
    return str(feed.rss_str(pretty=True).decode())


def render_json_feed(rows: Iterable[Row], info: FeedInfo) -> str:
    """Return a JSON Feed, version 1.1."""
    items = [
        {
            "id": article_id(row["code"]),
            **({"url": row["url"]} if _is_web_address(row["url"]) else {}),
            "title": row["title"],
            "content_html": row["body_html"],
            "date_published": row["published_at"],
            "date_modified": updated_at(row),
            "authors": [{"name": row["media"]}],
            "tags": [row["media"]],
            **({"summary": row["summary"]} if row["summary"] else {}),
        }
        for row in rows
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": info.title,
        "home_page_url": info.home_url,
        "language": "zh-CN",
        **({"feed_url": info.url} if info.url else {}),
        "items": items,
    }
    return json.dumps(feed, ensure_ascii=False, indent=2)


class FeedFormat(NamedTuple):
    """Format of feeds: its renderer and its media type."""

    render: Callable[[Iterable[Row], FeedInfo], str]
    media_type: str


FEED_FORMATS = {
    "atom": FeedFormat(render_atom, "application/atom+xml"),
    "rss": FeedFormat(render_rss, "application/rss+xml"),
    "json": FeedFormat(render_json_feed, "application/feed+json"),
}


def _generate_feed(rows: Sequence[Row], info: FeedInfo) -> Any:
    from feedgen.feed import FeedGenerator  # imports for a tenth of a second

    feed = FeedGenerator()
    feed.load_extension("dc", atom=False, rss=True)  # RSS allows only a mail address as author
    feed.id(info.id)
    feed.title(info.title)
    if info.url:
        feed.link(href=info.url, rel="self")
    feed.link(href=info.home_url, rel="alternate")  # RSS takes the last link
    feed.language("zh-CN")
    feed.author(name=info.host)
    feed.updated(max(map(updated_at, rows), default="1970-01-01T00:00:00+00:00"))
    for row in rows:
        entry = feed.add_entry(order="append")
        entry.id(article_id(row["code"]))
        entry.title(row["title"])
        if _is_web_address(row["url"]):
            entry.link(href=row["url"], rel="alternate")
        entry.author(name=row["media"])
        entry.dc.dc_creator(row["media"])
        entry.category(term=row["category"], label=row["media"])
        entry.published(row["published_at"])
        entry.updated(updated_at(row))
        if row["summary"]:
            entry.summary(row["summary"])
        entry.content(row["body_html"], type="html")
    return feed


def _is_web_address(url: str) -> bool:
    """Return whether a URL is http(s): another program may have written `javascript:` into the database."""
    return url.startswith(("https://", "http://"))


def updated_at(row: Row) -> str:
    """Return the time of an article's last correction, or of its publication if it was never corrected."""
    return str(row["changed_at"] or row["published_at"])
