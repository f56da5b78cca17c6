"""The source's annotation of stocks and boards: many spellings in, one link out, and the links counted."""

import html
import re
from collections import Counter

from crawler.items import Mention

# Our one spelling. `extract_mentions` reads nothing else, so that they follow from a clean body alone.
QUOTE_URL_PREFIX = "https://quote.eastmoney.com/unify/r/"
_BOARD_MARKET_ID = "90"

_SECID_PATTERN = re.compile(r"\d{1,3}\.[0-9A-Za-z][0-9A-Za-z_.\-]{0,15}", re.ASCII)
# `http://quote.eastmoney.com/unify/r/1.600160` and the shorter `/r/0.002353`.
_QUOTE_URL_PATTERN = re.compile(r"(?:https?:)?//quote\.eastmoney\.com/(?:unify/)?r/([^/?#]+)", re.IGNORECASE)
# `stock_1.600160`, `bk_90.BK0493`, `Info.116.00700`; `Info.3332` is a link to a glossary, not a stock.
_SPAN_ID_PATTERN = re.compile(r"(?:stock_|bk_|Info\.)(.+)")
_QUOTE_LINK = re.compile(rf'<a href="{re.escape(QUOTE_URL_PREFIX)}([^"]+)">(.*?)</a>', re.DOTALL)
_HTML_TAG = re.compile(r"<[^>]*>")


def find_secid(href: str, data_code: str, span_id: str) -> str | None:
    """The secid that an annotated element stands for, from whichever attribute tells it; None for other elements.

    `data_code` is `1,600160`; one without its market (`002353`) says nothing.
    """
    url_match, span_match = _QUOTE_URL_PATTERN.fullmatch(href.strip()), _SPAN_ID_PATTERN.fullmatch(span_id.strip())
    for candidate in (url_match and url_match[1], data_code.strip().replace(",", ".", 1), span_match and span_match[1]):
        if candidate and _SECID_PATTERN.fullmatch(candidate):
            return candidate
    return None


def quote_url(secid: str) -> str:
    """The address of a stock's or board's page, as every body holds it."""
    return QUOTE_URL_PREFIX + secid


def is_secid(text: str) -> bool:
    """Whether this is market and code, such as `1.600160` or `90.BK0493`."""
    return bool(_SECID_PATTERN.fullmatch(text))


def extract_mentions(body_html: str) -> tuple[Mention, ...]:
    """The stocks and boards that a clean body links to, in order of first appearance, with how often."""
    names_by_secid: dict[str, str] = {}
    counts_by_secid: Counter[str] = Counter()
    for secid, inner_html in _QUOTE_LINK.findall(body_html):
        name = html.unescape(_HTML_TAG.sub("", inner_html)).strip()
        if name and is_secid(secid):
            names_by_secid.setdefault(secid, name)
            counts_by_secid[secid] += 1
    return tuple(
        Mention(secid, _mention_kind(secid), name, counts_by_secid[secid]) for secid, name in names_by_secid.items()
    )


def _mention_kind(secid: str) -> str:
    return "board" if secid.split(".", 1)[0] == _BOARD_MARKET_ID else "stock"
