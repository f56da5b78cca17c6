"""One post of the old site: what is read out of it, and what is refused."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.errors import ItemError, ParseError
from crawler.jobs import legacy_posts
from crawler.jobs.legacy_posts import LegacyPost
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.articles import DEFAULT_LEGACY_CODE, FETCHED_AT, SHARE_PAGE_URL, render_legacy_post

ROLLING_NEWS_FIELDS = {
    "categories": "emnews",
    "tags": "东财滚动新闻",
    "link": f"http://finance.eastmoney.com/news/1350,{DEFAULT_LEGACY_CODE}.html",
}


def parse_article(text: str, name: str = f"2022-03-04-NW{DEFAULT_LEGACY_CODE}.md") -> Any:
    registry = CategoryRegistry()
    return normalise_article(
        legacy_posts.parse_legacy_post(LegacyPost.from_path(name), text.encode(), registry, FETCHED_AT),
        registry.get_or_create,
        EASTMONEY_MARKUP,
    )


@pytest.mark.slow
@pytest.mark.parametrize("field", ["body", "date", "title", "tags", "back"])
@pytest.mark.parametrize("blank", ["\n", " "])
def test_largest_file_is_parsed_in_linear_time(field: str, blank: str) -> None:
    """With a parser that looks at each blank again for each one before it, this would take days."""
    text = render_legacy_post(**{field: f"x{blank * (8 << 20)}x"})
    with suppress(ParseError):
        legacy_posts.parse_legacy_post(
            LegacyPost.from_path(f"NW{DEFAULT_LEGACY_CODE}.md"), text.encode(), CategoryRegistry(), FETCHED_AT
        )


@pytest.mark.parametrize(
    ("changes", "media"),
    [
        ({}, "中国农网"),
        ({"tags": "每日经济新闻新闻", "categories": "meirijingjixinwen"}, "每日经济新闻"),
        ({"tags": "每日经济新闻", "categories": "meirijingjixinwen"}, "每日经济新闻"),
        ({"tags": "每日经济新闻", "categories": "meirijingji"}, "每日经济"),
        (
            {"tags": "21世纪经济报道 21财经APP新闻", "categories": "21shijijingjibaodao 21caijingAPP"},
            "21世纪经济报道 21财经APP",
        ),
        ({"tags": "TechWeb新闻", "categories": "TechWeb"}, "TechWeb"),
        ({"tags": "新闻", "categories": ""}, "东方财富"),
        ({"tags": "新闻", "categories": "", "body": '<p>文</p><p class="em_media">（文章来源：财联社）</p>'}, "财联社"),
    ],
)
def test_media_of_a_media_post(changes: dict[str, str], media: str) -> None:
    assert parse_article(render_legacy_post(**changes)).media == media


@pytest.mark.parametrize(
    ("body", "media", "text"),
    [
        ("> 摘要（财联社）\n\n<p>正文</p>", "财联社", "正文"),
        ("> 摘要（财联社）\n\n<p>正文</p><p>（文章来源：中国农网）</p>", "中国农网", "正文\n（文章来源：中国农网）"),
        ("> 摘要（2022年）\n\n<p>正文</p>", "东方财富", "正文"),
        ("> 摘要（未经审计）\n\n<p>正文</p>", "东方财富", "正文"),
        ("> 摘要\n\n<p>正文</p><p>（来源：公司公告）</p>", "东方财富", "正文\n（来源：公司公告）"),
        ("\n每瓶1499元（含税）", "东方财富", "每瓶1499元（含税）"),
        ("> 摘要（财联社）\n\n", "财联社", "摘要（财联社）"),
        ("\n一段 <文字> {{ a }}（财联社）", "财联社", "一段 <文字> {{ a }}（财联社）"),
    ],
)
def test_media_and_text_of_rolling_news(body: str, media: str, text: str) -> None:
    parsed = parse_article(render_legacy_post(body=body, **ROLLING_NEWS_FIELDS), f"2022-03-04-{DEFAULT_LEGACY_CODE}.md")
    assert (parsed.media, parsed.body_text) == (media, text)
    assert parsed.columns == ("import", "350")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ('"他说"好""', '他说"好"'),
        ('"AC\\DC"', "AC\\DC"),
        ('"a: b"', "a: b"),
        ("无引号", "无引号"),
        ('"&lt;b&gt;"', "＜b＞"),
    ],
)
def test_titles_with_unescaped_quotes(title: str, expected: str) -> None:
    assert parse_article(render_legacy_post(title=title)).title == expected


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text, lambda text: text + "\n"]
)
def test_line_endings_and_bom_do_not_matter(change: Callable[[str], str]) -> None:
    assert parse_article(change(render_legacy_post())) == parse_article(render_legacy_post())


@pytest.mark.parametrize(
    "date", ["2022-03-04T12:34:56+08:00", "2022-03-04 12:34:56", "2022-03-04T04:34:56Z", "2022/03/04 12:34:56"]
)
def test_date_may_be_of_another_form(date: str) -> None:
    assert parse_article(render_legacy_post(date=date)) == parse_article(render_legacy_post())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": '""'}, "title is empty"),
        ({"date": "+0800"}, "not a time"),
        ({"date": "2022-02-30 12:00:00 +0800"}, "day is out of range|not a time"),
        ({"date": "2022-02-28"}, "not a time"),
        ({"link": ""}, "source link"),
        ({"link": SHARE_PAGE_URL + "202203041234567891"}, "source link"),
        ({"body": "<!-- nothing -->"}, "nothing to read"),
    ],
)
def test_incomplete_post_is_rejected(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(ItemError, match=reason):
        parse_article(render_legacy_post(**changes))


@settings(max_examples=200, deadline=None)
@given(
    title=st.text(max_size=30),
    tags=st.text(max_size=12),
    body=st.text(max_size=60),
    cut=st.integers(0, 400),
)
def test_any_file_is_an_article_or_an_error(title: str, tags: str, body: str, cut: int) -> None:
    text = render_legacy_post(title=f'"{title}"', tags=tags, body=f"<p>{body}</p>")
    for content in (text, text[:-cut]):
        assert error_or_title(content.encode("utf-8", "replace").decode())


def error_or_title(content: str) -> str:
    try:
        parsed = parse_article(content)
    except ItemError as error:
        return str(error)
    assert parsed.code == DEFAULT_LEGACY_CODE
    return str(parsed.title)
