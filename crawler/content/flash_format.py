"""Flash news format: `【title】text（media）`, one paragraph of plain text, and its HTML."""

import html
import re

from crawler.content.slugs import name_key
from crawler.content.unicode_text import clean_title, collapse_whitespace, strip_invisible

MAX_LEAD_CHARS = 60

_LEADING_BRACKET = re.compile(r"\s*【([^【】]+)】(.*)", re.DOTALL)
_TRAILING_BRACKET = re.compile(r".*（([^（）]{2,20})）\s*", re.DOTALL)
# In trailing brackets stand papers, but also years, units, lists, codes, signatures and stage directions.
_NOT_A_MEDIA_NAME = re.compile(
    r".*[，。；：！？、,;:!?%].*|[\d.\-年月日]+|[今明去前后]年|.*\.(?:SZ|SH|HK|BJ|O|N)"
    r"|.*(?:记者|编辑|作者).*|(?:图|完|续|未完|待续|附).*"
)
_SENTENCE_PATTERN = re.compile(r"[^。！？\n]+")


def split_title(title: str, text: str) -> tuple[str, str]:
    """Title and text of a digest. The title is the given one, else what is in 【】, else the first sentence.

    >>> split_title("", "【央行降准】下调0.5个百分点。（财联社）")
    ('央行降准', '下调0.5个百分点。（财联社）')

    A 【】 that says something else than the title is part of the text and stays.
    """
    lead_match = _LEADING_BRACKET.fullmatch(text)
    title = clean_title(title)
    if lead_match and lead_match[1].strip() and (not title or name_key(clean_title(lead_match[1])) == name_key(title)):
        return title or clean_title(lead_match[1]), lead_match[2].strip() or collapse_whitespace(lead_match[1])
    return title or _first_sentence(text), text.strip()


def extract_trailing_media(text: str) -> str:
    """The paper in the （…） that ends a digest, or an empty string: （明年）, （00700.HK） and （完） are none."""
    bracket_match = _TRAILING_BRACKET.fullmatch(strip_invisible(text))
    name = clean_title(bracket_match[1]).removeprefix("文章来源：").removeprefix("来源：") if bracket_match else ""
    return "" if _NOT_A_MEDIA_NAME.fullmatch(name) else name


def text_to_html(text: str) -> str:
    """Plain text as HTML paragraphs, one a line; what looks like markup is shown as it is."""
    lines = (line.strip() for line in strip_invisible(html.unescape(text)).splitlines())
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines if line)


def _first_sentence(text: str) -> str:
    sentence_match = _SENTENCE_PATTERN.search(collapse_whitespace(text))
    title = clean_title(sentence_match[0]) if sentence_match else ""
    return title if len(title) <= MAX_LEAD_CHARS else title[: MAX_LEAD_CHARS - 1] + "…"
