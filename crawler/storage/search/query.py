"""Query parser: words, phrases, `-word`, `OR`. Every text means something: no query is a syntax error.

Words are all wanted, `"…"` is one word with its spaces (`""` is a quotation mark in it), `-word` is unwanted, and `OR`
is between alternatives, each of which is all the words around it.
"""

import re
from collections.abc import Collection, Container, Iterator
from dataclasses import dataclass

from crawler.errors import UsageError
from crawler.items import CODE_PATTERN, CODE_PREFIX
from crawler.storage.search.bigrams import normalise_for_search

_ITEM_PATTERN = re.compile(r'([-－]?)["＂]((?:[^"＂]|["＂]{2})*)["＂]?|(\S+)')
_DOUBLED_QUOTE = re.compile('["＂]{2}')
# An article's code, or a stock's or board's, with or without its market.
_KEY_PATTERN = re.compile(
    rf"{CODE_PREFIX}({CODE_PATTERN.pattern})|({CODE_PATTERN.pattern}|(?:\d{{1,3}}\.)?(?:\d{{5,6}}|BK\d{{4}}))",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Term:
    """One word, normalised. `key` is the code that it may also be, empty for most words and for every phrase."""

    text: str
    key: str = ""

    def occurs_in(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        return self.text in document or (bool(self.key) and self.key in keys)


@dataclass(frozen=True, slots=True)
class Clause:
    """All of `required` and none of `excluded`."""

    required: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()

    @property
    def is_satisfiable(self) -> bool:
        """Whether a document can be imagined that it wants: not one that holds a word and not its part."""
        return not any(
            not term.key and excluded_term.text in term.text
            for excluded_term in self.excluded
            for term in self.required
        )

    def matches(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        return all(term.occurs_in(document, keys) for term in self.required) and not any(
            term.occurs_in(document, keys) for term in self.excluded
        )


@dataclass(frozen=True, slots=True)
class Query:
    """Any of its clauses. That of an empty text is one clause which everything meets."""

    clauses: tuple[Clause, ...]

    def matches(self, document: Container[str], keys: Collection[str] = ()) -> bool:
        """Whether a normalised document, whose article has these codes, is wanted."""
        return any(clause.matches(document, keys) for clause in self.clauses)

    @property
    def has_words(self) -> bool:
        """Whether it wants or does not want anything at all."""
        return any(clause.required or clause.excluded for clause in self.clauses)

    @property
    def keys(self) -> tuple[str, ...]:
        """The codes that its words may be."""
        terms = (term for clause in self.clauses for term in (*clause.required, *clause.excluded))
        return tuple(dict.fromkeys(term.key for term in terms if term.key))

    @property
    def words(self) -> tuple[str, ...]:
        """The normalised words that a snippet highlights."""
        return tuple(dict.fromkeys(term.text for clause in self.clauses for term in clause.required))


@dataclass(frozen=True, slots=True)
class _QueryItem:
    """A word or phrase of a query, excluded or not, or the operator OR."""

    term: Term
    is_excluded: bool = False
    is_or: bool = False


def check_query_has_words(text: str) -> None:
    """Raises UsageError for a query that was typed and holds no word: it would find everything."""
    if not parse_query(text).has_words:
        raise UsageError(f"the query {text!r} holds no word: type one, or leave the query out")


def parse_query(text: str) -> Query:
    """What a text means.

    >>> [[term.text for term in clause.required] for clause in parse_query('央行 ＡＢＣ OR "利率 下调" -传闻').clauses]
    [['央行', 'abc'], ['利率 下调']]
    """
    groups: list[list[_QueryItem]] = [[]]
    items = list(_parse_items(text))
    for position, item in enumerate(items):
        if item.is_or and groups[-1] and position + 1 < len(items) and not items[position + 1].is_or:
            groups.append([])
        else:
            groups[-1].append(item)
    return Query(tuple(map(_make_clause, groups)))


def _parse_items(text: str) -> Iterator[_QueryItem]:
    for match in _ITEM_PATTERN.finditer(text):
        minus, phrase, word = match.groups()
        item = _make_phrase(minus, phrase) if word is None else _make_word(word)
        if item.term.text:
            yield item


def _make_phrase(minus: str, quoted_text: str) -> _QueryItem:
    return _QueryItem(Term(normalise_for_search(_DOUBLED_QUOTE.sub('"', quoted_text))), is_excluded=bool(minus))


def _make_word(word: str) -> _QueryItem:
    is_excluded = word[0] in "-－" and len(word) > 1
    normalised = normalise_for_search(word[is_excluded:]).strip()
    return _QueryItem(Term(normalised, _parse_key(normalised)), is_excluded=is_excluded, is_or=word == "OR")


def _parse_key(text: str) -> str:
    match = _KEY_PATTERN.fullmatch(text)
    return (match[1] or match[2]).upper() if match else ""


def _make_clause(items: list[_QueryItem]) -> Clause:
    return Clause(
        tuple(dict.fromkeys(item.term for item in items if not item.is_excluded)),
        tuple(dict.fromkeys(item.term for item in items if item.is_excluded)),
    )
