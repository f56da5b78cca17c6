"""What a person types into a search box, as what it means. Every text means something: nothing is refused.

Words are all wanted, `"…"` is one word with its spaces (`""` is a quotation mark in it), `-word` is unwanted, and `OR`
stands between alternatives, each of which is all the words around it.
"""

import re
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass

from crawler.errors import UsageError
from crawler.storage.search.bigrams import fold

_ITEM = re.compile(r'([-－]?)["＂]((?:[^"＂]|["＂]{2})*)["＂]?|(\S+)')
_TWO_QUOTES = re.compile('["＂]{2}')
# An article's code, or a stock's or board's, with or without its market.
_KEY = re.compile(r"NW(\d{18,24})|(\d{18,24}|(?:\d{1,3}\.)?(?:\d{5,6}|BK\d{4}))", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """One word, folded. `key` is the code that it may also be, empty for most words and for every phrase."""

    text: str
    key: str = ""

    def is_in(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        return self.text in document or (bool(self.key) and self.key in keys)


@dataclass(frozen=True, slots=True)
class Clause:
    """All of `wanted` and none of `unwanted`."""

    wanted: tuple[Term, ...] = ()
    unwanted: tuple[Term, ...] = ()

    @property
    def can_be_met(self) -> bool:
        """Whether a document can be imagined that it wants: not one that holds a word and not its part."""
        return not any(not term.key and part.text in term.text for part in self.unwanted for term in self.wanted)

    def is_met(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        return all(term.is_in(document, keys) for term in self.wanted) and not any(
            term.is_in(document, keys) for term in self.unwanted
        )


@dataclass(frozen=True, slots=True)
class Query:
    """Any of its clauses. That of an empty text is one clause which everything meets."""

    clauses: tuple[Clause, ...]

    def is_met(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        """Whether a folded document, whose article has these codes, is wanted."""
        return any(clause.is_met(document, keys) for clause in self.clauses)

    @property
    def holds_words(self) -> bool:
        """Whether it wants or does not want anything at all."""
        return any(clause.wanted or clause.unwanted for clause in self.clauses)

    @property
    def keys(self) -> tuple[str, ...]:
        """The codes that its words may be."""
        terms = (term for clause in self.clauses for term in (*clause.wanted, *clause.unwanted))
        return tuple(dict.fromkeys(term.key for term in terms if term.key))

    @property
    def words(self) -> tuple[str, ...]:
        """The folded words that a passage shows marked."""
        return tuple(dict.fromkeys(term.text for clause in self.clauses for term in clause.wanted))


@dataclass(frozen=True, slots=True)
class _Item:
    term: Term
    unwanted: bool = False
    is_or: bool = False


def check_words(text: str) -> None:
    """Raises UsageError for a query that was typed and holds no word: it would find everything."""
    if not parse(text).holds_words:
        raise UsageError(f"the query {text!r} holds no word: type one, or leave the query out")


def parse(text: str) -> Query:
    """What a text means.

    >>> [[term.text for term in clause.wanted] for clause in parse('央行 ＡＢＣ OR "利率 下调" -传闻').clauses]
    [['央行', 'abc'], ['利率 下调']]
    """
    groups: list[list[_Item]] = [[]]
    items = list(_items(text))
    for place, item in enumerate(items):
        if item.is_or and groups[-1] and place + 1 < len(items) and not items[place + 1].is_or:
            groups.append([])
        else:
            groups[-1].append(item)
    return Query(tuple(map(_clause, groups)))


def _items(text: str) -> Iterator[_Item]:
    for match in _ITEM.finditer(text):
        minus, phrase, word = match.groups()
        item = _phrase(minus, phrase) if word is None else _word(word)
        if item.term.text:
            yield item


def _phrase(minus: str, text: str) -> _Item:
    return _Item(Term(fold(_TWO_QUOTES.sub('"', text))), unwanted=bool(minus))


def _word(word: str) -> _Item:
    unwanted = word[0] in "-－" and len(word) > 1
    text = fold(word[unwanted:]).strip()
    return _Item(Term(text, _key(text)), unwanted=unwanted, is_or=word == "OR")


def _key(text: str) -> str:
    match = _KEY.fullmatch(text)
    return (match[1] or match[2]).upper() if match else ""


def _clause(items: list[_Item]) -> Clause:
    return Clause(
        tuple(dict.fromkeys(item.term for item in items if not item.unwanted)),
        tuple(dict.fromkeys(item.term for item in items if item.unwanted)),
    )
