"""Hints of `finews search`: what of a query is not understood, and what to try when it finds nothing."""

from collections.abc import Sequence

from crawler.storage.search.query import SyntaxNote
from crawler.storage.search.suggestions import MAX_COUNTED, Suggestion, SuggestionKind

_NOTE_TEXTS = {
    SyntaxNote.SITE: "`site:` is searched for as text: --category names the media, --column the listing",
    SyntaxNote.TILDE: "`~` is left out: words are found as they are written",
    SyntaxNote.STAR: "`*` inside a word is searched for as text: type its parts as two words",
    SyntaxNote.BRACKETS: "brackets are left out, which make too many alternatives: search for some of them at a time",
}
_OPTION_BY_FILTER = {"stock": "--stock", "categories": "--category", "columns": "--column", "as_of": "--as-of"}


def describe_note(note: SyntaxNote) -> str:
    """Return the line that answers an operator which finews does not have."""
    return _NOTE_TEXTS[note]


def describe_suggestion(suggestion: Suggestion) -> str:
    """Return a suggestion as a line."""
    words, found = suggestion.words, [_describe_count(count) for count in suggestion.counts]
    match suggestion.kind:
        case SuggestionKind.UNKNOWN_STOCK:
            return f"no article links to ‘{words[0]}’: " + (
                f"similar names are {_join(words[1:])}" if words[1:] else "`finews stocks` lists what there is"
            )
        case SuggestionKind.WITHOUT_FILTER:
            return f"without {_OPTION_BY_FILTER.get(words[0], f'--{words[0]}')} there are {found[0]}"
        case SuggestionKind.WITHOUT_FILTERS:
            return f"without all filters there are {found[0]}"
        case SuggestionKind.WITHOUT_QUOTES:
            return f"without quotation marks there are {found[0]}"
        case SuggestionKind.WITHOUT_EXCLUDED:
            return f"without the unwanted words there are {found[0]}"
        case SuggestionKind.WORD_COUNTS:
            counted = ", ".join(f"{count} have ‘{word}’" for word, count in zip(words, found, strict=True))
            return f"no article has all of these words; {counted}"
        case SuggestionKind.SIMILAR_NAMES:
            return f"similar names of stocks are {_join(words)}"
        case SuggestionKind.SHORTER:
            return "try a shorter part of it, or its words with blanks between them"


def _describe_count(count: int) -> str:
    return f"{MAX_COUNTED} or more" if count == MAX_COUNTED else str(count)


def _join(names: Sequence[str]) -> str:
    return ", ".join(f"‘{name}’" for name in names)
