"""The source's annotation of stocks and boards: many spellings in, one link out, and the links counted."""

import html
import re
from collections import Counter

from crawler.items import Mention

# Our one spelling. `mentions` reads nothing else, so that they follow from a clean body alone.
QUOTE_PAGE = "https://quote.eastmoney.com/unify/r/"
_BOARD_MARKET = "90"

_SECID = re.compile(r"\d{1,3}\.[0-9A-Za-z][0-9A-Za-z_.\-]{0,15}", re.ASCII)
# `http://quote.eastmoney.com/unify/r/1.600160` and the shorter `/r/0.002353`.
_QUOTE_URL = re.compile(r"(?:https?:)?//quote\.eastmoney\.com/(?:unify/)?r/([^/?#]+)", re.IGNORECASE)
# `stock_1.600160`, `bk_90.BK0493`, `Info.116.00700`; `Info.3332` is a link to a glossary, not a stock.
_SPAN_ID = re.compile(r"(?:stock_|bk_|Info\.)(.+)")
_LINK = re.compile(rf'<a href="{re.escape(QUOTE_PAGE)}([^"]+)">(.*?)</a>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def secid_of(href: str, data_code: str, span_id: str) -> str | None:
    """The secid that an annotated element stands for, from whichever attribute tells it; None for other elements.

    `data_code` is `1,600160`; one without its market (`002353`) says nothing.
    """
    url, span = _QUOTE_URL.fullmatch(href.strip()), _SPAN_ID.fullmatch(span_id.strip())
    for candidate in (url and url[1], data_code.strip().replace(",", ".", 1), span and span[1]):
        if candidate and _SECID.fullmatch(candidate):
            return candidate
    return None


def quote_link(secid: str) -> str:
    """The address of a stock's or board's page, as every body holds it."""
    return QUOTE_PAGE + secid


def is_secid(text: str) -> bool:
    """Whether this is market and code, such as `1.600160` or `90.BK0493`."""
    return bool(_SECID.fullmatch(text))


def mentions(body_html: str) -> tuple[Mention, ...]:
    """The stocks and boards that a clean body links to, in order of first appearance, with how often."""
    names: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for secid, inner in _LINK.findall(body_html):
        name = html.unescape(_TAG.sub("", inner)).strip()
        if name and is_secid(secid):
            names.setdefault(secid, name)
            counts[secid] += 1
    return tuple(Mention(secid, _kind(secid), name, counts[secid]) for secid, name in names.items())


def _kind(secid: str) -> str:
    return "board" if secid.split(".", 1)[0] == _BOARD_MARKET else "stock"
