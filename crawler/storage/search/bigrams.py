"""Bigrams of normalised text: what the search index holds of a document, and what a query compares.

Normalising is a function of each character alone, so that a part of a text normalises to a part of the normalised text.
"""

import itertools
import re
import sys
import unicodedata
from array import array
from collections.abc import Mapping
from functools import cache, cached_property

from crawler.content.unicode_text import strip_invisible

_SPACE_RUNS = re.compile(" {2,}")
# Runs of what is not what most of a text is, and normalises to itself. Where `x+` begins an expression, `re` looks for
# it a fifth more slowly than for `xx*`.
_UNUSUAL_RUNS = re.compile("[^a-z0-9\u4e00-\u9fff][^a-z0-9\u4e00-\u9fff]*")
_HAN_CHARACTER = re.compile("[\u4e00-\u9fff]")
# Radicals, characters in circles and brackets, and those that other standards have twice normalise to Han characters.
_HAN_COMPATIBILITY_RANGES = (
    range(0x2E80, 0x2FE0),
    range(0x3038, 0x303B),
    range(0x3190, 0x3400),
    range(0xF900, 0xFB00),
    range(0x1F200, 0x1F300),
    range(0x2F800, 0x2FA20),
)
# A text that holds more different ones of the others than this is normalised character by character.
_MAX_REPLACE_PASSES = 60
# SQLite's tokeniser `ascii` ends a token at each ASCII character that is no letter or digit: they move up here.
_PRIVATE_USE_START = 0xE000
_PRIVATE_USE_BY_ASCII = {
    code_point: chr(_PRIVATE_USE_START + code_point) for code_point in range(128) if not chr(code_point).isalnum()
}
_INDEX_SPACE = _PRIVATE_USE_BY_ASCII[ord(" ")]
_INDEX_SPACE_RUNS = re.compile(f"{_INDEX_SPACE}{{2,}}")
# Ends a text, so that its last character begins a pair, too.
_END_OF_TEXT = "\0"
# Between title and text: no normalised word holds it.
TITLE_SEPARATOR = "\n"


class _SearchCharacterMap(dict[int, str]):
    """What each character becomes, found out when it is first met."""

    def __missing__(self, code_point: int) -> str:
        normalised = unicodedata.normalize(
            "NFKC", unicodedata.normalize("NFKC", strip_invisible(chr(code_point))).casefold()
        )
        with_spaces = "".join(" " if character.isspace() else character for character in normalised)
        self[code_point] = "\ufffd" if _PRIVATE_USE_START <= code_point < _PRIVATE_USE_START + 128 else with_spaces
        return self[code_point]


class _IndexCharacterMap(dict[int, str]):
    """What the index has in place of each character."""

    def __missing__(self, code_point: int) -> str:
        self[code_point] = _SEARCH_CHARACTERS[code_point].translate(_PRIVATE_USE_BY_ASCII)
        return self[code_point]


_SEARCH_CHARACTERS, _INDEX_CHARACTERS = _SearchCharacterMap(), _IndexCharacterMap()


@cache
def _variants_by_han() -> Mapping[str, str]:
    """By Han character, the others that normalise to it, alone or among more."""
    variants: dict[str, str] = {}
    for code_point in itertools.chain.from_iterable(_HAN_COMPATIBILITY_RANGES):
        for character in _SEARCH_CHARACTERS[code_point]:
            variants[character] = variants.get(character, "") + chr(code_point)
    return variants


def normalise_for_search(text: str) -> str:
    """The text as it is compared: half-width, without case, each run of white space one space.

    >>> normalise_for_search("Ａ股\\u3000 涨６０％")
    'a股 涨60%'
    """
    normalised = _replace_characters(text, _SEARCH_CHARACTERS)
    return _SPACE_RUNS.sub(" ", normalised) if "  " in normalised else normalised


