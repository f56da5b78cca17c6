"""Items: the types of one article after each step of a crawl.

    listing page ─▶ ListingEntry ─▶ RawResponse ─▶ RawArticle ─▶ Article ─▶ SavedArticle
                    (a row parsed)  (fetched)      (extracted)   (clean)    (in the database)

A `Post` holds the fields of a post file. This module imports nothing of the package.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

# The column of an entry that is not from a listing, such as of --refresh.
NO_COLUMN = ""
# Folders below the output folder: posts that Jekyll renders, and posts whose pages are kept as HTML.
POSTS_DIR, ARCHIVED_POSTS_DIR = "_posts", "_frozen"

# The form of a published article. Other programs read it in file names, URLs and bodies, so it never changes, and all
# sources share the form of Eastmoney, the first one. The forms of each source are in its SourceMarkup.
# The key of an article: digits only, because file names contain it.
CODE_PATTERN = re.compile(r"[0-9]{18,24}", re.ASCII)
# Prefix of the code in file names of posts.
CODE_PREFIX = "NW"
# URL prefix of the links to stocks and boards in bodies; the secid follows.
QUOTE_URL_PREFIX = "https://quote.eastmoney.com/unify/r/"
# Class of the paragraph with the media, in bodies and themes.
SOURCE_LINE_CLASS = "em_media"
# Last paragraph of a post with only a summary, which is not part of the article's text.
SUMMARY_NOTE_HTML = "<p>（摘要，全文见原文）</p>"


class Outcome(StrEnum):
    """Outcome of a listing entry, as in the `entries` table."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Reason of an outcome: the codes of `entries.reason`. Their texts in `detail` may change at any time."""

    # new, updated, unchanged
    SCRAPED = "scraped"  # the article was extracted; the outcome compares it with the stored one
    REPLAYED = "replayed"  # the same, from a stored response
    IMPORTED = "imported"  # the same, from a post of an old site
    WITHDRAWN = "withdrawn"  # the source has removed an article that is stored
    NOT_MODIFIED = "not_modified"  # the row has not changed: not requested
    ALREADY_STORED = "already_stored"  # imports do not change stored articles
    OTHER_SOURCE = "other_source"  # stored from a source that this one does not supersede
    REJECTED_EARLIER = "rejected_earlier"  # failed for good in an earlier crawl, and the row has not changed
    # duplicate
    LISTED_TWICE = "listed_twice"
    # filtered
    OTHER_CATEGORY = "other_category"
    BEFORE_SINCE = "before_since"
    AFTER_UNTIL = "after_until"
    OVER_LIMIT = "over_limit"
    # failed: the next crawl tries again
    HTTP_ERROR = "http_error"
    CONNECTION_ERROR = "connection_error"  # also name resolution, TLS and timeouts
    REFUSED = "refused"  # 403, 429, a closed connection, an empty body, a check for humans
    ROBOTS_FORBIDDEN = "robots_forbidden"  # by the rules of robots.txt, or because it is unavailable
    ENDPOINT_CLOSED = "endpoint_closed"  # not sent: the endpoint failed twice in a row
    REQUEST_DROPPED = "request_dropped"  # not sent, or given up: other hosts, redirects, pauses
    RESPONSE_TOO_LARGE = "response_too_large"
    RESPONSE_INCOMPLETE = "response_incomplete"  # truncated, or its compression is broken
    SOURCE_ERROR = "source_error"  # the source reports an error
    INTERRUPTED = "interrupted"  # the crawl was stopped or killed first
    BUG = "bug"  # an error in finews
    # quarantined
    UNREADABLE = "unreadable"  # a response, row or file cannot be parsed
    SCHEMA_CHANGED = "schema_changed"  # a field is missing, or has another type
    REJECTED = "rejected"  # an article that must not be published
    NO_BODY = "no_body"  # an article without text; also filtered
    # any: recorded by an older finews, with the reason as text only
    UNSPECIFIED = "unspecified"


class RunOutcome(StrEnum):
    """Outcome of a crawl, as in `runs.outcome`."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ListingEntry:
    """One row of a listing.

    `code` is digits only; `published` has the source's offset; `media` is empty if the listing has none; `stocks` are
    secids such as `1.600160`; `url` is the article's canonical URL. `is_cut` says that a row that should be the article
    has only its beginning. The tracker sets `entry_id`, the row in `entries`, and `has_article`: the article is stored.
    """

    code: str
    title: str
    published: datetime
    column: str
    url: str
    media: str = ""
    summary: str = ""
    stocks: tuple[str, ...] = ()
    is_cut: bool = False
    entry_id: int = 0
    has_article: bool = False


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response as received, with its canonical URL, and the index of the spider's extractor, or ROW for a row."""

    url: str
    content_type: str
    body: bytes
    extractor_index: int = 0


