"""Flash news format: `【title】text（media）`, one paragraph of plain text, and its HTML."""

import html
import re

from crawler.content.media_names import find_media_name, is_media_name
from crawler.content.slugs import name_key
from crawler.content.unicode_text import clean_title, collapse_whitespace, strip_invisible

MAX_LEAD_CHARS = 60

_LEADING_BRACKET = re.compile(r"\s*【([^【】]+)】(.*)", re.DOTALL)
# A bracket at the end, of any kind, in which others may stand.
_TRAILING_BRACKET = re.compile(r"（((?:[^（）]|（[^（）]*）)*)）$")
_TO_ROUND_BRACKETS = str.maketrans("()【】[]〔〕", "（）（）（）（）")
# What follows a media's name in a bracket of its own: （财联社）（编辑 李四）.
_SIGNATURE = re.compile(r".*(?:记者|编辑|责编|作者|校对|通讯员|实习生).*|完")
# A name, its label and a signature are shorter by far; a bracket that is longer holds no name.
_MAX_END_CHARS = 200
_SENTENCE_PATTERN = re.compile(r"[^。！？\n]+")


def split_title(title: str, text: str) -> tuple[str, str]:
    """Return title and text of a digest: the given title, else the one in 【】, else the first sentence.

    >>> split_title("", "【央行降准】下调0.5个百分点。（财联社）")
    ('央行降准', '下调0.5个百分点。（财联社）')

    A 【】 that says something else than the title is part of the text and stays.
    """
    lead_match = _LEADING_BRACKET.fullmatch(text)
    title = clean_title(title)
    if lead_match and lead_match[1].strip() and (not title or name_key(clean_title(lead_match[1])) == name_key(title)):
        return title or clean_title(lead_match[1]), lead_match[2].strip() or collapse_whitespace(lead_match[1])
    if not title:
        sentence_match = _SENTENCE_PATTERN.search(collapse_whitespace(text))
        title = clean_title(sentence_match[0]) if sentence_match else ""
        title = title if len(title) <= MAX_LEAD_CHARS else title[: MAX_LEAD_CHARS - 1] + "…"
    return title, text.strip()


def extract_trailing_media(text: str) -> str:
    """Return the media in the bracket that ends a text; empty where that names no media.

    >>> extract_trailing_media("下调0.5个百分点。（财联社）"), extract_trailing_media("售价1499元（含税）")
    ('财联社', '')
    """
    end = strip_invisible(text).rstrip()[-_MAX_END_CHARS:]
    while match := _TRAILING_BRACKET.search(end.translate(_TO_ROUND_BRACKETS)):
        content = clean_title(end[match.start(1) : match.end(1)])
        if not _SIGNATURE.fullmatch(content):
            return find_media_name(content)
        end = end[: match.start()].rstrip()
    return ""


def drop_false_media(media: str, text: str) -> str:
    """Return a media, or nothing where it is what an older finews took from the bracket that ends a text."""
    is_in_bracket = re.search(rf"{re.escape(media)} ?[）)\]】〕]$", collapse_whitespace(text))
    return "" if is_in_bracket and not is_media_name(media) else media


def text_to_html(text: str) -> str:
    """Return plain text as HTML paragraphs, one per line; text that looks like markup is escaped."""
    lines = (line.strip() for line in strip_invisible(html.unescape(text)).splitlines())
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines if line)
