"""Hints of the search page: unknown operators in a query, and suggestions when it finds nothing."""

from crawler.storage.search.query import SyntaxNote
from crawler.storage.search.suggestions import SuggestionKind, SuggestionTexts

# Hints for operators that finews does not have.
NOTE_TEXTS = {
    SyntaxNote.SITE: "“site:”按文字搜索；要只看一家媒体，请用“筛选”。",
    SyntaxNote.TILDE: "“~”不起作用：词按原样查找。",
    SyntaxNote.STAR: "词中间的“*”按文字搜索；请把两边分成两个词。",
    SyntaxNote.BRACKETS: "括号里的组合太多，没有用上括号；请分几次搜索。",
}
SUGGESTION_TEXTS = SuggestionTexts(
    templates={
        SuggestionKind.UNKNOWN_STOCK: "没有文章提到股票“{word}”，名称相近的有{names}。",
        SuggestionKind.WITHOUT_FILTER: "去掉“{word}”，有 {count} 篇。",
        SuggestionKind.WITHOUT_FILTERS: "去掉全部筛选，有 {count} 篇。",
        SuggestionKind.WITHOUT_QUOTES: "去掉引号，有 {count} 篇。",
        SuggestionKind.WITHOUT_EXCLUDED: "不排除任何词，有 {count} 篇。",
        SuggestionKind.WORD_COUNTS: "没有一篇含有全部的词：{counts}。",
        SuggestionKind.SIMILAR_NAMES: "名称相近的股票有{names}。",
        SuggestionKind.SHORTER: "可以少写几个字，或者用空格把词分开。",
    },
    no_similar_names="没有文章提到股票“{word}”。",
    filter_names={
        "stock": "股票",
        "categories": "媒体",
        "columns": "栏目",
        "since": "起始日期",
        "until": "截止日期",
        "as_of": "以当时所知",
    },
    name="“{}”",
    separator="、",
    word_count="“{word}”有 {count} 篇",
    many="{} 以上",
)
