"""Hints of `finews search`: unsupported operators in a query, and what to try if nothing is found."""

from crawler.storage.search.query import SyntaxNote
from crawler.storage.search.suggestions import SuggestionKind, SuggestionTexts

# Notes for operators that finews does not support.
NOTE_TEXTS = {
    SyntaxNote.SITE: "`site:` is searched for as text: --category names the media, --column the listing",
    SyntaxNote.TILDE: "`~` is left out: words are found as they are written",
    SyntaxNote.STAR: "`*` inside a word is searched for as text: type its parts as two words",
    SyntaxNote.BRACKETS: "brackets are left out, they make too many alternatives: search for some of them at a time",
}
SUGGESTION_TEXTS = SuggestionTexts(
    templates={
        SuggestionKind.UNKNOWN_STOCK: "no article links to ‘{word}’: similar names are {names}",
        SuggestionKind.WITHOUT_FILTER: "without {word} there are {count}",
        SuggestionKind.WITHOUT_FILTERS: "without all filters there are {count}",
        SuggestionKind.WITHOUT_QUOTES: "without quotation marks there are {count}",
        SuggestionKind.WITHOUT_EXCLUDED: "without the excluded words there are {count}",
        SuggestionKind.WORD_COUNTS: "no article has all of these words; {counts}",
        SuggestionKind.SIMILAR_NAMES: "similar names of stocks are {names}",
        SuggestionKind.SHORTER: "try a shorter part of it, or its words separated by spaces",
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
