"""Stock links: secids such as `1.600160`, and the mentions extracted from a clean body."""

import html
import re
from collections import Counter

from crawler.items import QUOTE_URL_PREFIX, Mention

SECID_PATTERN = re.compile(r"\d{1,3}\.[0-9A-Za-z][0-9A-Za-z_.\-]{0,15}", re.ASCII)

_BOARD_MARKET_ID = "90"
# A clean body has no other spelling, so its mentions follow from it alone.
_QUOTE_LINK = re.compile(rf'<a href="{re.escape(QUOTE_URL_PREFIX)}([^"]+)">(.*?)</a\s?>', re.DOTALL)
_HTML_TAG = re.compile(r"<[^>]*>")


def is_secid(text: str) -> bool:
    """Return whether this is market and code, such as `1.600160` or `90.BK0493`."""
    return bool(SECID_PATTERN.fullmatch(text))


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
