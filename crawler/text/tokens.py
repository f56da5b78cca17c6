"""What search compares: text folded character by character, and the pairs of characters that an index holds of it.

Folding is a function of each character alone, so that a part of a text folds to a part of the folded text.
"""

import re
import unicodedata
from functools import cached_property

from crawler.text.characters import visible

_MANY_SPACES = re.compile(" {2,}")
# Han characters, which most of a text is, fold to themselves.
_NO_HAN = re.compile("[^\u4e00-\u9fff]+")
# SQLite's tokeniser `ascii` ends a token at each ASCII character that is no letter or digit: they move up here.
_PRIVATE = 0xE000
_SAFE = {point: chr(_PRIVATE + point) for point in range(128) if not chr(point).isalnum()}
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


_FOLDING = _Folding()


def fold(text: str) -> str:
    """The text as it is compared: half-width, without case, each run of white space one space.

    >>> fold("Ａ股\\u3000 涨６０％")
    'a股 涨60%'
    """
    return _MANY_SPACES.sub(" ", _NO_HAN.sub(_folded, text))


def _folded(match: re.Match[str]) -> str:
    return match[0].translate(_FOLDING)


def folded_document(title: str, body_text: str) -> str:
    """What is searched of an article."""
    return fold(title) + BETWEEN + fold(body_text)


class Document:
    """An article's title and text, to look for folded words in: `"央行" in document`.

    What stands in a text as it is stands in the folded text, too, and most often that spares the folding.
    """

    def __init__(self, title: str, body_text: str) -> None:
        self._title = title
        self._body_text = body_text

    @cached_property
    def _folded(self) -> str:
        return folded_document(self._title, self._body_text)

    def __contains__(self, word: object) -> bool:
        word = str(word)
        return word in self._title or word in self._body_text or word in self._folded


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


def tokens(folded: str) -> set[str]:
    """The pairs of neighbouring characters of a folded document, as SQLite's tokeniser `ascii` leaves them alone.

    >>> sorted(tokens("a股"))
    ['a股', '股\\ue000']
    """
    text = (folded + _END).translate(_SAFE)
    return set(map(str.__add__, text, text[1:]))


def tokens_of_term(folded: str) -> list[str]:
    """The pairs that a document must hold to hold this term, in order; none for a single character."""
    text = folded.translate(_SAFE)
    return list(dict.fromkeys(map(str.__add__, text, text[1:])))


def prefix_of(character: str) -> str:
    """What the pair of a document begins with that holds this single character."""
    return character.translate(_SAFE)


def checksum(pairs: set[str]) -> int:
    """A number that tells whether an index holds these pairs, which SQLite can compute, too."""
    return sum(_mixed(ord(pair[0]), ord(pair[1])) for pair in pairs)


def _mixed(first: int, second: int) -> int:
    return (first * 1009 + second) * (second % 8191 + 7) % 2147483647


CHECKSUM_SQL = """
    sum((unicode(term) * 1009 + unicode(substr(term, 2))) * (unicode(substr(term, 2)) % 8191 + 7) % 2147483647)
"""
