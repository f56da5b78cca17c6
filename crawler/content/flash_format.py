"""The one-paragraph form of the source's fast news: `【title】text（media）`. Also html.escape'd into a body."""

import html
import re

from crawler.content.slugs import fold
from crawler.content.unicode_text import headline, one_line, visible

LONGEST_LEAD = 60

_LEAD = re.compile(r"\s*【([^【】]+)】(.*)", re.DOTALL)
_TRAILING_BRACKET = re.compile(r".*（([^（）]{2,20})）\s*", re.DOTALL)
# In trailing brackets stand papers, but also years, units, lists, codes, signatures and stage directions.
_NO_MEDIA = re.compile(
    r".*[，。；：！？、,;:!?%].*|[\d.\-年月日]+|[今明去前后]年|.*\.(?:SZ|SH|HK|BJ|O|N)"
    r"|.*(?:记者|编辑|作者).*|(?:图|完|续|未完|待续|附).*"
)
_SENTENCE = re.compile(r"[^。！？\n]+")


def split_title(title: str, text: str) -> tuple[str, str]:
    """Title and text of a digest. The title is the given one, else what stands in 【】, else the first sentence.

    >>> split_title("", "【央行降准】下调0.5个百分点。（财联社）")
    ('央行降准', '下调0.5个百分点。（财联社）')

    A 【】 that says something else than the title is part of the text and stays.
    """
    lead = _LEAD.fullmatch(text)
    title = headline(title)
    if lead and lead[1].strip() and (not title or fold(headline(lead[1])) == fold(title)):
        return title or headline(lead[1]), lead[2].strip() or one_line(lead[1])
    return title or _first_words(text), text.strip()


def trailing_media(text: str) -> str:
    """The paper in the （…） that ends a digest, or an empty string: （明年）, （00700.HK） and （完） are none."""
    bracket = _TRAILING_BRACKET.fullmatch(visible(text))
    name = headline(bracket[1]).removeprefix("文章来源：").removeprefix("来源：") if bracket else ""
    return "" if _NO_MEDIA.fullmatch(name) else name


def paragraphs(text: str) -> str:
    """Plain text as HTML paragraphs, one a line; what looks like markup is shown as it is."""
    lines = (line.strip() for line in visible(html.unescape(text)).splitlines())
    return "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines if line)


def _first_words(text: str) -> str:
    sentence = _SENTENCE.search(one_line(text))
    words = headline(sentence[0]) if sentence else ""
    return words if len(words) <= LONGEST_LEAD else words[: LONGEST_LEAD - 1] + "…"
