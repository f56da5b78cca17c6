"""Stocks: secids such as `1.600160`, what a person types for one, and the mentions extracted from a clean body."""

import html
import re
import unicodedata
from collections import Counter
from typing import NamedTuple

from crawler.items import QUOTE_URL_PREFIX, Mention

SECID_PATTERN = re.compile(r"\d{1,3}\.[0-9A-Za-z][0-9A-Za-z_.\-]{0,15}", re.ASCII)

_BOARD_MARKET_ID = "90"
# A clean body has no other spelling, so its mentions follow from it alone.
_QUOTE_LINK = re.compile(rf'<a href="{re.escape(QUOTE_URL_PREFIX)}([^"]+)">(.*?)</a\s?>', re.DOTALL)
_HTML_TAG = re.compile(r"<[^>]*>")

# The markets of secids by the letters that people write before or after a code.
_MAINLAND_MARKET_IDS = {"SH": "1", "SS": "1", "SZ": "0", "BJ": "0"}
_HONG_KONG_MARKET_ID, _US_MARKET_IDS = "116", ("105", "106", "107")
_MAINLAND_FORM = re.compile(r"(SH|SZ|BJ)[.:]?(\d{6})|(\d{6})[.:]?(SH|SS|SZ|BJ)", re.ASCII)
_HONG_KONG_FORM = re.compile(r"HK[.:]?(\d{1,5})|(\d{1,5})[.:]?HK", re.ASCII)
_TICKER = r"[A-Z][A-Z0-9]{0,5}(?:[._-][A-Z])?"
# `.O` and `.N` are what Reuters, and articles after it, write for Nasdaq and New York.
_US_FORM = re.compile(rf"US[.:]({_TICKER})|({_TICKER})[.:](?:US|O|N)", re.ASCII)
_BARE_FORM = re.compile(rf"{SECID_PATTERN.pattern}|\d{{1,6}}|{_TICKER}", re.ASCII)
# Secids write `BRK_B` for BRK.B and BRK-B.
_TO_SECID = str.maketrans(".-", "__")
# A shorter ticker is a part of too many words to be searched for alone.
_MIN_TICKER_CHARS = 3


class TypedStock(NamedTuple):
    """Keys and texts that a typed stock code may mean.

    `keys` are the secids that it may be, and codes without their market. `texts` are in small letters what an article's
    text holds of it, one of them at least: a code is written alone, in brackets, or with the letters of its market.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]


def is_secid(text: str) -> bool:
    """Return whether this is market and code, such as `1.600160` or `90.BK0493`."""
    return bool(SECID_PATTERN.fullmatch(text))


def parse_stock(text: str) -> TypedStock | None:
    """Return what a code means that a person typed, with or without its market; None for what is not a code.

    >>> parse_stock("sz309004")
    TypedStock(keys=('0.309004',), texts=('309004',))
    >>> parse_stock("700.HK")
    TypedStock(keys=('116.00700',), texts=('00700', '0700.hk', 'hk0700'))
    >>> parse_stock("nvda.us")
    TypedStock(keys=('105.NVDA', '106.NVDA', '107.NVDA'), texts=('nvda',))
    """
    typed = unicodedata.normalize("NFKC", text).strip().upper()
    if match := _MAINLAND_FORM.fullmatch(typed):
        code = match[2] or match[3]
        return TypedStock((f"{_MAINLAND_MARKET_IDS[match[1] or match[4]]}.{code}",), (code,))
    if match := _HONG_KONG_FORM.fullmatch(typed):
        return _hong_kong_stock(int(match[1] or match[2]))
    if match := _US_FORM.fullmatch(typed):
        ticker = match[1] or match[2]
        keys = tuple(f"{market}.{ticker.translate(_TO_SECID)}" for market in _US_MARKET_IDS)
        return TypedStock(keys, ((ticker if len(ticker) >= _MIN_TICKER_CHARS else typed).lower(),))
    if not _BARE_FORM.fullmatch(typed):
        return None
    if typed.isdigit():
        hong_kong_keys = _hong_kong_stock(int(typed)).keys if len(typed) < 6 else ()
        return TypedStock((typed, *hong_kong_keys), (typed,))
    return TypedStock((typed if is_secid(typed) else typed.translate(_TO_SECID),), (typed.lower(),))


def _hong_kong_stock(number: int) -> TypedStock:
    code = f"{number:05}"
    # Codes are written with four digits, too; with fewer, they would be found in others: `hk700` in `hk7001`.
    short_forms = () if number >= 10_000 else (f"{number:04}.hk", f"hk{number:04}")
    return TypedStock((f"{_HONG_KONG_MARKET_ID}.{code}",), (code, *short_forms))


def extract_mentions(body_html: str) -> tuple[Mention, ...]:
    """Return the stocks and boards that a clean body links to, in order of first appearance, with how often."""
    names_by_secid: dict[str, str] = {}
    counts_by_secid: Counter[str] = Counter()
    for secid, inner_html in _QUOTE_LINK.findall(body_html):
        name = html.unescape(_HTML_TAG.sub("", inner_html)).strip()
        if name and SECID_PATTERN.fullmatch(secid):
            names_by_secid.setdefault(secid, name)
            counts_by_secid[secid] += 1
    return tuple(
        Mention(
            secid, "board" if secid.partition(".")[0] == _BOARD_MARKET_ID else "stock", name, counts_by_secid[secid]
        )
        for secid, name in names_by_secid.items()
    )
