"""Slugs of media names: pinyin, lower case, `[a-z0-9]` only, and text in YAML whatever the name."""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Container
from functools import lru_cache

SLUG_PATTERN = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
# Bare words and numbers that YAML reads as something else than text: `categories: 999` is a number.
_YAML_NON_TEXT = re.compile(r"y|n|yes|no|on|off|true|false|null|0[xob]?[0-9a-f]+|[0-9]+(?:e[0-9]+)?", re.ASCII)


def name_key(name: str) -> str:
    """Return a name without differences of width, case and spaces, to compare spellings."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def make_slug(name: str, taken_slugs: Container[str] = ()) -> str:
    """Return the slug of a media name; homophones get a number, names without a Latin reading a stable code.

    >>> make_slug("中国农网"), make_slug("北京日报", taken_slugs={"beijingribao"})
    ('zhongguonongwang', 'beijingribao2')
    """
    slug = (
        to_pinyin(name)[:60]
        or "media" + hashlib.sha256(name_key(name).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    )
    if _YAML_NON_TEXT.fullmatch(slug) or _YAML_NON_TEXT.fullmatch(f"{slug}2"):
        slug = "m" + slug
    candidates = itertools.chain([slug], (f"{slug}{number}" for number in itertools.count(2)))
    return next(candidate for candidate in candidates if candidate not in taken_slugs)


@lru_cache(2048)  # all known names are compared with one that is unknown, more than once
def to_pinyin(name: str) -> str:
    """Return a name in Latin letters and digits, without tones.

    >>> to_pinyin("36氪"), to_pinyin("重庆日报")
    ('36ke', 'chongqingribao')
    """
    # Imported here: it costs 0.15 s, and a new media turns up rarely.
    from pypinyin import lazy_pinyin

    decomposed = unicodedata.normalize("NFKD", "".join(lazy_pinyin(unicodedata.normalize("NFKC", name))))
    return re.sub(r"[^a-z0-9]", "", decomposed.casefold())
