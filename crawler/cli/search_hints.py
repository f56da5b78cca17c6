"""Hints of `finews search`: what of a query is not understood, and what to try when it finds nothing."""

from crawler.storage.search.query import SyntaxNote
from crawler.storage.search.suggestions import SuggestionKind, SuggestionTexts

# What answers an operator that finews does not have.
NOTE_TEXTS = {
    SyntaxNote.SITE: "`site:` is searched for as text: --category names the media, --column the listing",
    SyntaxNote.TILDE: "`~` is left out: words are found as they are written",
    SyntaxNote.STAR: "`*` inside a word is searched for as text: type its parts as two words",
    SyntaxNote.BRACKETS: "brackets are left out, which make too many alternatives: search for some of them at a time",
}
SUGGESTION_TEXTS = SuggestionTexts(
    templates={
        SuggestionKind.UNKNOWN_STOCK: "no article links to ‘{word}’: similar names are {names}",
        SuggestionKind.WITHOUT_FILTER: "without {word} there are {count}",
        SuggestionKind.WITHOUT_FILTERS: "without all filters there are {count}",
        SuggestionKind.WITHOUT_QUOTES: "without quotation marks there are {count}",
        SuggestionKind.WITHOUT_EXCLUDED: "without the unwanted words there are {count}",
        SuggestionKind.WORD_COUNTS: "no article has all of these words; {counts}",
        SuggestionKind.SIMILAR_NAMES: "similar names of stocks are {names}",
        SuggestionKind.SHORTER: "try a shorter part of it, or its words with blanks between them",
    },
    no_similar_names="no article links to ‘{word}’: `finews stocks` lists what there is",
    filter_names={
        "stock": "--stock",
        "categories": "--category",
        "columns": "--column",
        "since": "--since",
        "until": "--until",
        "as_of": "--as-of",
    },
    name="‘{}’",
    separator=", ",
    word_count="{count} have ‘{word}’",
    many="{} or more",
)
