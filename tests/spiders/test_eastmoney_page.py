"""Pages of Eastmoney's articles: title, media, summary and body, in each known layout."""

from datetime import datetime

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.errors import ParseError
from crawler.items import ListingEntry, RawArticle
from crawler.spiders.eastmoney import extract_from_detail, extract_from_page
from tests.support.html import BASE, clean_html

CODE = "202606153771400001"
LISTED_AT = datetime(2026, 6, 15, 11, 32, 45, tzinfo=CHINA_TZ)
BODY = '<div class="txtinfos" id="ContentBody"><p>　　纸价连涨三周。</p></div>'


def make_entry(title: str = "纸价 连涨", media: str = "", summary: str = "别的文章的摘要") -> ListingEntry:
    url = f"https://finance.eastmoney.com/a/{CODE}.html"
    return ListingEntry(CODE, title, LISTED_AT, "344", url, media=media, summary=summary)


def read_page(body: str = BODY, title: str = "", entry: ListingEntry | None = None) -> RawArticle:
    head = f"<head><title>{title}</title></head>" if title else ""
    return extract_from_page(f"<html>{head}<body>{body}</body></html>", entry or make_entry())


@pytest.mark.parametrize(
    "suffix",
    [
        "_东方财富网",
        " _ 东方财富网",
        "- 东方财富网",
        " - 东方财富网 ",
        " | 东方财富网",
        "|东方财富网",
        "　_　东方财富网",
        "&nbsp;_&nbsp;东方财富网",
        "\u200b _ \u200b东方财富网",
        "＿东方财富网",
        "｜东方财富网",
        " — 东方财富网",
        "_财富号_东方财富网",
        " _ 财富号 _ 东方财富网",
        "_东方财富网 _ 东方财富网",
        "\n _ 东方财富网\n",
    ],
)
def test_the_name_of_the_site_is_no_part_of_a_title(suffix: str) -> None:
    assert read_page(title=f"造纸股走强{suffix}").title == "造纸股走强"
    assert read_page(f'<div class="newsContent"><h1>造纸股走强{suffix}</h1>{BODY}</div>').title == "造纸股走强"


@pytest.mark.parametrize(
    "title",
    [
        "东方财富网回应传闻",
        "问答 _ 东方财富网怎么看",
        "财富号_年度作者",
        "A-B | C_D",
        "对话东方财富网",
        "“东方财富网”",
    ],
)
def test_a_name_inside_a_title_stays(title: str) -> None:
    assert read_page(title=f"{title} _ 东方财富网").title == title


@pytest.mark.parametrize("title", ["", " _ 东方财富网", "财富号_东方财富网"])
def test_a_title_that_only_names_the_site_is_the_listings(title: str) -> None:
    assert read_page(title=title).title == ""


@pytest.mark.parametrize(
    ("listed", "on_page", "expected"),
    [
        ("纸价　连涨", "纸价连涨", "纸价　连涨"),
        ("纸价连涨", "纸价\u3000连涨", "纸价连涨"),
        ("纸价 连涨", "纸价&nbsp;&nbsp;连涨", "纸价 连涨"),
        ("纸价连涨", "纸价连涨三周", "纸价连涨三周"),
        ("", "纸价 连涨", "纸价 连涨"),
    ],
)
def test_a_title_that_differs_in_blanks_is_spelled_as_listed(listed: str, on_page: str, expected: str) -> None:
    assert read_page(title=f"{on_page} _ 东方财富网", entry=make_entry(listed)).title == expected


def test_a_side_bar_is_no_title() -> None:
    page = f'<div class="title">行情中心</div>{BODY}<div class="title">财经日历</div>'
    assert read_page(page, title="造纸股走强 _ 东方财富网").title == "造纸股走强"
    assert read_page(page).title == ""


def page_with_items(*items: str) -> str:
    divs = "".join(f'<div class="item">{item}</div>' for item in items)
    return (
        f'<div class="tipbox"><div class="infos"><div class=" item">2026年06月15日 11:33</div>{divs}</div></div>{BODY}'
    )


@pytest.mark.parametrize(
    ("page", "media"),
    [
        (page_with_items("来源：林业周报"), "林业周报"),
        (page_with_items("来源： 林业周报 "), "林业周报"),
        (page_with_items("来源:林业周报"), "林业周报"),
        (page_with_items("　来源：&nbsp;林业周报"), "林业周报"),
        (page_with_items('来源：<a href="http://a.cn/">林业<b>周报</b></a>'), "林业周报"),
        (page_with_items("<span>来源：</span><a>林业周报</a>"), "林业周报"),
        (page_with_items("作者：甲乙", "来源：林业周报"), "林业周报"),
        (page_with_items("来源：林业周报", "作者：甲乙", "编辑：丙"), "林业周报"),
        (page_with_items("作者：甲乙"), ""),
        (page_with_items("甲乙"), ""),
        (page_with_items("作者：来源：甲乙"), ""),
        (page_with_items("来源："), ""),
        (f'<div class="time-source"><div class="source data-source" data-source="林业周报"></div></div>{BODY}', "林业周报"),
        (f'{BODY}<div class="sourcebox">文章来源：林业周报</div>', "林业周报"),
        (f'{BODY}<div class="sourcebox"> 文章来源：林业周报　责任编辑：9 郑重声明：本站</div>', "林业周报"),
        (f'<div class="sourcebox"> 文章来源：Tree Weekly 郑重声明：{BODY}</div>', "Tree Weekly"),
        (page_with_items("作者：甲乙") + '<div class="sourcebox">文章来源：<a>林业周报</a></div>', "林业周报"),
        (page_with_items("来源：林业周报") + '<div class="sourcebox">文章来源：别的报</div>', "林业周报"),
        (BODY, ""),
    ],
)  # fmt: skip
def test_only_a_labelled_source_is_the_media(page: str, media: str) -> None:
    assert read_page(page).media == media


