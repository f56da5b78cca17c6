"""What search compares: text folded character by character, and the pairs of characters that an index holds of it.

Folding is a function of each character alone, so that a part of a text folds to a part of the folded text.
"""

import itertools
import re
import unicodedata
from collections.abc import Mapping
from functools import cache, cached_property

from crawler.content.ngrams import code_points, spaced_grams
from crawler.content.unicode_text import visible

_MANY_SPACES = re.compile(" {2,}")
# Runs of what is not what most of a text is, and folds to itself. Where `x+` begins an expression, `re` looks for it a
# fifth more slowly than for `xx*`.
_OTHERS = re.compile("[^a-z0-9\u4e00-\u9fff][^a-z0-9\u4e00-\u9fff]*")
_HAN = re.compile("[\u4e00-\u9fff]")
# Radicals, characters in circles and brackets, and those that other standards have twice fold to Han characters.
_ALMOST_HAN = (
    range(0x2E80, 0x2FE0),
    range(0x3038, 0x303B),
    range(0x3190, 0x3400),
    range(0xF900, 0xFB00),
    range(0x1F200, 0x1F300),
    range(0x2F800, 0x2FA20),
)
# A text that holds more different ones of the others than this is folded character by character.
_MANY_OTHERS = 60
# SQLite's tokeniser `ascii` ends a token at each ASCII character that is no letter or digit: they move up here.
_PRIVATE = 0xE000
_SAFE = {point: chr(_PRIVATE + point) for point in range(128) if not chr(point).isalnum()}
_SAFE_SPACE = _SAFE[ord(" ")]
_MANY_SAFE_SPACES = re.compile(f"{_SAFE_SPACE}{{2,}}")
# Ends a text, so that its last character begins a pair, too.
_END = "\0"
# Between title and text: no folded word holds it.
BETWEEN = "\n"


class _Folding(dict[int, str]):
    """What each character becomes, found out when it is first met."""

    def __missing__(self, point: int) -> str:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible(chr(point))).casefold())
        spaced = "".join(" " if character.isspace() else character for character in folded)
        self[point] = "\ufffd" if _PRIVATE <= point < _PRIVATE + 128 else spaced
        return self[point]


class _Indexing(dict[int, str]):
    """What the index has in place of each character."""

    def __missing__(self, point: int) -> str:
        self[point] = _FOLDING[point].translate(_SAFE)
        return self[point]


_FOLDING, _INDEXING = _Folding(), _Indexing()


@cache
def _folding_to() -> Mapping[str, str]:
    """By Han character, the others that fold to it, alone or among more."""
    others: dict[str, str] = {}
    for point in itertools.chain.from_iterable(_ALMOST_HAN):
        for character in _FOLDING[point]:
            others[character] = others.get(character, "") + chr(point)
    return others


def fold(text: str) -> str:
    """The text as it is compared: half-width, without case, each run of white space one space.

    >>> fold("Ａ股\\u3000 涨６０％")
    'a股 涨60%'
    """
    folded = _replaced(text, _FOLDING)
    return _MANY_SPACES.sub(" ", folded) if "  " in folded else folded


def _replaced(text: str, by: Mapping[int, str]) -> str:
    """Each character as a mapping has it, which gives Han characters, small letters and digits as they are or safe."""
    others = "".join(set(_OTHERS.findall(text)))
    become = {character: by[ord(character)] for character in set(others)}
    changes = {character: other for character, other in become.items() if other != character}
    results = "".join(changes.values())
    # One by one where there are few, and none becomes what another is.
    if len(changes) > _MANY_OTHERS or any(character in results for character in changes):
        return text.translate(by)
    for character, other in changes.items():
        text = text.replace(character, other)
    return text


def folded_document(title: str, body_text: str) -> str:
    """What is searched of an article."""
    return fold(title) + BETWEEN + fold(body_text)


def indexed_document(title: str, body_text: str) -> str:
    """The same as the index has it: without characters that its tokeniser would end a token at."""
    return _indexed(title) + BETWEEN.translate(_SAFE) + _indexed(body_text) + _END.translate(_SAFE)


def _indexed(text: str) -> str:
    indexed = _replaced(text, _INDEXING)
    return _MANY_SAFE_SPACES.sub(_SAFE_SPACE, indexed) if _SAFE_SPACE * 2 in indexed else indexed


class Document:
    """An article's title and text, to look for folded words in: `"央行" in document`.

    What stands in a text as it is stands in the folded text, too, and most often that spares the folding. A single Han
    character that does not may stand there as one of the few that fold to it.
    """

    def __init__(self, title: str, body_text: str) -> None:
        self._title = title
        self._body_text = body_text

    @cached_property
    def _folded(self) -> str:
        return folded_document(self._title, self._body_text)

    def __contains__(self, word: object) -> bool:
        word = str(word)
        if word in self._title or word in self._body_text:
            return True
        if len(word) == 1 and _HAN.match(word):
            return any(other in self._title or other in self._body_text for other in _folding_to().get(word, ()))
        return word in self._folded


def fold_with_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place in the text that it is from; one more for the end."""
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for part in _FOLDING[ord(character)]:
            if part != " " or not folded or folded[-1] != " ":
                folded.append(part)
                places.append(place)
    return "".join(folded), [*places, len(text)]


def tokens(indexed: str) -> str:
    """The pairs of neighbouring characters of a document as it is indexed.

    >>> tokens("a股涨")
    'a股 股涨 '
    """
    return spaced_grams(indexed, 2)


def tokens_of_term(folded: str) -> list[str]:
    """The pairs that a document must hold to hold this term, in order; none for a single character."""
    text = folded.translate(_SAFE)
    return list(dict.fromkeys(map(str.__add__, text, text[1:])))


def prefix_of(character: str) -> str:
    """What the pair of a document begins with that holds this single character."""
    return character.translate(_SAFE)


def checksum(indexed: str) -> int:
    """A number that tells whether an index holds a document's pairs, which SQLite can compute, too."""
    points = code_points(indexed)
    return sum(itertools.starmap(_mixed, set(itertools.pairwise(points))))


def _mixed(first: int, second: int) -> int:
    return (first * 1009 + second) * (second % 8191 + 7) % 2147483647
