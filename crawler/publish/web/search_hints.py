"""Hints of the search page: what of a query is not understood, and what to try when it finds nothing."""

from crawler.storage.search.query import SyntaxNote
from crawler.storage.search.suggestions import MAX_COUNTED, Suggestion, SuggestionKind

_NOTE_TEXTS = {
    SyntaxNote.SITE: "“site:”按文字搜索；要只看一家媒体，请用“筛选”。",
    SyntaxNote.TILDE: "“~”不起作用：词按原样查找。",
    SyntaxNote.STAR: "词中间的“*”按文字搜索；请把两边分成两个词。",
    SyntaxNote.BRACKETS: "括号里的组合太多，没有用上括号；请分几次搜索。",
}
_FILTER_NAMES = {
    "stock": "股票",
    "categories": "媒体",
    "columns": "栏目",
    "since": "起始日期",
    "until": "截止日期",
    "as_of": "以当时所知",
}


def describe_note(note: SyntaxNote) -> str:
    """Return the line that answers an operator which finews does not have."""
    return _NOTE_TEXTS[note]


def describe_suggestion(suggestion: Suggestion) -> str:
    """Return a suggestion as a line."""
    words, found = suggestion.words, [_describe_count(count) for count in suggestion.counts]
    match suggestion.kind:
        case SuggestionKind.UNKNOWN_STOCK:
            similar = f"，名称相近的有{_join(words[1:])}" if words[1:] else ""
            return f"没有文章提到股票“{words[0]}”{similar}。"
        case SuggestionKind.WITHOUT_FILTER:
            return f"去掉“{_FILTER_NAMES[words[0]]}”，有 {found[0]} 篇。"
        case SuggestionKind.WITHOUT_FILTERS:
            return f"去掉全部筛选，有 {found[0]} 篇。"
        case SuggestionKind.WITHOUT_QUOTES:
            return f"去掉引号，有 {found[0]} 篇。"
        case SuggestionKind.WITHOUT_EXCLUDED:
            return f"不排除任何词，有 {found[0]} 篇。"
        case SuggestionKind.WORD_COUNTS:
            counted = "，".join(f"“{word}”有 {count} 篇" for word, count in zip(words, found, strict=True))
            return f"没有一篇含有全部的词：{counted}。"
        case SuggestionKind.SIMILAR_NAMES:
            return f"名称相近的股票有{_join(words)}。"
        case SuggestionKind.SHORTER:
            return "可以少写几个字，或者用空格把词分开。"


def _describe_count(count: int) -> str:
    return f"{MAX_COUNTED} 以上" if count == MAX_COUNTED else str(count)


def _join(names: tuple[str, ...]) -> str:
    return "、".join(f"“{name}”" for name in names)
