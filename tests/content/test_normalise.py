"""A raw article becomes one that is ready to publish, or the reason why it must not be."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.categories import MAX_MEDIA_NAME_CHARS, CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.content.normalise import (
    MAX_FUTURE_OFFSET,
    MAX_SUMMARY_CHARS,
    MAX_TITLE_CHARS,
    clean_media_name,
    normalise_article,
)
from crawler.errors import EmptyBodyError, NoArticleError, RejectedArticleError
from crawler.items import NO_COLUMN, Article, ListingEntry, Mention, RawArticle
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.html import BASE, clean_html, find_faults

FETCHED_AT = datetime(2022, 1, 10, 17, 0, tzinfo=CHINA_TZ)
PUBLISHED = datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ)
ENTRY = ListingEntry(
    code="202201102242171631",
    title="山西运城：固好脱贫成果 启好振兴之路",
    published=PUBLISHED,
    column="350",
    url="https://finance.eastmoney.com/a/202201102242171631.html",
    media="中国农网",
    summary="摘要",
)
RAW_ARTICLE = RawArticle(
    ENTRY,
    body="<p>　　正文</p>",
    columns=("350", "355"),
    spider="eastmoney",
    default_media="东方财富网",
    fetched_at=FETCHED_AT,
)


def normalise_with(**changes: Any) -> Article:
    """Return an article with changes to its listing entry, or else to its response."""
    of_entry = {name: value for name, value in changes.items() if hasattr(ENTRY, name)}
    of_response = {name: value for name, value in changes.items() if name not in of_entry}
    raw = replace(RAW_ARTICLE, entry=replace(ENTRY, **of_entry), **of_response)
    return normalise_article(raw, CategoryRegistry().get_or_create, EASTMONEY_MARKUP)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("title", "另一个题", "title"),
        ("published", FETCHED_AT, "published_at"),
        ("media", "人民网", "media"),
        ("summary", "另一个摘要", "summary"),
    ],
)
def test_response_fields_override_listing_fields(name: str, value: Any, field: str) -> None:
    changed = replace(RAW_ARTICLE, **{name: value})
    assert getattr(normalise_article(changed, CategoryRegistry().get_or_create, EASTMONEY_MARKUP), field) == value


def test_columns_are_the_listings_and_those_that_the_response_names() -> None:
    raw = replace(RAW_ARTICLE, columns=("355", "350"))
    assert normalise_article(raw, CategoryRegistry().get_or_create, EASTMONEY_MARKUP).columns == ("350", "355")
    refreshed = replace(raw, entry=replace(ENTRY, column=NO_COLUMN))
    assert normalise_article(refreshed, CategoryRegistry().get_or_create, EASTMONEY_MARKUP).columns == ("355", "350")


def test_article_fields_are_cleaned() -> None:
    article = normalise_with(
        body='<p>　　今日<a href="http://quote.eastmoney.com/r/1.600160">巨化股份</a>&amp;</p><p class="em_media">（文章来源：中国农网）</p>'
    )
    body = (
        '<p>今日<a href="https://quote.eastmoney.com/unify/r/1.600160">巨化股份</a>&amp;</p>'
        '<p class="em_media">（文章来源：中国农网）</p>'
    )
    assert article == Article(
        entry=ENTRY,
        code="202201102242171631",
        title="山西运城：固好脱贫成果 启好振兴之路",
        published_at=PUBLISHED,
        media="中国农网",
        category=CategoryRegistry().get_or_create("中国农网"),
        spider="eastmoney",
        url="https://finance.eastmoney.com/a/202201102242171631.html",
        summary="摘要",
        body_html=body,
        body_text="今日巨化股份&\n（文章来源：中国农网）",
        mentions=(Mention("1.600160", "stock", "巨化股份", 1),),
        columns=("350", "355"),
        fetched_at=FETCHED_AT,
    )


ACCEPTED_CASES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "title with tags": ({"title": "<em>茅台</em>&amp;\n涨"}, "title", "茅台& 涨"),
    "title with brackets": ({"title": "a<b"}, "title", "a＜b"),
    "longest title": ({"title": "题" * MAX_TITLE_CHARS}, "title", "题" * MAX_TITLE_CHARS),
    "title long before it is cleaned": ({"title": "题" + "\u200b" * 500}, "title", "题"),
    "blog code": ({"code": "20260702101113747001360"}, "code", "20260702101113747001360"),
    "no media": ({"media": ""}, "media", "东方财富网"),
    "media of blanks": ({"media": " 　\u200b"}, "media", "东方财富网"),
    "media with tags and blanks": ({"media": " <em>中国</em>农网\n"}, "media", "中国农网"),
    "longest media": ({"media": "报" * MAX_MEDIA_NAME_CHARS}, "media", "报" * MAX_MEDIA_NAME_CHARS),
    "media that is no name": ({"media": "报" * (MAX_MEDIA_NAME_CHARS + 1)}, "media", "东方财富网"),
    "media as the source writes it": ({"media": "Techweb"}, "media", "Techweb"),
    "summary with line ends": ({"summary": " a\n\u3000b\u200b "}, "summary", "a b"),
    "long summary": ({"summary": "字" * 6_000}, "summary", "字" * MAX_SUMMARY_CHARS),
    "no summary": ({"summary": ""}, "summary", ""),
    "a little ahead": ({"published": FETCHED_AT + MAX_FUTURE_OFFSET}, "published_at", FETCHED_AT + MAX_FUTURE_OFFSET),
    "old": (
        {"published": datetime(1990, 1, 1, tzinfo=CHINA_TZ)},
        "published_at",
        datetime(1990, 1, 1, tzinfo=CHINA_TZ),
    ),
    "picture only": (
        {"body": '<center><img src="http://dfcfw.com/a.jpg"></center>'},
        "body_html",
        '<div><img src="https://dfcfw.com/a.jpg"></div>',
    ),
    "picture only, as text": ({"body": '<img src="http://a.cn/b.jpg">'}, "body_text", ""),
    "relative links": (
        {"body": '<p><a href="/b">x</a></p>'},
        "body_html",
        '<p><a href="https://finance.eastmoney.com/b">x</a></p>',
    ),
    "no columns": ({"columns": (), "column": NO_COLUMN}, "columns", ()),
}


@pytest.mark.parametrize(("changes", "field", "expected"), ACCEPTED_CASES.values(), ids=ACCEPTED_CASES.keys())
def test_valid_article_is_accepted(changes: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(normalise_with(**changes), field) == expected


REJECTED_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "no title": ({"title": ""}, "the title is empty"),
    "title of blanks": ({"title": " 　&nbsp;\u200b<em></em>"}, "the title is empty"),
    "no code": ({"code": ""}, "the code is not 18 to 24 digits: ''"),
    "short code": ({"code": "2" * 17}, "the code is not 18 to 24 digits"),
    "long code": ({"code": "2" * 25}, "the code is not 18 to 24 digits"),
    "code with letters": ({"code": "NW202201102242171631"}, "the code is not 18 to 24 digits"),
    "code that climbs": ({"code": "../../../../etc/passwd"}, "the code is not 18 to 24 digits"),
    "code with a line end": ({"code": "202201102242171631\n"}, "the code is not 18 to 24 digits"),
    "code in full width": ({"code": "２" * 18}, "the code is not 18 to 24 digits"),
    "far ahead": (
        {"published": FETCHED_AT + MAX_FUTURE_OFFSET + timedelta(seconds=1)},
        "dated more than 24 hours ahead: 2022-01-11T17:00:01+08:00",
    ),
    "2099": ({"published": datetime(2099, 1, 1, tzinfo=CHINA_TZ)}, "dated more than 24 hours ahead"),
    "before the source": ({"published": datetime(1989, 12, 31, tzinfo=CHINA_TZ)}, "dated before 1990: 1989-12-31"),
    "year 1": ({"published": datetime(1, 1, 1, tzinfo=CHINA_TZ)}, "dated before 1990"),
    "body over 8 MiB": ({"body": "字" * 2_800_000}, "too complex: the body is over 8 MiB"),
    "body too deep": ({"body": "<div>" * 70 + "x"}, "too complex: the body is nested over 64 deep"),
}


@pytest.mark.parametrize(("changes", "reason"), REJECTED_CASES.values(), ids=REJECTED_CASES.keys())
def test_invalid_article_is_rejected_with_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectedArticleError) as exc_info:
        normalise_with(**changes)
    assert str(exc_info.value).startswith(reason)
    assert "\n" not in str(exc_info.value)


@pytest.mark.parametrize(
    "body",
    [
        "", " \n", "<p></p>", "<p>　　</p>", "<script>x</script>", "<!-- x -->", '<p style="display:none">x</p>',
        '<p><img src="https://webquotepic.eastmoney.com/GetPic.aspx?nid=1.1"></p>',
        "<p>在东方财富看资讯行情，选东方财富证券一站式开户交易&gt;&gt;</p>",
    ],
    ids=["nothing", "blanks", "empty", "indent", "script", "comment", "hidden", "chart", "advert"],
)  # fmt: skip
def test_body_without_visible_content_is_empty(body: str) -> None:
    with pytest.raises(EmptyBodyError):
        normalise_with(body=body)


SENTENCE = "央行宣布下调金融机构存款准备金率零点五个百分点。"
LONG_TITLES = {
    "a sentence": (SENTENCE + "题" * 345, SENTENCE),
    "the last sentence": (SENTENCE * 20, SENTENCE * 12),
    "a sentence in quotes": ("“" + SENTENCE + "”" + "题" * 345, "“" + SENTENCE + "”"),
    "a short sentence is no title": ("好！" + "题" * 200 + "，" + "文" * 200, "好！" + "题" * 200 + "…"),
    "clauses": ("题" * 100 + "；" + "题" * 50 + "，" + "题" * 218, "题" * 100 + "…"),
    "words": ("word " * 74, ("word " * 59).rstrip() + "…"),
    "no mark": ("题" * 369, "题" * 299 + "…"),
}


@pytest.mark.parametrize(("title", "expected"), LONG_TITLES.values(), ids=LONG_TITLES.keys())
def test_long_title_is_cut_and_its_whole_is_a_paragraph(title: str, expected: str) -> None:
    article = normalise_with(title=title, body="<p>正文。</p>", ends_with_source_line=False)
    assert article.title == expected
    assert len(article.title) <= MAX_TITLE_CHARS
    assert article.body_html == f"<p>{title.strip()}</p><p>正文。</p>"
    assert article.body_text == f"{title.strip()}\n正文。"


def test_long_title_that_the_text_begins_with_is_not_repeated() -> None:
    title = SENTENCE * 16
    body = f"<p>{title[:200]} <b>{title[200:]}</b>正文。</p>"
    assert normalise_with(title=title, body=body, ends_with_source_line=False).body_html == body


@pytest.mark.parametrize("title", ["{{ a }}" * 60, "<b a>&amp;lt;" * 60, "[返回](x)*" * 60])
def test_whole_title_is_text(title: str) -> None:
    body_html = normalise_with(title=title, body="<p>正文。</p>").body_html
    assert find_faults(body_html) == []
    assert clean_html(body_html, BASE) == body_html


@pytest.mark.parametrize("tag", ["video", "iframe", "embed", "object"])
def test_video_alone_is_no_article_and_is_named_by_its_link(tag: str) -> None:
    with pytest.raises(NoArticleError, match=f"^a video without text: {re.escape(RAW_ARTICLE.entry.url)}$"):
        normalise_with(body=f'<p><{tag} src="https://v.cn/1.mp4"></{tag}></p>')


def test_picture_as_data_goes_and_its_text_stays() -> None:
    body = f'<p>甲<img src="data:image/png;base64,{"A" * 1_400_000}">乙</p>'
    assert normalise_with(body=body, ends_with_source_line=False).body_html == "<p>甲乙</p>"


def test_equivalent_media_names_share_a_category() -> None:
    registry = CategoryRegistry()
    first, second = (
        normalise_article(replace(RAW_ARTICLE, media=name), registry.get_or_create, EASTMONEY_MARKUP)
        for name in ("TechWeb", "Ｔechweb")
    )
    assert first.category is second.category
    assert (first.media, second.media) == ("TechWeb", "Ｔechweb")


def test_rejected_article_creates_no_category() -> None:
    looked_up_names: list[str] = []

    def look_up_category(name: str) -> Any:
        looked_up_names.append(name)
        return CategoryRegistry().get_or_create(name)

    entries = [
        replace(ENTRY, title=""),
        replace(ENTRY, code="5"),
        replace(ENTRY, published=datetime(2099, 1, 1, tzinfo=CHINA_TZ)),
    ]
    for rejected in (replace(RAW_ARTICLE, body=""), *(replace(RAW_ARTICLE, entry=entry) for entry in entries)):
        with pytest.raises((RejectedArticleError, EmptyBodyError)):
            normalise_article(rejected, look_up_category, EASTMONEY_MARKUP)
    assert looked_up_names == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("财联社", "财联社"), (" <em>财联社</em> ", "财联社"), ("", ""), ("a" * 40, "a" * 40), ("a" * 41, "")],
    ids=["name", "tags", "none", "longest", "too long"],
)
def test_media_name_is_a_short_headline_or_empty(text: str, expected: str) -> None:
    assert clean_media_name(text) == expected


@given(title=st.text(max_size=40), media=st.text(max_size=50), summary=st.text(max_size=40), body=st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_raw_article_is_accepted_or_rejected(title: str, media: str, summary: str, body: str) -> None:
    try:
        article = normalise_with(title=title, media=media, summary=summary, body=body)
    except (RejectedArticleError, EmptyBodyError):
        return
    for text in (article.title, article.media, article.summary):
        assert text == " ".join(text.split())
    assert article.title
    assert article.media
    assert article.body_html.startswith("<")
    assert article.category == CategoryRegistry().get_or_create(article.media)


@pytest.mark.parametrize(
    ("media", "listed_media", "line"),
    [
        ("人民网", "", "人民网"),
        ("", "人民网", "人民网"),
        ("人民网", "中国农网", "人民网"),
        (" <em>人民</em>网\n", "", "人民网"),
        ("东方财富网", "", "东方财富网"),
        ("", "", None),
        (" \u200b", "", None),
        ("报" * (MAX_MEDIA_NAME_CHARS + 1), "", None),
    ],
)
def test_source_line_names_the_media_unless_it_is_the_default(media: str, listed_media: str, line: str | None) -> None:
    raw = replace(RAW_ARTICLE, entry=replace(ENTRY, media=listed_media), media=media, ends_with_source_line=True)
    article = normalise_article(raw, CategoryRegistry().get_or_create, EASTMONEY_MARKUP)
    added_html = f'<p class="em_media">（文章来源：{line}）</p>' if line else ""
    added_text = f"\n（文章来源：{line}）" if line else ""
    assert (article.body_html, article.body_text) == (f"<p>正文</p>{added_html}", f"正文{added_text}")


def test_no_source_line_is_added_where_none_is_asked_for() -> None:
    assert normalise_with(media="人民网").body_html == "<p>正文</p>"


@pytest.mark.parametrize(("own", "expected"), [(None, "摘要"), ("", ""), ("另一个", "另一个")])
def test_summary_of_the_listing_is_reported_only_where_the_response_leaves_it_open(
    own: str | None, expected: str
) -> None:
    raw = replace(RAW_ARTICLE, summary=own)
    assert normalise_article(raw, CategoryRegistry().get_or_create, EASTMONEY_MARKUP).summary == expected