# The `extractor_index` of a row that is an article.
ROW = -1
# The response of an article that was not extracted from one.
NO_RESPONSE = RawResponse("", "", b"")
_NEVER_FETCHED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RawArticle:
    """An article as extracted, not cleaned.

    An extractor sets the entry and the fields of the response; empty fields, and a `summary` of None, are taken from
    the entry. An empty `summary` is that of an article without one. `columns` are the column ids in the response, and
    `ends_with_source_line` says that the post ends with a line with the media, even if the body does not. The spider
    sets the other fields.
    """

    entry: ListingEntry
    body: str
    title: str = ""
    published: datetime | None = None
    media: str = ""
    summary: str | None = None
    columns: tuple[str, ...] = ()
    ends_with_source_line: bool = False
    spider: str = ""
    default_media: str = ""
    response: RawResponse = NO_RESPONSE
    fetched_at: datetime = _NEVER_FETCHED


@dataclass(frozen=True, slots=True)
class Category:
    """A media and the slug of its articles; `aliases` are other names and older slugs."""

    slug: str
    media: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """A stock or board that a body links to, with the number of links; `secid` is market and code: `1.600160`."""

    secid: str
    kind: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Article:
    """An article ready to publish, with the media's name of the source and its category.

    `body_html` is clean; `body_text` and `mentions` are derived from it. `columns` are all columns of the article.
    """

    entry: ListingEntry
    code: str
    title: str
    published_at: datetime
    media: str
    category: Category
    spider: str
    url: str
    summary: str
    body_html: str
    body_text: str
    mentions: tuple[Mention, ...]
    columns: tuple[str, ...]
    fetched_at: datetime

    @property
    def is_summary(self) -> bool:
        """Return whether this is only the summary of an article that could not be fetched."""
        return self.body_html.endswith(SUMMARY_NOTE_HTML)


@dataclass(frozen=True, slots=True)
class Post:
    """Fields of a post file."""

    code: str
    title: str
    published_at: datetime
    category: str
    media: str
    body_html: str
    url: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the post of a row of `articles`."""
        return cls(
            code=row["code"],
            title=row["title"],
            published_at=datetime.fromisoformat(row["published_at"]),
            category=row["category"],
            media=row["media"],
            body_html=row["body_html"],
            url=row["url"],
        )

    @classmethod
    def from_article(cls, article: Article) -> Self:
        """Return the post of an article."""
        return cls(
            code=article.code,
            title=article.title,
            published_at=article.published_at,
            category=article.category.slug,
            media=article.media,
            body_html=article.body_html,
            url=article.url,
        )


@dataclass(frozen=True, slots=True)
class SavedArticle:
    """An article in the database, and the post to write.

    `post_path` is relative to the output folder, and never changes. `post_text` is empty if the file on disk is right.
    """

    article: Article
    outcome: Outcome
    revision: int
    post_path: str
    post_text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Range of a listing, by publication time, that was read completely; `oldest` is None for its end."""

    newest: datetime
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Range of a listing that could not be read any more: entries after `after` and before `before` are missing."""

    after: datetime
    before: datetime


@dataclass(frozen=True, slots=True)
class ListingSize:
    """Length of a listing as the source reports it."""

    rows: int
    pages: int


@dataclass(frozen=True, slots=True)
class PageWindow:
    """Positions of listing rows: page `index`, from 1, of pages of `size` rows; the source allows up to `max_size`.

    >>> window = PageWindow.from_cursor("3/50", 100)
    >>> window.start, window.end, str(window), str(PageWindow.from_cursor("1", 100))
    (101, 150, '3/50', '1/100')
    """

    index: int
    size: int
    max_size: int

    @classmethod
    def from_cursor(cls, cursor: str, default_size: int, max_size: int = 0) -> Self:
        """Return the window that a cursor `INDEX/SIZE` or `INDEX` names."""
        index, _, size = cursor.partition("/")
        return cls(int(index), int(size or default_size), max_size or default_size)

    @property
    def start(self) -> int:
        """Return the position of the first row; the newest entry has position 1."""
        return (self.index - 1) * self.size + 1

    @property
    def end(self) -> int:
        """Return the position of the last row."""
        return self.index * self.size

    def __str__(self) -> str:
        return f"{self.index}/{self.size}"


@dataclass(frozen=True, slots=True)
class KnownArticle:
    """Stored state of a listed code.

    `source` is the spider of the stored text, None without an article; `withdrawn` says that the source has removed it.
    `title` and `published_at` were listed when this spider's article was last saved or rejected. `rejection_reason` is
    empty for a saved article. `in_quarantine` articles need a person's attention.
    """

    source: str | None
    withdrawn: bool
    title: str | None
    published_at: str | None
    rejection_reason: str
    in_quarantine: bool = False
