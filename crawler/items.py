"""Items: the types that one article passes through; each is the proof that a step was done.

    listing page ─▶ ListingEntry ─▶ RawResponse ─▶ RawArticle ─▶ Article ─▶ SavedArticle
                    (a row parsed)  (fetched)      (extracted)   (clean)    (in the database)

A `Post` is what the post file of an article is rendered from. This module imports nothing of the package.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

# The column of an entry that no listing listed: the crawl asked for it by itself.
NO_COLUMN = ""
# The folders of posts, below the output folder: those that Jekyll reads, and those whose pages are kept as HTML.
POSTS_DIR, ARCHIVED_POSTS_DIR = "_posts", "_frozen"

# What a published article looks like, whatever its source: other programs read it in file names, addresses and bodies,
# so it never changes. It is Eastmoney's form because Eastmoney came first; how a source itself writes these things is
# in its SourceMarkup.
# The key of an article. File names are made of it, so nothing but digits passes.
CODE_PATTERN = re.compile(r"[0-9]{18,24}", re.ASCII)
# Stands before the code in the name of a post.
CODE_PREFIX = "NW"
# The page that bodies link a stock or board to; its secid follows.
QUOTE_URL_PREFIX = "https://quote.eastmoney.com/unify/r/"
# The class of the paragraph that names the media, in bodies and in the themes.
SOURCE_LINE_CLASS = "em_media"
# What a post ends with that holds a summary only. It says nothing of the article, so that it is no part of its text.
SUMMARY_NOTE_HTML = "<p>（摘要，全文见原文）</p>"


class Outcome(StrEnum):
    """What became of one listing entry; the words of the `entries` table."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    FAILED = "failed"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why an entry has its outcome; the codes of `entries.reason`, whose texts in `detail` may change at any time."""

    # new, updated, unchanged
    SCRAPED = "scraped"  # its article was read; the outcome compares it with the stored one
    REPLAYED = "replayed"  # the same, from a stored response
    IMPORTED = "imported"  # the same, from a post of an old site
    WITHDRAWN = "withdrawn"  # the source has removed an article that is stored
    NOT_MODIFIED = "not_modified"  # listed as it was before: not requested
    ALREADY_STORED = "already_stored"  # imports leave stored articles as they are
    OTHER_SOURCE = "other_source"  # stored from a source that this one does not supersede
    REJECTED_EARLIER = "rejected_earlier"  # led to nothing in an earlier crawl, and is listed as it was then
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
    ROBOTS_FORBIDDEN = "robots_forbidden"  # by the rules of robots.txt, or because it cannot be had
    ENDPOINT_CLOSED = "endpoint_closed"  # not sent: the endpoint has failed twice in a row
    REQUEST_DROPPED = "request_dropped"  # not sent, or given up: hosts, redirects, pauses
    RESPONSE_TOO_LARGE = "response_too_large"
    RESPONSE_INCOMPLETE = "response_incomplete"  # truncated, or its compression is broken
    SOURCE_ERROR = "source_error"  # the source answers that it has an error
    INTERRUPTED = "interrupted"  # the crawl was stopped or killed first
    BUG = "bug"  # an error in finews
    # quarantined
    UNREADABLE = "unreadable"  # a response, row or file is not what it should be
    SCHEMA_CHANGED = "schema_changed"  # a field is missing, or has another type
    REJECTED = "rejected"  # an article that must not be published
    NO_BODY = "no_body"  # an article without text; also filtered
    # any: recorded by an older finews, and only the text says why
    UNSPECIFIED = "unspecified"


class RunOutcome(StrEnum):
    """How a crawl ended; the words of `runs.outcome`."""

    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ListingEntry:
    """One row of a listing: enough to fetch the article, or to leave it.

    `code` is digits only; `published` has the source's offset; `media` is empty where the listing names none;
    `stocks` are secids such as `1.600160`; `url` is the article's canonical URL. `is_cut` says that the row holds the
    beginning of its text alone, where rows are articles. The crawl that records the entry sets the last two: its row in
    `entries`, and whether the database has its article already.
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
    """A response as it came.

    `url` is the canonical URL, `extractor_index` which of the spider's extractors it is for, or ROW for a row.
    """

    url: str
    content_type: str
    body: bytes
    extractor_index: int = 0


# The `extractor_index` of a row that is an article by itself.
ROW = -1
# Of an article that was not extracted from a response.
NO_RESPONSE = RawResponse("", "", b"")
_NEVER_FETCHED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RawArticle:
    """An article as the source has it: nothing cleaned, nothing decided.

    An extractor gives the entry and what the response says of the article; what it leaves empty is the entry's to say.
    A `summary` of None is left empty too; one of no characters says that the article has none. `columns` are the column
    ids that the response names, and `ends_with_source_line` says that its post is to end with a line that names the
    media, also where the body does not. The spider adds the rest: its name, the media of an article that names none,
    the response, and when it came.
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
    """A media and the slug that its articles are filed under; `aliases` are other names and older slugs."""

    slug: str
    media: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """A stock or board that a body links to; `secid` is market and code, e.g. `1.600160`."""

    secid: str
    kind: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Article:
    """Ready to publish. `media` is the name as the source writes it, `category` where it is filed.

    `body_html` is clean; `body_text` and `mentions` follow from it alone. `columns` are all that list the article.
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
        """Whether it holds the summary of an article that could not be had."""
        return self.body_html.endswith(SUMMARY_NOTE_HTML)


@dataclass(frozen=True, slots=True)
class Post:
    """What a post file is made of, and all that it is made of."""

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
    """An article that is in the database, and the post that is to be written for it.

    `post_path` is relative to the output folder and never changes, whatever is corrected later. `post_text` is empty
    when the file on disk is right already.
    """

    article: Article
    outcome: Outcome
    revision: int
    post_path: str
    post_text: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What complete readings of one listing have covered: all entries from `oldest` to `newest`.

    `oldest` is None when they went to the end of the listing.
    """

    newest: datetime
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries published after `after` and before `before` stood in a listing, and were gone when it was asked."""

    after: datetime
    before: datetime


@dataclass(frozen=True, slots=True)
class ListingSize:
    """How long a listing is by the source's own count: `rows` on `pages`."""

    rows: int
    pages: int


@dataclass(frozen=True, slots=True)
class PageWindow:
    """Rows of a listing by their positions, as its source names them: the page `index` of pages of `size` rows.

    `max_size` is the largest size that the source answers with.

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
        """The position of its first row; that of the newest entry is 1."""
        return (self.index - 1) * self.size + 1

    @property
    def end(self) -> int:
        """The position of its last row."""
        return self.index * self.size

    def __str__(self) -> str:
        return f"{self.index}/{self.size}"


@dataclass(frozen=True, slots=True)
class KnownArticle:
    """What the database knows of a listed code.

    `source` is the spider whose text we keep, None when there is no article, and `withdrawn` whether the source has
    taken it away. The rest is what this spider's listing said when the article was last saved or rejected;
    `rejection_reason` is the reason, empty when it was saved. What is `in_quarantine` a person should look at.
    """

    source: str | None
    withdrawn: bool
    title: str | None
    published_at: str | None
    rejection_reason: str
    in_quarantine: bool = False
