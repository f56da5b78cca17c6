"""Pages of one article: kept as one response, and joined into one body."""

import html
import json
import re
from collections.abc import Sequence

from crawler.content.encoding import decode_body
from crawler.content.markup import SourceMarkup
from crawler.errors import ParseError
from crawler.items import RawResponse

# Of a response that holds the texts of several pages, as a list.
_CONTENT_TYPE = "application/vnd.finews.pages+json"
_TAG = re.compile(r"<[^>]*>")


def pack_pages(pages: Sequence[RawResponse]) -> RawResponse:
    """Return the pages of an article as one response. Raises ParseError for a page that is no text."""
    texts = [decode_body(page.body, page.content_type) for page in pages]
    body = json.dumps(texts, ensure_ascii=False).encode()
    return RawResponse(pages[0].url, _CONTENT_TYPE, body, pages[0].extractor_index)


def unpack_pages(response: RawResponse) -> list[str]:
    """Return the texts of the pages in a response; of any other response its text alone. Raises ParseError."""
    text = decode_body(response.body, response.content_type)
    if response.content_type != _CONTENT_TYPE:
        return [text]
    try:
        pages = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError("the pages of the article cannot be read") from error
    if not (isinstance(pages, list) and pages and all(isinstance(page, str) for page in pages)):
        raise ParseError("the pages of the article cannot be read")
    return pages


def join_bodies(bodies: Sequence[str], markup: SourceMarkup) -> str:
    """Return the bodies of an article's pages as one. The line that names the media is written once, at the end."""
    texts, source_lines = zip(*(_split_source_line(body, markup) for body in bodies), strict=True)
    return "".join(texts) + next((line for line in reversed(source_lines) if line), "")


def is_blank(body: str, markup: SourceMarkup) -> bool:
    """Return whether the body of a page holds no text or picture but the line that names the media."""
    text, _ = _split_source_line(body, markup)
    return "<img" not in text and not html.unescape(_TAG.sub("", text)).strip()


def _split_source_line(body: str, markup: SourceMarkup) -> tuple[str, str]:
    """Return a body without its last paragraph, and that one, where it names the media."""
    start = body.rfind("<p")
    last = body[max(start, 0) :].rstrip()
    names_media = markup.source_line is not None and markup.source_line.fullmatch(_TAG.sub("", last).strip())
    return (body[:start], last) if start >= 0 and names_media else (body, "")
