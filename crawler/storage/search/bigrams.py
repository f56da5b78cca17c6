"""Bigrams of folded text: what the search index holds of a document, and what a query compares."""

import itertools
import sys
from array import array
from functools import cached_property

from crawler.storage.search.folding import (
    HAN_CHARACTER,
    PRIVATE_USE_BY_ASCII,
    normalise_for_index,
    normalise_for_search,
    variants_by_han,
)

# Ends a text: its last character begins a bigram, too.
_END_OF_TEXT = "\0"
# Between title and text: no normalised word holds it.
TITLE_SEPARATOR = "\n"


def build_search_text(title: str, body_text: str) -> str:
    """Return the normalised title and text of an article, as queries compare them."""
    return normalise_for_search(title) + TITLE_SEPARATOR + normalise_for_search(body_text)


def build_index_text(title: str, body_text: str) -> str:
    """Return the search text for the index, without characters that end a token of its tokeniser."""
    separator, end_of_text = (text.translate(PRIVATE_USE_BY_ASCII) for text in (TITLE_SEPARATOR, _END_OF_TEXT))
    return normalise_for_index(title) + separator + normalise_for_index(body_text) + end_of_text


class SearchDocument:
    """An article's title and text, to look for normalised words in: `"央行" in document`.

    What occurs in a text as it is occurs in the normalised text, too, and most often that spares normalising it. A
    single Han character that does not may occur as one of the few that normalise to it.
    """

    def __init__(self, title: str, body_text: str) -> None:
        self._title = title
        self._body_text = body_text

    @cached_property
    def _search_text(self) -> str:
        return build_search_text(self._title, self._body_text)

    @cached_property
    def _search_title(self) -> str:
        return normalise_for_search(self._title)

    def has_in_title(self, word: str) -> bool:
        """Return whether the title holds a normalised word."""
        return word in self._title or word in self._search_title

    def __contains__(self, word: object) -> bool:
        word = str(word)
        if word in self._title or word in self._body_text:
            return True
        if len(word) == 1 and HAN_CHARACTER.match(word):
            return any(
                variant in self._title or variant in self._body_text for variant in variants_by_han().get(word, ())
            )
        return word in self._search_text


def split_into_bigrams(term: str) -> list[str]:
    """Return the different bigrams of a term, in order; none for a single character."""
    index_term = term.translate(PRIVATE_USE_BY_ASCII)
    return list(dict.fromkeys(map(str.__add__, index_term, index_term[1:])))


def bigram_prefix(character: str) -> str:
    """Return the prefix of the bigrams that begin with a single character."""
    return character.translate(PRIVATE_USE_BY_ASCII)


def bigram_checksum(index_text: str) -> int:
    """Return the checksum of a document's bigrams; _SELECT_CHECKSUMS (index.py) computes the same in SQL."""
    code_point_values = code_points(index_text)
    return sum(
        (first * 1009 + second) * (second % 8191 + 7) % 2147483647
        for first, second in set(itertools.pairwise(code_point_values))
    )


# Four bytes per character, in the byte order of `array`.
_UTF_32 = f"utf-32-{sys.byteorder[0]}e"
_SPACE = array("I", [ord(" ")])


def spaced_ngrams(text: str, size: int) -> str:
    """Return each run of `size` characters, with a space after each; nothing of a shorter text.

    The result is an array of code points. Slice `offset::size + 1` holds character `offset` of each n-gram: for
    中央银行 and size 2, slice 0::3 is 中央银, slice 1::3 is 央银行, and slice 2::3 keeps the spaces.

    >>> spaced_ngrams("中央银行", 2)
    '中央 央银 银行 '
    """
    code_point_array = code_points(text)
    ngram_count = max(0, len(code_point_array) - size + 1)
    # On the path of each article: a loop in Python is slower than these slices.
    spaced_text = _SPACE * ((size + 1) * ngram_count)
    for offset in range(size):
        spaced_text[offset :: size + 1] = code_point_array[offset : offset + ngram_count]
    return spaced_text.tobytes().decode(_UTF_32, "surrogatepass")


def code_points(text: str) -> "array[int]":
    """Return the code point of each character."""
    return array("I", text.encode(_UTF_32, "surrogatepass"))
