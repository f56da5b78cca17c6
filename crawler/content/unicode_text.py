"""Unicode text: remove invisible characters, and collapse white space to one line."""

import html
import re

# C0 but tab and newlines, DEL, C1 but NEL (a line end, folded later), soft hyphen, zero-width characters, bidi
# controls, word joiner and invisible operators, BOM, non-characters and lone surrogates.
_INVISIBLE_CHARS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
# Tag characters, and the non-characters of the planes that emoji and rare characters are from. Apart from the others:
# together they are looked for fifteen times as slowly, in each text.
_NON_BMP_CHAR = re.compile("[\U00010000-\U0010ffff]")
_INVISIBLE_NON_BMP_CHARS = re.compile(
    "[\U000e0000-\U000e007f"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
    + "]"
)
# A zero-width joiner joins emoji (👨‍👩‍👧); anywhere else it only hides a word from search.
_STRAY_ZERO_WIDTH_JOINER = re.compile("(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d")
_PRESENTATION_TAG = re.compile(r"</?(?:em|b|strong|i|u|font|span|br)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_TO_FULLWIDTH_ANGLES = str.maketrans("<>", "＜＞")


def strip_invisible(text: str) -> str:
    """Return the text without its control, zero-width, bidi and unencodable characters; line ends stay."""
    # What Python can print has none of them, and most texts are that but for their indents and line ends.
    if text.replace("\u3000", "").replace("\n", "").isprintable():
        return text
    text = _INVISIBLE_CHARS.sub("", text)
    if _NON_BMP_CHAR.search(text):
        text = _INVISIBLE_NON_BMP_CHARS.sub("", text)
    return _STRAY_ZERO_WIDTH_JOINER.sub("", text) if "\u200d" in text else text


def collapse_whitespace(text: str) -> str:
    """Return visible text on one line: every run of white space becomes one space, none at the ends."""
    return " ".join(strip_invisible(text).split())


def clean_title(text: str) -> str:
    r"""Return a title without presentation tags; entities are decoded once, `<` and `>` become ＜ ＞.

    >>> clean_title("<em>茅台</em> &amp; 五粮液\u3000a<b 1")
    '茅台 & 五粮液 a＜b 1'
    """
    return collapse_whitespace(html.unescape(_PRESENTATION_TAG.sub("", text))).translate(_TO_FULLWIDTH_ANGLES)