def test_the_line_at_the_foot_names_the_media_where_neither_page_nor_listing_does() -> None:
    page = '<div id="ContentBody"><p>正文。</p><p class="em_media">（文章来源：林业周报）</p></div>'
    assert read_page(page).media == "林业周报"
    assert read_page(page, entry=make_entry(media="造纸周报")).media == "造纸周报"


def test_the_time_of_a_page_has_the_seconds_of_the_listing() -> None:
    assert read_page(page_with_items()).published == datetime(2026, 6, 15, 11, 33, tzinfo=CHINA_TZ)
    assert read_page(BODY).published == LISTED_AT


SUMMARY_BOX = '<div class="zwinfos"><div class="abstract"><div class="txt">　纸价<b>涨</b>了。</div></div>{}</div>'


@pytest.mark.parametrize(
    ("page", "summary"),
    [
        (SUMMARY_BOX.format(BODY), "纸价涨了。"),
        (f'<div class="b-review">纸价涨了。</div>{BODY}', "纸价涨了。"),
        (BODY, ""),
    ],
)
def test_the_summary_is_the_pages_own_or_none(page: str, summary: str) -> None:
    raw = read_page(page)
    assert raw.summary is not None
    assert "".join(raw.summary.split()) == summary


@pytest.mark.parametrize(("description", "expected"), [("纸价涨了。", "纸价涨了。"), ("", "")])
def test_the_summary_is_that_of_the_article_reply_or_none(description: str, expected: str) -> None:
    response = (
        f'{{"data": {{"Art_Code": "{CODE}", "Art_Content": "<p>正文。</p>", "Art_Description": "{description}"}}}}'
    )
    assert extract_from_detail(response, make_entry()).summary == expected


PARTS_OF_THE_PAGE = (
    '<div class="sublab">原标题：纸价怎么了</div><div class="abstract"><div class="txt">纸价涨了。</div></div>'
)


@pytest.mark.parametrize(
    "page",
    [
        '<div class="content_text"><p>　　纸价连涨三周。</p></div>',
        '<div class="a content_text b"><p>　　纸价连涨三周。</p><p class="res-edit">（责任编辑：9）</p></div>',
        '<div class="contentbox"><p>纸价连涨三周。</p></div>',
        f'<div class="contentbox">{PARTS_OF_THE_PAGE}<p>纸价连涨三周。</p><div class="sourcebox">文章来源：甲</div></div>',
        '<div class="contentbox"><p>纸价连涨三周。</p><p>文章来源: 甲</p><p>责任编辑: 1</p><p>打开微信，</p></div>',
        '<div class="contentbox"><p>纸价连涨三周。</p><div class="zwothers"><p>郑重声明：无关。</p></div></div>',
        f'<div class="contentbox"><p>行情</p><div class="mainleft">{BODY}</div></div>',
        f'<div class="contentbox"><p>行情</p><div class="content_text">{BODY}</div></div>',
        f'<div id="ContentBody">{PARTS_OF_THE_PAGE}<p>纸价连涨三周。</p></div>',
    ],
)
def test_the_body_is_found_in_every_layout(page: str) -> None:
    assert clean_html(read_page(page).body, BASE) in {"<p>纸价连涨三周。</p>", "<div><p>纸价连涨三周。</p></div>"}


def test_the_source_line_of_a_plain_layout_is_the_media() -> None:
    page = '<div class="contentbox"><p>纸价连涨三周。</p><p>文章来源: 甲报</p><p>责任编辑: 1</p></div>'
    assert read_page(page).media == "甲报"


def test_an_editor_in_the_paragraph_of_the_media_is_none() -> None:
    foot = '<p class="em_media">（责任编辑：9）</p>'
    assert read_page(f'<div id="ContentBody"><p>纸价连涨三周。</p>{foot}</div>').media == ""


def test_a_head_without_items_says_title_time_and_media() -> None:
    page = '<div class="topbox">造纸股走强\n2026年06月15日 11:40 来源： 林业周报 </div><div class="contentbox"><p>正文。</p></div>'
    raw = read_page(page)
    assert (raw.title, raw.published, raw.media) == (
        "造纸股走强", datetime(2026, 6, 15, 11, 40, tzinfo=CHINA_TZ), "林业周报",
    )  # fmt: skip


def test_a_page_without_a_known_body_has_none() -> None:
    with pytest.raises(ParseError, match="known layout"):
        read_page('<div class="main"><p>登录后查看</p></div>')


def test_a_page_of_many_parts_is_read_at_once() -> None:
    parts = f'<i class="res-edit"></i>{"字" * 250}' * 8_000
    assert len(read_page(f'<div id="ContentBody">{parts}</div>').body) == 2_000_000