def _replace_characters(text: str, character_map: Mapping[int, str]) -> str:
    """Each character as a mapping has it, which gives Han characters, small letters and digits as they are or safe."""
    unusual = "".join(set(_UNUSUAL_RUNS.findall(text)))
    mapped = {character: character_map[ord(character)] for character in set(unusual)}
    replacements = {character: replacement for character, replacement in mapped.items() if replacement != character}
    replacement_text = "".join(replacements.values())
    # One by one where there are few, and none becomes what another is.
    if len(replacements) > _MAX_REPLACE_PASSES or any(character in replacement_text for character in replacements):
        return text.translate(character_map)
    for character, replacement in replacements.items():
        text = text.replace(character, replacement)
    return text


def build_search_text(title: str, body_text: str) -> str:
    """What is searched of an article."""
    return normalise_for_search(title) + TITLE_SEPARATOR + normalise_for_search(body_text)


def build_index_text(title: str, body_text: str) -> str:
    """The same as the index has it: without characters that its tokeniser would end a token at."""
    title, body_text = (_replace_characters(text, _INDEX_CHARACTERS) for text in (title, body_text))
    index_text = (
        title
        + TITLE_SEPARATOR.translate(_PRIVATE_USE_BY_ASCII)
        + body_text
        + _END_OF_TEXT.translate(_PRIVATE_USE_BY_ASCII)
    )
    return _INDEX_SPACE_RUNS.sub(_INDEX_SPACE, index_text) if _INDEX_SPACE * 2 in index_text else index_text


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

    def __contains__(self, word: object) -> bool:
        word = str(word)
        if word in self._title or word in self._body_text:
            return True
        if len(word) == 1 and _HAN_CHARACTER.match(word):
            return any(
                variant in self._title or variant in self._body_text for variant in _variants_by_han().get(word, ())
            )
        return word in self._search_text


def normalise_with_offsets(text: str) -> tuple[str, list[int]]:
    """The normalised text, and for each of its characters its offset in the text; one more for the end."""
    normalised: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        for normalised_character in _SEARCH_CHARACTERS[ord(character)]:
            if normalised_character != " " or not normalised or normalised[-1] != " ":
                normalised.append(normalised_character)
                offsets.append(offset)
    return "".join(normalised), [*offsets, len(text)]


def split_into_bigrams(term: str) -> list[str]:
    """The bigrams that a document must hold to hold this term, in order; none for a single character."""
    index_term = term.translate(_PRIVATE_USE_BY_ASCII)
    return list(dict.fromkeys(map(str.__add__, index_term, index_term[1:])))


def bigram_prefix(character: str) -> str:
    """What the pair of a document begins with that holds this single character."""
    return character.translate(_PRIVATE_USE_BY_ASCII)


def bigram_checksum(index_text: str) -> int:
    """A number that shows whether an index holds a document's bigrams, which SQLite can compute, too."""
    code_point_values = code_points(index_text)
    return sum(itertools.starmap(_hash_bigram, set(itertools.pairwise(code_point_values))))


def _hash_bigram(first: int, second: int) -> int:
    return (first * 1009 + second) * (second % 8191 + 7) % 2147483647


# Of four bytes a character, as `array` has its numbers.
_UTF_32 = f"utf-32-{sys.byteorder[0]}e"


_SPACE = array("I", [ord(" ")])


def spaced_ngrams(text: str, size: int) -> str:
    """Each run of `size` characters, and a space after each; nothing of a shorter text.

    >>> spaced_ngrams("中央银行", 2)
    '中央 央银 银行 '
    """
    code_point_array = code_points(text)
    ngram_count = max(0, len(code_point_array) - size + 1)
    # A number a character: this is on the path of each article, and no loop in Python is as fast.
    spaced_text = _SPACE * ((size + 1) * ngram_count)
    for offset in range(size):
        spaced_text[offset :: size + 1] = code_point_array[offset : offset + ngram_count]
    return spaced_text.tobytes().decode(_UTF_32, "surrogatepass")


def code_points(text: str) -> "array[int]":
    """The number of each character."""
    return array("I", text.encode(_UTF_32, "surrogatepass"))
