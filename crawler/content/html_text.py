"""Text extraction from HTML: a body without markup, and the media that its last line names."""

import re
from html import unescape

from crawler.content.html_cleaner import BLOCK_TAGS, CELL_TAGS, sanitise_html
from crawler.content.markup import SourceMarkup
from crawler.content.media_names import is_media_name
from crawler.content.slugs import name_key
from crawler.items import SUMMARY_NOTE_HTML

# A tag as nh3 writes it, which leaves a `>` in an attribute as it is, and a `<` nowhere but here.
_SANITISED_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:[^>\"]|\"[^\"]*\")*>")


def html_to_text(body_html: str) -> str:
    """Return the text of a clean body: one line a block, no markup, and without the note that it is a summary."""
    text, *tag_pieces = _SANITISED_TAG.split(body_html.removesuffix(SUMMARY_NOTE_HTML))
    chunks, open_cells = [text], 0
    for closing, tag, text in zip(tag_pieces[0::3], tag_pieces[1::3], tag_pieces[2::3], strict=True):
        if tag in CELL_TAGS:
            open_cells += -1 if closing else 1
        if tag in BLOCK_TAGS or tag == "br":
            chunks.append(" " if open_cells or tag in CELL_TAGS else "\n")
        chunks.append(text)
    lines = (" ".join(line.split()) for line in unescape("".join(chunks)).split("\n"))
    return "\n".join(filter(None, lines))


def untrusted_html_to_text(html: str) -> str:
    """Return the text of any markup.

    Raises: RejectedArticleError ("too complex") for what is over the limits of html_limits.
    """
    return html_to_text(sanitise_html(html))


def find_source_line_media(body: str, markup: SourceMarkup) -> str:
    """Return the media that the last source line of a body names, whatever links cut it; empty when there is none.

    A line in the source's own form may name anything; another one, such as （来源：公司公告）, has to name a media.

    Raises: RejectedArticleError ("too complex") for what is over the limits of html_limits.
    """
    if markup.source_line is None:
        return ""
    for line in reversed(untrusted_html_to_text(body).split("\n")):
        if match := markup.source_line.fullmatch(line):
            media = match[1]
            if name_key(line) == name_key(markup.source_line_template.format(media)) or is_media_name(media):
                return media
    return ""
