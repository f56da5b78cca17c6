"""HTML limits: how large markup may be, and which parser it is for.

Limits are counts, which are the same on every machine. The worst known bodies within them take less than two seconds
to clean (tests/content/test_html_limits.py).
"""

import re

from crawler.errors import RejectedArticleError

# A response has no more, as it is sent or unpacked.
MAX_BODY_BYTES = 8 << 20
# Start tags; 2,000 rows of 20 cells, each with a link, have 82,000.
MAX_BODY_ELEMENTS = 90_000
MAX_TAG_ATTRIBUTES = 60
MAX_NESTING_DEPTH = 64
# `&`, `<` and `>` that are text. nh3 takes the square of their number for those of one paragraph.
MAX_ESCAPED_CHARS = 100_000
# Of bodies with more tags, those in which blocks are where they may not be are cleaned twice at most.
MAX_MISNESTED_TAGS = 50_000
# kramdown takes the square of the tags on one line.
MAX_TAGS_PER_LINE = 4_000
MAX_BLOCKS_PER_LINE = 500

# What nh3 is given as it comes. It parses as browsers do, and takes the square of the unclosed tags, of the attributes
# of one tag (words are counted, of text and tags alike), and of the references in one paragraph; and it repeats each
# unclosed tag of formatting in each paragraph that follows, up to three of the same kind.
_MAX_NH3_BYTES = 1 << 20
_MAX_NH3_TAGS = 20_000
_MAX_NH3_WORDS = 30_000
_MAX_NH3_UNCLOSED_TAGS = 8_000
_MAX_NH3_REFERENCES = 50_000
_MAX_NH3_REPEATED_TAGS = 500_000
# Characters; a body that has no more is under all of these limits, whatever it holds.
_MAX_UNCHECKED_CHARS = 12_000

_WORD_SEPARATOR = re.compile("[\\s/\"']+")
_FORMATTING_TAG = re.compile(r"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*", re.IGNORECASE)
_VOID_TAG = re.compile(r"<(?:br|img|hr)\b", re.IGNORECASE)
_BLANK = "\\t\\n\\f\\r "
# A tag with more attributes, by the rules of HTML; also in comments and scripts. A name or value without quotes ends at
# `<`, which keeps the search linear.
_CROWDED_TAG = re.compile(
    rf"</?[a-z_:](?:[{_BLANK}/]*+[^{_BLANK}/>][^{_BLANK}/>=<]*+"
    rf"(?:[{_BLANK}]*+=[{_BLANK}]*+(?:\"[^\"]*+\"?+|'[^']*+'?+|[^{_BLANK}><]*+))?+){{{MAX_TAG_ATTRIBUTES + 1}}}",
    re.IGNORECASE,
)


def check_body_size(body: str) -> None:
    """Check the limits of bytes, tags and attributes.

    Raises: RejectedArticleError ("too complex") for a body that is over one of them.
    """
    if len(body) > MAX_BODY_BYTES or len(body.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        raise RejectedArticleError(f"too complex: the body is over {MAX_BODY_BYTES >> 20} MiB")
    check_elements(body, MAX_BODY_ELEMENTS)


def check_elements(markup: str, limit: int) -> None:
    """Check that markup has no more elements than a limit, and none with too many attributes.

    Raises: RejectedArticleError ("too complex") otherwise.
    """
    if markup.count("<") - markup.count("</") > limit:
        raise RejectedArticleError(f"too complex: over {limit:,} elements")
    # Parsers compare each attribute of a tag with all others.
    if _CROWDED_TAG.search(markup):
        raise RejectedArticleError(f"too complex: a tag has over {MAX_TAG_ATTRIBUTES} attributes")


def is_quick_for_nh3(body: str) -> bool:
    """Return whether nh3 parses a body in less than a second, whatever it holds."""
    if len(body) <= _MAX_UNCHECKED_CHARS:
        return True
    tag_count = body.count("<")
    if (
        len(body) > _MAX_NH3_BYTES
        or tag_count > _MAX_NH3_TAGS
        or body.count("&") > _MAX_NH3_REFERENCES
        or len(body.encode("utf-8", "replace")) > _MAX_NH3_BYTES
    ):
        return False
    unclosed_count = tag_count - 2 * body.count("</")
    if unclosed_count > _MAX_NH3_UNCLOSED_TAGS + len(_VOID_TAG.findall(body)):
        return False
    # Between two words there is a character at least.
    if len(body) > 2 * _MAX_NH3_WORDS and len(_WORD_SEPARATOR.findall(body)) > _MAX_NH3_WORDS:
        return False
    tags = _FORMATTING_TAG.findall(body)
    # A tag that is cut at a `>` in quotes counts as different from all others.
    whole_tags = [tag for tag in tags if not (tag.count('"') % 2 or tag.count("'") % 2)]
    return (len(set(whole_tags)) + len(tags) - len(whole_tags)) * tag_count <= _MAX_NH3_REPEATED_TAGS
