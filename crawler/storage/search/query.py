"""Query parser: words, phrases, `-word`, `OR`, brackets. Every text means something: no query is a syntax error.

Words are all wanted, `"…"` is one word with its blanks (`""` is a quotation mark in it), `-word` and `NOT word` are
unwanted, `OR` is between alternatives, each of which is all the words around it, and brackets group: docs/search.md.
"""

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from crawler.content.stocks import TypedStock, parse_stock
from crawler.errors import UsageError
from crawler.items import CODE_PATTERN, CODE_PREFIX
from crawler.storage.search.bigrams import SearchDocument
from crawler.storage.search.folding import normalise_term

_MINUS = "-－−–"
_TOKEN_PATTERN = re.compile(
    rf"""
    # a bracket before a blank, a quotation mark, a minus or another; in other places it is the first of a word
    (?P<open_minus>[{_MINUS}]?)(?P<open>[(（])(?=[{_MINUS}\s"＂“”「『(（]|$)
    | (?P<minus>[{_MINUS}]?)(?P<field>(?:(?:in)?title|标题)[:：]\s*)?
    (?:
        ["＂](?P<quoted>(?:[^"＂]|["＂]{{2}})*)["＂]?
        | [“”](?P<curly>[^“”]*)[“”]?
        | 「(?P<corner>[^」]*)」?
        | 『(?P<double_corner>[^』]*)』?
        | (?P<word>\S+)
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DOUBLED_QUOTE = re.compile('["＂]{2}')
_ARTICLE_CODE = re.compile(rf"(?:{CODE_PREFIX})?({CODE_PATTERN.pattern})", re.ASCII | re.IGNORECASE)
# A number with fewer digits is no stock's code where it may be any number.
_MIN_CODE_DIGITS = 5
# Part of a stock's name that has blanks in it: `五 粮 液`, `万 科Ａ`.
_NAME_PART = re.compile("[\u4e00-\u9fff][a-z]?")
# What other search engines have, and what is left out of a word for it.
_TILDE = re.compile(r"^~\d*$|^~|(?<![0-9０-９])~\d*$")
_EDGE_STAR = re.compile(r"^\*+(?!st|$)|(?<=[^*])\*+$", re.IGNORECASE)
_INNER_STAR = re.compile(r"[^*]\*+[^*]")
_SITE = re.compile(r"(?:site|source|inurl|filetype)[:：]", re.IGNORECASE)
# Of alternatives that brackets multiply, and of brackets in each other; where there are more, brackets are left out.
_MAX_CLAUSES, _MAX_GROUPS = 500, 50


class SyntaxNote(StrEnum):
    """Syntax of other search engines in a query that finews does not support."""

    SITE = auto()
    TILDE = auto()
    STAR = auto()
    BRACKETS = auto()


@dataclass(frozen=True, slots=True)
class Term:
    """One word, normalised: any of `texts`, of which most words have one.

    `keys` are the codes that it may also be, none for most words and for every phrase.
    """

    texts: tuple[str, ...]
    keys: tuple[str, ...] = ()
    is_in_title: bool = False

    def occurs_in(self, document: SearchDocument, keys: Collection[str] = ()) -> bool:
        """Return whether a document, whose article has these keys, holds the term."""
        if self.is_in_title:
            return any(map(document.has_in_title, self.texts))
        return any(text in document for text in self.texts) or any(key in keys for key in self.keys)

    def implies(self, other: "Term") -> bool:
        """Return whether every text that holds this term holds the other, too."""
        return (
            not self.keys
            and (self.is_in_title or not other.is_in_title)
            and all(any(other_text in text for other_text in other.texts) for text in self.texts)
        )


@dataclass(frozen=True, slots=True)
class Clause:
    """All of `required` and none of `excluded`."""

    required: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()

    @property
    def is_satisfiable(self) -> bool:
        """Return whether a document may match: none holds a word without a part of the word."""
        return not any(term.implies(excluded_term) for excluded_term in self.excluded for term in self.required)

    def matches(self, document: SearchDocument, keys: Collection[str] = ()) -> bool:
        """Return whether a document, whose article has these keys, matches."""
        return all(term.occurs_in(document, keys) for term in self.required) and not any(
            term.occurs_in(document, keys) for term in self.excluded
        )


@dataclass(frozen=True, slots=True)
class Query:
    """Any of its clauses. That of an empty text is one clause which everything meets."""

    clauses: tuple[Clause, ...]
    notes: tuple[SyntaxNote, ...] = ()

    def matches(self, document: SearchDocument, keys: Collection[str] = ()) -> bool:
        """Return whether a document, whose article has these keys, matches."""
        return any(clause.matches(document, keys) for clause in self.clauses)

    @property
    def has_words(self) -> bool:
        """Return whether the query has any term."""
        return any(clause.required or clause.excluded for clause in self.clauses)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the codes that terms of the query may be."""
        terms = (term for clause in self.clauses for term in (*clause.required, *clause.excluded))
        return tuple(dict.fromkeys(key for term in terms for key in term.keys))

    @property
    def words(self) -> tuple[str, ...]:
        """Return the normalised words that a snippet highlights."""
        terms = (term for clause in self.clauses for term in clause.required)
        return tuple(dict.fromkeys(text for term in terms for text in term.texts))

    def with_keys_among(self, known_keys: Collection[str]) -> "Query":
        """Return the query without codes that nothing has."""

        def limit(terms: tuple[Term, ...]) -> tuple[Term, ...]:
            return tuple(
                Term(term.texts, tuple(key for key in term.keys if key in known_keys), term.is_in_title)
                for term in terms
            )

        return Query(tuple(Clause(limit(each.required), limit(each.excluded)) for each in self.clauses), self.notes)


class _Kind(Enum):
    TERM = auto()
    OPEN = auto()
    CLOSE = auto()
    NOT = auto()
    AND = auto()
    OR = auto()


_OPERATORS = {"AND": _Kind.AND, "&&": _Kind.AND, "OR": _Kind.OR, "|": _Kind.OR, "||": _Kind.OR, "NOT": _Kind.NOT}


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or phrase, excluded or not, a bracket, or an operator, which may be a word after all."""

    kind: _Kind
    term: Term = Term(())
    is_excluded: bool = False
    is_name_part: bool = False


def check_query_has_words(text: str) -> None:
    """Check that a typed query holds a word, else raise UsageError: it would match everything."""
    if not parse_query(text).has_words:
        raise UsageError(f"the query {text!r} holds no word: type one, or leave the query out")


def parse_query(text: str) -> Query:
    """Return the query that a text means.

    >>> [[term.texts[0] for term in clause.required] for clause in parse_query('央行 ＡＢＣ OR "利率 5" -传闻').clauses]
    [['央行', 'abc'], ['利率5']]
    >>> [[term.texts[0] for term in clause.required] for clause in parse_query("(央行 OR 财政部) 国债").clauses]
    [['国债', '央行'], ['国债', '财政部']]
    """
    tokenizer = _Tokenizer()
    tokens = _resolve_operators(_join_names(list(tokenizer.split(text))))
    try:
        clauses = _build_clauses(tokens)
    except _TooManyClausesError:
        tokenizer.notes.add(SyntaxNote.BRACKETS)
        clauses = _build_clauses([token for token in tokens if token.kind not in (_Kind.OPEN, _Kind.CLOSE)])
    return Query(tuple(clauses), tuple(sorted(tokenizer.notes)))


class _Tokenizer:
    """Tokenizer of queries, which notes unsupported syntax."""

    def __init__(self) -> None:
        self.notes: set[SyntaxNote] = set()
        self._depth = 0

    def split(self, text: str) -> Iterator[_Token]:
        for match in _TOKEN_PATTERN.finditer(text):
            is_excluded, is_in_title = bool(match["minus"]), bool(match["field"])
            if match["open"]:
                yield self._open(is_excluded=bool(match["open_minus"]))
            elif match["word"] is None:
                phrase = next(filter(None, match.group("quoted", "curly", "corner", "double_corner")), "")
                yield from _make_phrase(_DOUBLED_QUOTE.sub('"', phrase), is_excluded, is_in_title)
            else:
                yield from self._split_word(match["word"], is_excluded, is_in_title)

    def _open(self, *, is_excluded: bool) -> _Token:
        self._depth += 1
        return _Token(_Kind.OPEN, is_excluded=is_excluded)

    def _split_word(self, word: str, is_excluded: bool, is_in_title: bool) -> Iterator[_Token]:
        closed = min(self._depth, max(0, -_nesting(word)[-1]), len(word) - len(word.rstrip(")）")))
        self._depth -= closed
        word = word[: len(word) - closed]
        begins_group = False
        if word[:1] in ("(", "（") and len(word) > 1 and not is_in_title:
            # The bracket groups if its partner ends the word, or is in another word.
            inner = _nesting(word[1:])
            begins_group = min(inner[:-1]) >= 0 if word[-1] in ")）" and inner[-1] < 0 else inner[-1] >= 0
        if begins_group:
            yield self._open(is_excluded=is_excluded)
            yield from self.split(word[1:])
        else:
            yield from self._make_word(word, is_excluded, is_in_title)
        yield from [_Token(_Kind.CLOSE)] * closed

    def _make_word(self, word: str, is_excluded: bool, is_in_title: bool) -> Iterator[_Token]:
        operator = _OPERATORS.get(unicodedata.normalize("NFKC", word)) if not (is_excluded or is_in_title) else None
        for token in _make_word(self._without_operators(word), is_excluded, is_in_title):
            yield token if operator is None else _Token(operator, token.term)

    def _without_operators(self, word: str) -> str:
        """Return a word without what other search engines understand at its ends."""
        stripped = _EDGE_STAR.sub("", _TILDE.sub("", word))
        for note, is_met in (
            (SyntaxNote.TILDE, _TILDE.search(word)),
            (SyntaxNote.STAR, _INNER_STAR.search(stripped)),
            (SyntaxNote.SITE, _SITE.match(stripped)),
        ):
            if is_met:
                self.notes.add(note)
        return stripped


def _nesting(text: str) -> list[int]:
    """Return how many brackets are open before each character, and at the end."""
    return list(itertools.accumulate(((each in "(（") - (each in ")）") for each in text), initial=0))


def _make_phrase(text: str, is_excluded: bool, is_in_title: bool) -> Iterator[_Token]:
    if normalised := normalise_term(text):
        yield _Token(_Kind.TERM, Term((normalised,), is_in_title=is_in_title), is_excluded)


def _make_word(text: str, is_excluded: bool, is_in_title: bool) -> Iterator[_Token]:
    for token in _make_phrase(text, is_excluded, is_in_title):
        if is_in_title:
            yield token
            continue
        word = token.term.texts[0]
        if match := _ARTICLE_CODE.fullmatch(word):
            stock: TypedStock | None = TypedStock((match[1],), (word,))
        else:
            stock = None if word.isdigit() and len(word) < _MIN_CODE_DIGITS else parse_stock(word)
        is_name_part = not is_excluded and bool(_NAME_PART.fullmatch(word))
        yield _Token(_Kind.TERM, Term(stock.texts, stock.keys) if stock else token.term, is_excluded, is_name_part)


def _join_names(tokens: Sequence[_Token]) -> list[_Token]:
    """Return the tokens with single characters that follow each other as one word."""
    joined: list[_Token] = []
    for token in tokens:
        if token.is_name_part and joined and joined[-1].is_name_part:
            text = joined[-1].term.texts[0] + token.term.texts[0]
            joined[-1] = _Token(_Kind.TERM, Term((text,)), is_name_part=True)
        else:
            joined.append(token)
    return joined


def _resolve_operators(tokens: Sequence[_Token]) -> list[_Token]:
    """Return the tokens with operators that have nothing to work on as words."""
    resolved: list[_Token] = []
    for position, token in enumerate(tokens):
        next_kind = tokens[position + 1].kind if position + 1 < len(tokens) else _Kind.CLOSE
        has_right = next_kind in (_Kind.TERM, _Kind.OPEN) or (next_kind is _Kind.NOT and token.kind is not _Kind.NOT)
        has_left = bool(resolved) and resolved[-1].kind in (_Kind.TERM, _Kind.CLOSE)
        if token.kind in (_Kind.AND, _Kind.OR, _Kind.NOT) and not (has_right and (has_left or token.kind is _Kind.NOT)):
            resolved.append(_Token(_Kind.TERM, token.term))
        else:
            resolved.append(token)
    return resolved


class _TooManyClausesError(Exception):
    """Brackets multiply alternatives beyond the limit."""


@dataclass(slots=True)
class _Group:
    """Content of two brackets: the alternatives so far, and the parts of the last one."""

    is_excluded: bool = False
    alternatives: list[Clause] = field(default_factory=list)
    required: list[Term] = field(default_factory=list)
    excluded: list[Term] = field(default_factory=list)
    factors: list[list[Clause]] = field(default_factory=list)

    def end_alternative(self) -> None:
        if self.required or self.excluded or self.factors:
            self.alternatives += _multiply([[Clause(tuple(self.required), tuple(self.excluded))], *self.factors])
        self.required, self.excluded, self.factors = [], [], []

    def close(self) -> list[Clause]:
        self.end_alternative()
        if not self.is_excluded:
            return self.alternatives
        return _multiply(
            [
                [
                    *(Clause(excluded=(term,)) for term in clause.required),
                    *(Clause(required=(term,)) for term in clause.excluded),
                ]
                for clause in self.alternatives
            ]
        )


def _build_clauses(tokens: Sequence[_Token]) -> list[Clause]:
    groups = [_Group()]
    is_negated = False
    for token in tokens:
        if token.kind is _Kind.OPEN:
            if len(groups) == _MAX_GROUPS:
                raise _TooManyClausesError
            groups.append(_Group(is_excluded=token.is_excluded is not is_negated))
        elif token.kind is _Kind.CLOSE and len(groups) > 1:
            _close_last(groups)
        elif token.kind is _Kind.TERM:
            is_excluded = token.is_excluded is not is_negated
            (groups[-1].excluded if is_excluded else groups[-1].required).append(token.term)
        elif token.kind is _Kind.OR:
            groups[-1].end_alternative()
        is_negated = token.kind is _Kind.NOT
    while len(groups) > 1:
        _close_last(groups)
    return groups[0].close() or [Clause()]


def _close_last(groups: list[_Group]) -> None:
    if clauses := groups.pop().close():
        groups[-1].factors.append(clauses)


def _multiply(factors: Sequence[Sequence[Clause]]) -> list[Clause]:
    """Return the clauses that want one of each factor's. Raises _TooManyClausesError."""
    product = [Clause()]
    for factor in factors:
        if len(product) * len(factor) > _MAX_CLAUSES:
            raise _TooManyClausesError
        product = [
            Clause(
                tuple(dict.fromkeys((*left.required, *right.required))),
                tuple(dict.fromkeys((*left.excluded, *right.excluded))),
            )
            for left in product
            for right in factor
        ]
    return product
