"""Suggestions for a search that found nothing: what of it to leave out, and what is written much like it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import Any

from crawler.storage.search.engine import SearchEngine
from crawler.storage.search.query import Term, parse_query
from crawler.storage.search.request import SearchRequest, SortOrder
from crawler.storage.stocks import Stocks

# More than this is hardly an answer to "what would be found without it".
MAX_SUGGESTIONS = 2
# Articles are counted up to here: a common word has too many to be read for a suggestion.
MAX_COUNTED = 100
_MAX_COUNTED_WORDS = 4
_MAX_SIMILAR_NAMES = 3
# Of a word with more characters, a part may be found.
_MAX_SHORT_CHARS = 2
_EMPTY_FILTERS: Mapping[str, Any] = {
    "stock": "", "categories": (), "columns": (), "since": None, "until": None, "as_of": None,
}  # fmt: skip
_QUOTES = str.maketrans(dict.fromkeys('"＂“”「」『』', " "))


class SuggestionKind(StrEnum):
    """Kind of suggestion."""

    UNKNOWN_STOCK = auto()  # `words` are similar names
    WITHOUT_FILTER = auto()  # `words` is the filter's name in a request
    WITHOUT_FILTERS = auto()
    WITHOUT_QUOTES = auto()
    WITHOUT_EXCLUDED = auto()
    WORD_COUNTS = auto()  # how many have each of `words`
    SIMILAR_NAMES = auto()
    SHORTER = auto()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Change to a search, and how many articles it finds; `MAX_COUNTED` also means more."""

    kind: SuggestionKind
    words: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SuggestionTexts:
    """Texts of suggestions in one language.

    `templates` have the places `{word}` (the first, or the filter's name), `{names}` (all words, of an unknown stock
    the similar ones), `{count}` (the first) and `{counts}` (each word with its count). `no_similar_names` is the text
    for an unknown stock that none is like.
    """

    templates: Mapping[SuggestionKind, str]
    no_similar_names: str
    filter_names: Mapping[str, str]
    name: str
    separator: str
    word_count: str
    many: str

    def describe(self, suggestion: Suggestion) -> str:
        """Return a suggestion as a line."""
        kind, words = suggestion.kind, suggestion.words
        counts = [self.many.format(MAX_COUNTED) if count == MAX_COUNTED else str(count) for count in suggestion.counts]
        names = words[1:] if kind is SuggestionKind.UNKNOWN_STOCK else words
        word = words[0] if words else ""
        if kind is SuggestionKind.WITHOUT_FILTER:
            word = self.filter_names[word]
        is_without_names = kind is SuggestionKind.UNKNOWN_STOCK and not names
        return (self.no_similar_names if is_without_names else self.templates[kind]).format(
            word=word,
            names=self.separator.join(map(self.name.format, names)),
            count=counts[0] if counts else "",
            counts=self.separator.join(
                self.word_count.format(word=word, count=count) for word, count in zip(words, counts, strict=False)
            ),
        )


def suggest(search: SearchEngine, stocks: Stocks, request: SearchRequest) -> list[Suggestion]:
    """Return what to try in place of a request that nothing answers, the likeliest first."""
    return _Suggester(search, stocks).suggest(replace(request, offset=0))[:MAX_SUGGESTIONS]


class _Suggester:
    def __init__(self, search: SearchEngine, stocks: Stocks) -> None:
        self._search = search
        self._stocks = stocks

    def suggest(self, request: SearchRequest) -> list[Suggestion]:
        """Return all suggestions: first an unknown stock and single filters, else all filters, else other words."""
        filters = {name: empty for name, empty in _EMPTY_FILTERS.items() if getattr(request, name) != empty}
        without_filters = replace(request, **filters)
        suggestions: list[Suggestion] = []
        if request.stock and not self._stocks.is_known(request.stock):
            names = self._stocks.find_similar(request.stock, _MAX_SIMILAR_NAMES)
            suggestions.append(Suggestion(SuggestionKind.UNKNOWN_STOCK, (request.stock, *names)))
        if len(filters) != 1 or request.text:
            for name, empty in filters.items():
                without_one = replace(request, **{name: empty})
                suggestions += self._if_found(SuggestionKind.WITHOUT_FILTER, without_one, name)
        if not suggestions and len(filters) > 1:
            suggestions = self._if_found(SuggestionKind.WITHOUT_FILTERS, without_filters)
        return suggestions or self._other_words(without_filters)

    def _other_words(self, request: SearchRequest) -> list[Suggestion]:
        text, query = request.text, parse_query(request.text)
        if (unquoted := text.translate(_QUOTES)) != text and (
            found := self._if_found(SuggestionKind.WITHOUT_QUOTES, replace(request, text=unquoted))
        ):
            return found
        clause = query.clauses[0]
        if clause.excluded and clause.required:
            wanted = " ".join(map(_as_typed, clause.required))
            if found := self._if_found(SuggestionKind.WITHOUT_EXCLUDED, replace(request, text=wanted)):
                return found
        if len(clause.required) > 1:
            terms = clause.required[:_MAX_COUNTED_WORDS]
            counts = (self._count(replace(request, text=_as_typed(term))) for term in terms)
            return [Suggestion(SuggestionKind.WORD_COUNTS, tuple(term.texts[0] for term in terms), tuple(counts))]
        names = self._stocks.find_similar(text, _MAX_SIMILAR_NAMES)
        suggestions = [Suggestion(SuggestionKind.SIMILAR_NAMES, tuple(names))] if names else []
        return [*suggestions, Suggestion(SuggestionKind.SHORTER)] if len(text) > _MAX_SHORT_CHARS else suggestions

    def _if_found(self, kind: SuggestionKind, request: SearchRequest, *words: str) -> list[Suggestion]:
        count = self._count(request)
        return [Suggestion(kind, words, (count,))] if count else []

    def _count(self, request: SearchRequest) -> int:
        return sum(1 for _ in self._search.rows(replace(request, sort=SortOrder.NEWEST, limit=MAX_COUNTED)))


def _as_typed(term: Term) -> str:
    """Return a word as a query of its own."""
    if term.keys:
        return term.texts[0]
    phrase = term.texts[0].replace('"', '""')
    return f'{"title:" if term.is_in_title else ""}"{phrase}"'
