"""Source line: the last line of a post, which names the media. It is added where a response leaves it out.

Whichever way an article comes, its post ends alike; and since one response has the line and another has not, texts are
compared without it.
"""

import html

from crawler.content.html_cleaner import add_block, clean_html, disarm_template_braces
from crawler.content.html_text import html_to_text
from crawler.content.markup import SourceMarkup
from crawler.errors import RejectedArticleError
from crawler.items import SOURCE_LINE_CLASS

# Notes below a source line, such as a disclaimer, are a few lines.
_MAX_NOTES = 5


def ensure_source_line(body_html: str, body_text: str, media: str, markup: SourceMarkup) -> str:
    """Return a clean body that ends with a line that names the media.

    A body that has such a line, in any spelling, is returned as it is; so is every body of a source without them.

    Raises:
        RejectedArticleError: with the line it is over the limits of html_limits.
    """
    if not markup.source_line_template or f' class="{SOURCE_LINE_CLASS}"' in body_html:
        return body_html
    if _find_source_line(body_text.split("\n"), markup) is not None:
        return body_html
    line = html.escape(markup.source_line_template.format(media), quote=False)
    return add_block(body_html, disarm_template_braces(f'<p class="{SOURCE_LINE_CLASS}">{line}</p>'))


def without_source_line(body_text: str, markup: SourceMarkup) -> str:
    """Return a body's text without the line, or the end of its last line, that names the media."""
    lines = body_text.split("\n")
    index = _find_source_line(lines, markup)
    if index is None or markup.source_line_end is None:
        return body_text
    lines[index] = markup.source_line_end.sub("", lines[index]).rstrip()
    return "\n".join(filter(None, lines))


def are_same_titles(title: str, other_title: str, markup: SourceMarkup) -> bool:
    """Return whether two titles differ in nothing but blanks and the name of the site."""
    return _comparable_title(title, markup) == _comparable_title(other_title, markup)


def are_same_bodies(stored_html: str, stored_text: str, text: str, markup: SourceMarkup) -> bool:
    """Return whether a text says the same as a stored body, as the rules of today would store it."""
    text = without_source_line(text, markup)
    if without_source_line(stored_text, markup) == text:
        return True
    try:
        stored_html = clean_html(stored_html, "", markup)
    except RejectedArticleError:
        return False
    return without_source_line(html_to_text(stored_html), markup) == text


def _comparable_title(title: str, markup: SourceMarkup) -> str:
    return "".join((markup.title_suffix.sub("", title) if markup.title_suffix else title).split())


def _find_source_line(lines: list[str], markup: SourceMarkup) -> int | None:
    """Return the index of the line, which is last, or above notes alone."""
    if markup.source_line_end is None:
        return None
    for index in range(len(lines) - 1, max(len(lines) - 2 - _MAX_NOTES, -1), -1):
        if markup.source_line_end.search(lines[index]):
            return index
        if not (markup.note and markup.note.match(lines[index])):
            return None
    return None
