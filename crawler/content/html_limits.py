"""HTML limits: size, depth and width of markup; what exceeds them is rejected before it is parsed."""

import re

from crawler.errors import RejectedArticleError

# Measured with kramdown, which is quadratic in the tags on one line and dies of deep nesting.
MAX_BODY_BYTES = 1 << 20
MAX_BODY_TAGS = 20_000
MAX_TAGS_PER_LINE = 4_000
MAX_BLOCKS_PER_LINE = 500
MAX_NESTING_DEPTH = 64
# Parsers compare each attribute of a tag with all others: 200,000 of them in one tag take minutes. What is one is not
# known before it is parsed, so that words are counted, of text and tags alike.
MAX_BODY_WORDS = 30_000
# Characters; a body that has no more is under the limits of bytes, tags and words, whatever it holds.
MAX_UNCHECKED_CHARS = min(MAX_BODY_BYTES // 4, MAX_BODY_TAGS, MAX_BODY_WORDS)

_WORD_SEPARATOR = re.compile("[\\s/\"']+")


def check_body_size(body: str) -> None:
    """Check the limits of bytes, tags and words.

    Raises: RejectedArticleError ("too complex") for a body that is over one of them.
    """
    if len(body) > MAX_BODY_BYTES or len(body.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        raise RejectedArticleError("too complex: the body is over 1 MiB")
    if body.count("<") > MAX_BODY_TAGS:
        raise RejectedArticleError(f"too complex: the body has over {MAX_BODY_TAGS} tags")
    check_word_count(body)


def check_word_count(markup: str, limit: int = MAX_BODY_WORDS) -> None:
    """Check that markup does not hold more attributes than can be parsed in seconds.

    Raises: RejectedArticleError ("too complex") when it may.
    """
    # Between two that are counted there is a character at least.
    if len(markup) > 2 * limit and len(_WORD_SEPARATOR.findall(markup)) > limit:
        raise RejectedArticleError(f"too complex: over {limit:,} words")
