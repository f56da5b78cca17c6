"""Tests of the sample site over real HTTP: responses as in the wire contract, and configured faults."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest

from crawler.sample_site import NEWEST_AT, Corpus, SampleSite, SourceArticle
from crawler.sample_site.articles import BodyLocation
from crawler.sample_site.html_quirks import QUIRKS
from crawler.sample_site.synthetic import LEGACY_LISTS, SAMPLE_COLUMNS
from tests.support.sample_site_client import DIRECT_OPENER, get, get_column_page, get_error, get_json

POSTS_DIR = files("crawler.sample_site") / "posts"
RECORDED_DIR = files("crawler.sample_site") / "recorded"
WIDE_INDENT = "　　"

FARMERS_CODE = "202201102242171631"  # 中国农网, in list 37
DAILY_CODE = "202202112274017262"  # 每日经济新闻, in list 38
TWICE_LISTED_CODE = "202204212352230938"  # 财联社, posted from list 102 and from list 45
QUOTED_CODE = "202205302396671291"  # 财联社, in list 102 only
BLANK_ROW_CODE = "202205262391921712"  # the blank row
FLASH_CODES = ("202112082206672930", "202112082206885586", "202112082206998127", "202112082207112942")
DETAILED_CODE = "202609183878840472"  # the one with a recorded detail
CAIFUHAO_CODE = "20260702101113747001360"


@pytest.fixture(scope="module")
def shared_site() -> Iterator[SampleSite]:
    with SampleSite(article_count=60) as sample_site:
        yield sample_site


def connect(sample_site: SampleSite) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(sample_site.url.removeprefix("http://"), timeout=10)


def get_all_column_codes(sample_site: SampleSite, column: str, size: int) -> list[str]:
    codes: list[str] = []
    page = 1
    while rows := get_column_page(sample_site, column=column, page_index=page, page_size=size)["data"]["list"]:
        codes += [row["code"] for row in rows]
        page += 1
    return codes


def get_fast_news(sample_site: SampleSite, **query: object) -> Any:
    parameters = {"client": "web", "biz": "web_724", "fastColumn": "102", "sortEnd": "", "req_trace": "1"} | query
    return get_json(sample_site, "/comm/web/getFastNewsList", **parameters)


def get_all_fast_news(sample_site: SampleSite, size: int) -> list[dict[str, Any]]:
    all_rows: list[dict[str, Any]] = []
    cursor = ""
    while rows := (data := get_fast_news(sample_site, sortEnd=cursor, pageSize=size)["data"])["fastNewsList"]:
        assert data["sortEnd"] == rows[-1]["realSort"]
        all_rows += rows
        cursor = data["sortEnd"]
    return all_rows


def get_detail(sample_site: SampleSite, code: str) -> Any:
    return get_json(sample_site, f"/kuaixun/v2/api/article/{code}", guid="1")


def get_news_text(sample_site: SampleSite, code: str) -> Any:
    return get_json(sample_site, "/NewsData/GetNewsText.do", id=f"NW{code}")


def read_recorded(name: str) -> bytes:
    return (RECORDED_DIR / name).read_bytes()


def create_article(code: str = "202609190000000001", **fields: Any) -> SourceArticle:
    defaults = {"title": "标题", "media": "财联社", "content": "<p>　　正文</p>", "columns": ("344",)}
    return SourceArticle(code=code, published_at=NEWEST_AT + timedelta(days=1), **defaults | fields)


# Columns


def test_column_page_has_recorded_keys(shared_site: SampleSite) -> None:
    response_json = get_column_page(shared_site, page_size=3)
    assert list(response_json) == ["req_trace", "code", "message", "data"]
    assert (response_json["code"], response_json["message"], response_json["req_trace"]) == ("1", "success", "1")
    assert list(response_json["data"]) == ["page_index", "list", "totle_hits", "page_size"]
    assert response_json["data"]["page_size"] == 3


def test_recorded_rows_are_served_unchanged(shared_site: SampleSite) -> None:
    rows = {row["code"]: row for row in get_column_page(shared_site, page_size=200)["data"]["list"]}
    for row in json.loads(read_recorded("df_list_344.json"))["data"]["list"]:
        assert list(rows[row["code"]].items()) == list(row.items())


@pytest.mark.parametrize("size", [1, 7, 200])
def test_paginating_a_column_lists_each_article_once(shared_site: SampleSite, size: int) -> None:
    codes = get_all_column_codes(shared_site, "344", size)
    assert len(set(codes)) == len(codes) > 10
    assert codes == get_all_column_codes(shared_site, "344", 20)


def test_rows_are_newest_first(shared_site: SampleSite) -> None:
    times = [row["showTime"] for row in get_column_page(shared_site, page_size=200)["data"]["list"]]
    assert times == sorted(times, reverse=True)


def test_several_columns_are_one_list_without_duplicates(shared_site: SampleSite) -> None:
    two_columns = get_all_column_codes(shared_site, "344,345", 50)
    assert len(set(two_columns)) == len(two_columns)
    assert set(two_columns) == {
        *get_all_column_codes(shared_site, "344", 50),
        *get_all_column_codes(shared_site, "345", 50),
    }


@pytest.mark.parametrize("missing", ["req_trace", "client", "biz"])
def test_missing_parameter_is_error_json_with_status_200(shared_site: SampleSite, missing: str) -> None:
    response_json = get_column_page(shared_site, **{missing: ""})
    assert response_json == {"code": 0, "message": f"Required String parameter '{missing}' is not present"}


def test_error_json_is_the_recorded_one(shared_site: SampleSite) -> None:
    response_json = get(shared_site, "/comm/web/getNewsByColumns", client="web", biz="web_news_col", column="344")
    assert response_json == read_recorded("column_error.json")


def test_a_page_holds_at_most_200_rows_and_beyond_the_end_none() -> None:
    with SampleSite(article_count=1000) as sample_site:
        assert len(get_column_page(sample_site, page_size=500)["data"]["list"]) == 200
        assert get_column_page(sample_site, page_size=200, page_index=90)["data"]["list"] == []


def test_hits_are_capped_at_5000() -> None:
    corpus = Corpus(create_article(str(10**17 + number)) for number in range(5005))
    with SampleSite(corpus) as sample_site:
        assert get_column_page(sample_site)["data"]["totle_hits"] == 5000
        assert len(get_all_column_codes(sample_site, "344", 200)) == 5000


def test_fields_are_a_projection_and_np_dst_comes_back_in_lower_case(shared_site: SampleSite) -> None:
    rows = get_column_page(shared_site, fields="code,title,Np_dst")["data"]["list"]
    assert {tuple(sorted(row)) for row in rows} == {("code", "np_dst", "title")}


def test_callback_wraps_the_response(shared_site: SampleSite) -> None:
    path = "/comm/web/getNewsByColumns"
    query = {"client": "web", "biz": "x", "req_trace": "1", "column": "344", "callback": "jQuery1_2"}
    text = get(shared_site, path, **query).decode()
    assert json.loads(text.removeprefix("jQuery1_2(").removesuffix(")"))["code"] == "1"


def test_a_cfh_row_has_no_unique_url_and_its_own_host(shared_site: SampleSite) -> None:
    rows = get_column_page(shared_site, column="353", page_size=200)["data"]["list"]
    row = next(row for row in rows if row["code"] == CAIFUHAO_CODE)
    assert row["np_dst"] == "CFH"
    assert row["uniqueUrl"] == ""
    assert row["url"] == f"http://caifuhao.eastmoney.com/news/{CAIFUHAO_CODE}"


def test_some_rows_have_no_media(shared_site: SampleSite) -> None:
    pages = [get_column_page(shared_site, column=column, page_size=200) for column in SAMPLE_COLUMNS]
    rows = [row for page in pages for row in page["data"]["list"] if not row.get("mediaName")]
    assert {"mediaName" in row for row in rows} == {True, False}


# The article's detail and page


def test_recorded_detail_is_served_unchanged(shared_site: SampleSite) -> None:
    response_json = get(shared_site, f"/kuaixun/v2/api/article/{DETAILED_CODE}", guid="1")
    assert response_json == read_recorded("df_article_real.json").strip()


def test_every_detail_has_the_recorded_keys_and_strings_only(shared_site: SampleSite) -> None:
    keys = list(json.loads(read_recorded("df_article_real.json"))["data"])
    for code in shared_site.corpus:
        response_json = get_detail(shared_site, code)
        if code != BLANK_ROW_CODE:
            assert response_json["success"] == 1
            assert list(response_json["data"]) == keys
            assert {type(value) for value in response_json["data"].values()} == {str}


def test_a_detail_has_slashes_in_its_time_and_no_source_line(shared_site: SampleSite) -> None:
    data = get_detail(shared_site, FARMERS_CODE)["data"]
    assert data["Art_ShowTime"] == "2022/01/10 16:20:36"
    assert data["Art_Media_Name"] == "中国农网"
    assert "em_media" not in data["Art_Content"]
    assert data["Art_Url"] == f"http://finance.eastmoney.com/news/1355,{FARMERS_CODE}.html"


@pytest.mark.parametrize("code", ["209901010000000000", "x", BLANK_ROW_CODE])
def test_an_unknown_article_has_no_detail(shared_site: SampleSite, code: str) -> None:
    assert get_detail(shared_site, code) == {"data": None, "errorcode": 0, "id": "0", "message": "", "success": 0}


@pytest.mark.parametrize("form", ["/a/{}.html", "/news/1345,{}.html"])
def test_a_page_has_the_text_the_source_line_and_the_editor(shared_site: SampleSite, form: str) -> None:
    page = get(shared_site, form.format(FARMERS_CODE)).decode()
    assert "<title>山西运城：固好脱贫成果 启好振兴之路_东方财富网</title>" in page
    assert '<div class=" item">2022年01月10日 16:20</div>' in page
    assert '<div class="txtinfos" id="ContentBody"' in page
    assert '<p class="em_media">（文章来源：中国农网）</p>' in page
    assert page.index("责任编辑") < page.index("zwothers") < page.index("</html>")
    assert page.rstrip().endswith("</html>")


def test_a_page_from_before_2022_has_the_old_layout(shared_site: SampleSite) -> None:
    page = get(shared_site, f"/a/{FLASH_CODES[1]}.html").decode()
    assert '<div class="newsContent"><h1>' in page
    assert '<div class="time">2021年12月08日 12:07</div>' in page
    assert '<div id="ContentBody" class="Body">' in page


def test_some_texts_are_only_in_the_html_page(shared_site: SampleSite) -> None:
    layouts = {"page2022": "txtinfos", "page2018": "newsContent"}
    for form, layout in layouts.items():
        codes = [
            a for code in shared_site.corpus if (a := shared_site.corpus.find_article(code)) and a.body_location == form
        ]
        assert codes
        for source in codes:
            assert get_detail(shared_site, source.code)["data"]["Art_Content"] == ""
            page = get(shared_site, f"/a/{source.code}.html").decode()
            assert source.content in page
            assert layout in page


def test_a_cfh_article_has_its_page_under_news_only(shared_site: SampleSite) -> None:
    assert "ContentBody" in get(shared_site, f"/news/{CAIFUHAO_CODE}").decode()
    assert get_detail(shared_site, CAIFUHAO_CODE)["data"]["Art_Content"].startswith("<p>")
    assert get_error(shared_site, f"/a/{CAIFUHAO_CODE}.html")[0] == 404
    assert get_error(shared_site, f"/news/{FARMERS_CODE}")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/209901010000000000.html",
        "/news/1350,1.html",
        f"/a/{FARMERS_CODE}",
        "/web/webapi?type=7",
        "/nothing",
    ],
)
def test_an_unknown_path_is_404(shared_site: SampleSite, path: str) -> None:
    code, text = get_error(shared_site, path)
    assert code == 404
    assert b"<html>" in text


# Fast news


def test_fast_news_has_recorded_keys(shared_site: SampleSite) -> None:
    response_json = get_fast_news(shared_site, pageSize=3)
    assert response_json["code"] == "1"
    assert set(response_json["data"]) == {"sortEnd", "fastNewsList", "total"}
    recorded_json = json.loads(read_recorded("fastnews.json"))["data"]["fastNewsList"][1]
    for row in response_json["data"]["fastNewsList"]:
        assert list(row) == list(recorded_json)
        assert re.fullmatch(r"\d{16}", row["realSort"])
        assert row["titleColor"] in (0, 3)


def test_recorded_fast_news_rows_are_served(shared_site: SampleSite) -> None:
    rows = {row["code"]: row for row in get_all_fast_news(shared_site, 50)}
    for recorded_row in json.loads(read_recorded("fastnews.json"))["data"]["fastNewsList"]:
        row = rows[recorded_row["code"]] | {
            name: recorded_row[name] for name in ("share", "pinglun_Num") if name in recorded_row
        }
        assert recorded_row.items() <= row.items()


@pytest.mark.parametrize("size", [1, 4, 200])
def test_paginating_by_cursor_lists_each_row_once(shared_site: SampleSite, size: int) -> None:
    rows = get_all_fast_news(shared_site, size)
    codes = [row["code"] for row in rows]
    assert codes == list(shared_site.corpus.codes_in_fast_news())
    assert len(set(codes)) == len(codes) > 10
    sorts = [int(row["realSort"]) for row in rows]
    assert sorts == sorted(sorts, reverse=True)


def test_fast_news_without_trace_is_error_json(shared_site: SampleSite) -> None:
    assert get(shared_site, "/comm/web/getFastNewsList", fastColumn="102") == read_recorded("column_error.json")


def test_fast_news_has_rows_without_title_with_blanks_and_in_red(shared_site: SampleSite) -> None:
    rows = get_all_fast_news(shared_site, 50)
    assert any(row["title"] == "" for row in rows)
    assert any(row["title"].startswith(" ") for row in rows)
    assert any(row["summary"].startswith(" ") for row in rows)
    assert {row["titleColor"] for row in rows} == {0, 3}


def test_flash_ends_with_its_media_in_brackets(shared_site: SampleSite) -> None:
    rows = {row["code"]: row for row in get_all_fast_news(shared_site, 50)}
    assert rows["202205302396671645"]["summary"].endswith("（中国证券报）")
    title = "离岸人民币兑美元升至2018年以来最高水平"
    assert rows[FLASH_CODES[0]]["summary"] == f"【{title}】离岸人民币兑美元升至6.3512，为2018年以来最高水平。"


def test_fast_news_comes_as_jsonp(shared_site: SampleSite) -> None:
    text = get(shared_site, "/comm/web/getFastNewsList", req_trace="1", callback="cb").decode()
    assert json.loads(text.removeprefix("cb(").removesuffix(")"))["code"] == "1"


def test_a_column_of_fast_news_is_a_part_of_it(shared_site: SampleSite) -> None:
    part = get_fast_news(shared_site, fastColumn="101", pageSize=200)["data"]["fastNewsList"]
    assert 0 < len(part) < len(get_all_fast_news(shared_site, 200))


def test_kuaixun_is_a_variable_with_and_without_semicolon(shared_site: SampleSite) -> None:
    first = get(shared_site, "/kuaixun/v1/getlist_102_ajaxResult_5_1_.html").decode()
    second = get(shared_site, "/kuaixun/v1/getlist_102_ajaxResult_5_2_.html", r="0.1").decode()
    assert first.startswith("var ajaxResult={")
    assert first.endswith("]}")
    assert second.endswith("};")


def test_paginating_kuaixun_lists_each_row_once(shared_site: SampleSite) -> None:
    codes: list[str] = []
    page = 1
    while rows := get_kuaixun(shared_site, page)["LivesList"]:
        codes += [row["newsid"] for row in rows]
        page += 1
    assert codes == list(shared_site.corpus.codes_in_fast_news())


def test_kuaixun_rows_are_strings_and_their_digest_is_the_flash(shared_site: SampleSite) -> None:
    response_json = get_kuaixun(shared_site, 1)
    assert response_json["rc"] == 1
    for row in response_json["LivesList"]:
        assert {type(value) for value in row.values()} == {str}
        assert row["id"] == row["newsid"]
    flashes = {row["code"]: row["summary"] for row in get_all_fast_news(shared_site, 50)}
    assert all(flashes[row["id"]] == row["digest"] for row in response_json["LivesList"])


def get_kuaixun(sample_site: SampleSite, page: int) -> Any:
    """Without a callback the response is plain JSON, sometimes with a semicolon."""
    return json.loads(get(sample_site, f"/kuaixun/v1/getlist_102__4_{page}_.html").decode().removesuffix(";"))


# The lists of 2022


def test_list_102(shared_site: SampleSite) -> None:
    records = get_json(shared_site, "/web/webapi", type="102", count="100", newsid="1")["records"]
    assert {tuple(row) for row in records} == {("title", "digest", "id", "url_w", "showtime", "infoCode")}
    assert all(row["infoCode"] == "NW" + row["id"] for row in records)
    assert {*FLASH_CODES, TWICE_LISTED_CODE, QUOTED_CODE, BLANK_ROW_CODE} <= {row["id"] for row in records}


def test_the_blank_row_has_its_codes_and_nothing_else(shared_site: SampleSite) -> None:
    records = get_json(shared_site, "/web/webapi", type="102", count="100", newsid="1")["records"]
    row = next(row for row in records if row["id"] == BLANK_ROW_CODE)
    assert (row["title"], row["showtime"], row["url_w"]) == ("", "", "")
    assert row["infoCode"] == f"NW{BLANK_ROW_CODE}"


def test_list_45_has_its_codes_in_lower_case(shared_site: SampleSite) -> None:
    nodes = get_json(shared_site, "/web/webapi", type="45", count="100")["nodeList"]
    names = {("title", "from", "infocode", "showtime", "simtitle", "simdigest")}
    assert {tuple(row) for row in nodes} == names
    row = next(row for row in nodes if row["infocode"] == f"NW{TWICE_LISTED_CODE}")
    assert (row["from"], row["showtime"]) == ("财联社", "2022-04-21 18:36:14")


@pytest.mark.parametrize(("market", "code"), [("37", FARMERS_CODE), ("38", DAILY_CODE), ("39", None)])
def test_market_lists(shared_site: SampleSite, market: str, code: str | None) -> None:
    rows = get_json(shared_site, "/information/newmarket/web/webapi", marketType=market, count="100")["record"]
    assert {tuple(row) for row in rows} == {("title", "medianame", "infoCode", "datetime")}
    assert code is None or f"NW{code}" in {row["infoCode"] for row in rows}


def test_count_parameter_limits_rows(shared_site: SampleSite) -> None:
    assert len(get_json(shared_site, "/web/webapi", type="102", count="2", newsid="1")["records"]) == 2


def test_an_article_of_both_lists_has_text_and_content(shared_site: SampleSite) -> None:
    response_json = get_news_text(shared_site, TWICE_LISTED_CODE)
    assert response_json["text"] == response_json["content"]
    assert get_news_text(shared_site, QUOTED_CODE)["text"] is None
    assert get_news_text(shared_site, FARMERS_CODE)["content"] is None


def test_unknown_article_has_neither_text_nor_content(shared_site: SampleSite) -> None:
    assert get_news_text(shared_site, "209901010000000000") == {"text": None, "content": None}


def test_text_has_plain_names_where_content_has_links(shared_site: SampleSite) -> None:
    corpus = shared_site.corpus
    linked = [a for code in corpus if (a := corpus.find_article(code)) and "keytip" in a.content]
    for source in linked:
        response_json = get_news_text(shared_site, source.code)
        assert "keytip" not in (response_json["text"] or "")
        assert "em_stock_key_common" not in (response_json["text"] or "")
        assert "102" not in source.legacy_lists or "keytip" in response_json["content"]


def test_id_without_prefix_is_accepted(shared_site: SampleSite) -> None:
    assert get_json(shared_site, "/NewsData/GetNewsText.do", id=FARMERS_CODE) == get_news_text(
        shared_site, FARMERS_CODE
    )


def test_the_share_page_is_html(shared_site: SampleSite) -> None:
    page = get(shared_site, "/html_News/NewsShare.html", infoCode=f"NW{FARMERS_CODE}").decode()
    assert "<title>山西运城：固好脱贫成果 启好振兴之路</title>" in page


def test_robots(shared_site: SampleSite) -> None:
    assert get(shared_site, "/robots.txt") == b"User-agent: *\nAllow: /\n"


# The real posts


def body_of_post(name: str) -> str:
    """Return the text of a post between the front matter or quote and the source link."""
    text = (POSTS_DIR / name).read_text(encoding="utf-8").split("---\n", 2)[2]
    text = re.split(r"\n\n<[^<>]*>\n", text)[0].lstrip("\n")
    return text.split("\n\n", 1)[1] if text.startswith("> ") else text


REAL_POSTS = sorted(file.name for file in POSTS_DIR.iterdir() if file.name != "2021-12-01-init.md")


@pytest.mark.parametrize("name", REAL_POSTS)
def test_real_post_is_the_news_text_without_indents(shared_site: SampleSite, name: str) -> None:
    code = name.removesuffix(".md").split("-")[-1]
    response_json = get_news_text(shared_site, code.removeprefix("NW"))
    text = response_json["text" if code.startswith("NW") else "content"]
    posted = body_of_post(name)
    assert text.replace(WIDE_INDENT, "") == (posted if posted.startswith("<") else f"<p>{posted}</p>")
    assert f"<p>{WIDE_INDENT}" in text


@pytest.mark.parametrize("name", REAL_POSTS)
def test_a_real_post_is_listed_under_its_title_and_time(shared_site: SampleSite, name: str) -> None:
    front = (POSTS_DIR / name).read_text(encoding="utf-8").split("---\n")[1]
    head = shared_site.corpus.find_listed(re.findall(r"\d{18}", name)[0])
    assert head is not None
    assert f'title: "{head.title}"' in front
    assert f"date: {head.show_time}" in front


def test_the_digest_of_a_real_post_is_its_quote(shared_site: SampleSite) -> None:
    records = get_json(shared_site, "/web/webapi", type="102", count="100", newsid="1")["records"]
    for row in (row for row in records if row["id"] in (TWICE_LISTED_CODE, QUOTED_CODE, BLANK_ROW_CODE)):
        name = next(name for name in REAL_POSTS if name.endswith(f"-{row['id']}.md"))
        assert f"\n> {row['digest'].split('】')[-1]}\n" in (POSTS_DIR / name).read_text(encoding="utf-8")


def test_the_opening_post_is_no_article_of_the_source(shared_site: SampleSite) -> None:
    assert all(
        head.title != "开站大吉" for code in shared_site.corpus if (head := shared_site.corpus.find_listed(code))
    )


# The made-up articles


def get_all_responses(corpus: Corpus) -> list[bytes]:
    """Fetch every list once, and the detail, page and text of every article."""
    with SampleSite(corpus) as sample_site:
        query = {"client": "web", "biz": "x", "req_trace": "1", "page_size": "200", "pageSize": "200"}
        lists = [get(sample_site, "/comm/web/getNewsByColumns", column=column, **query) for column in SAMPLE_COLUMNS]
        lists.append(get(sample_site, "/comm/web/getFastNewsList", **query))
        forms = ("/kuaixun/v2/api/article/{}", "/NewsData/GetNewsText.do?id=NW{}")
        return lists + [get(sample_site, form.format(code)) for form in forms for code in corpus]


def synthetic_articles(count: int) -> list[SourceArticle]:
    """Return this number of made-up articles, without the real posts and the recorded articles."""
    corpus, others = Corpus.sample(count), Corpus.sample(0)
    return [a for code in corpus if code not in others and (a := corpus.find_article(code))]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert get_all_responses(Corpus.sample(20, seed=7)) == get_all_responses(Corpus.sample(20, seed=7))


def test_another_seed_gives_other_articles() -> None:
    assert set(Corpus.sample(20, seed=1)) & set(Corpus.sample(20, seed=2)) == set(Corpus.sample(0))


def test_newest_moves_the_synthetic_articles() -> None:
    newest = datetime.fromisoformat("2026-11-01T08:00:00+08:00")
    corpus = Corpus.sample(3, newest_at=newest)
    head = corpus.find_listed(next(iter(corpus)))
    assert head is not None
    assert head.published_at == newest


def test_fifty_articles_show_every_quirk() -> None:
    text = "\n".join(article.content for article in synthetic_articles(50))
    signs = (
        'class="keytip"', 'id="quote_', "em_stock_key_common", 'id="bk_', 'id="bkquote_', 'class="infokey"',
        'id="Info.116.00700"', "display:none", "EmImageRemark", "<!-- EM_StockImg_Start --></p>", "<table",
        "em_handle_adv_close", 'class="toplink"', 'class="ad_context3"', 'class="em_xuangu"', 'class="res-edit"', "ai.eastmoney.com", "搞定&gt;", "<center><img", "图片来源",
        '<h3 class="emh3">', "</p>\n <p>", "\u200b", "\ufeff", "&nbsp;", "&lt;", "（文章来源：<span",
        "，　", "<strong>", "。<br /></p>", "/a/202609183878581096.html",
    )  # fmt: skip
    assert [sign for sign in signs if sign not in text] == []
    assert len(QUIRKS) <= 50


def test_fifty_articles_have_every_kind_of_title_list_and_column() -> None:
    heads = synthetic_articles(50)
    for sign in "“", '"', "　":
        assert any(sign in head.title for head in heads)
    assert any(not head.media for head in heads)
    assert {name for head in heads for name in head.legacy_lists} == set(LEGACY_LISTS)
    assert {column for head in heads for column in head.columns} >= set(SAMPLE_COLUMNS)
    assert sum(head.is_fast_news for head in heads) > 12


def test_codes_are_18_digits_and_may_be_of_the_day_before() -> None:
    heads = synthetic_articles(400)
    assert all(re.fullmatch(r"\d{18}", head.code) for head in heads)
    assert any(head.code[:8] < f"{head.local_time:%Y%m%d}" for head in heads)


def test_bodies_are_of_the_sources_size() -> None:
    sizes = [len(re.sub("<[^>]*>", "", article.content)) for article in synthetic_articles(400)]
    assert min(sizes) >= 300
    assert max(sizes) < 4500
    assert 700 < sum(sizes) / len(sizes) < 1600


@pytest.mark.slow
def test_a_hundred_thousand_articles_are_served() -> None:
    corpus = Corpus.sample(100_000)
    assert len(corpus) == len(set(corpus)) == 100_000 + len(Corpus.sample(0))
    with SampleSite(corpus) as sample_site:
        assert get_column_page(sample_site)["data"]["totle_hits"] == 5000
        last = corpus.codes_in_columns(["350"])[20_000]
        assert get_detail(sample_site, last)["data"]["Art_Code"] == last
        assert get_fast_news(sample_site, pageSize=200)["data"]["total"] > 25_000


# What a test may change


def test_add_replace_and_remove_show_at_once(sample_site: SampleSite) -> None:
    sample_site.corpus.add(create_article())
    assert get_column_page(sample_site)["data"]["list"][0]["title"] == "标题"
    sample_site.corpus.replace("202609190000000001", title="新标题", columns=("350",))
    assert get_detail(sample_site, "202609190000000001")["data"]["Art_Title"] == "新标题"
    assert get_column_page(sample_site, column="350")["data"]["list"][0]["title"] == "新标题"
    assert "202609190000000001" not in sample_site.corpus.codes_in_columns(["344"])
    sample_site.corpus.remove("202609190000000001")
    assert get_detail(sample_site, "202609190000000001")["success"] == 0


def test_synthetic_article_can_be_edited(sample_site: SampleSite) -> None:
    code = sample_site.corpus.publish()[0]
    before = get_detail(sample_site, code)["data"]
    changed = sample_site.corpus.replace(code, content="<p>　　更正</p>")
    assert get_detail(sample_site, code)["data"] == before | {"Art_Content": "<p>　　更正</p>"}
    assert changed == sample_site.corpus.find_article(code)


def test_published_articles_are_newer_than_the_synthetic_ones(sample_site: SampleSite) -> None:
    old_codes = set(sample_site.corpus)
    codes = sample_site.corpus.publish(3)
    assert not old_codes & set(codes)
    heads = [head for code in codes if (head := sample_site.corpus.find_listed(code))]
    assert NEWEST_AT < heads[0].published_at < heads[1].published_at < heads[2].published_at


def test_invalid_corpus_changes_raise(sample_site: SampleSite) -> None:
    with pytest.raises(ValueError, match="already there"):
        sample_site.corpus.add(replace(create_article(), code=FARMERS_CODE))
    with pytest.raises(KeyError):
        sample_site.corpus.remove("1")
    with pytest.raises(ValueError, match="offset"):
        SourceArticle(code="1", title="", published_at=datetime.fromisoformat("2026-01-01"))


# What the site remembers


def test_requests_are_recorded_in_order(sample_site: SampleSite) -> None:
    get_detail(sample_site, FARMERS_CODE)
    get_column_page(sample_site)
    get_news_text(sample_site, TWICE_LISTED_CODE)
    get(sample_site, f"/a/{DAILY_CODE}.html")
    assert [hit.path for hit in sample_site.requests][:2] == [
        f"/kuaixun/v2/api/article/{FARMERS_CODE}",
        "/comm/web/getNewsByColumns",
    ]
    assert sample_site.requests[1].query["column"] == "344"
    assert sample_site.requests[0].headers["user-agent"].startswith("Python-urllib")
    assert sample_site.requests[0].received_at <= sample_site.requests[-1].received_at
    assert sample_site.requested_codes == [FARMERS_CODE, TWICE_LISTED_CODE, DAILY_CODE]
    sample_site.requests.clear()
    assert len(sample_site.requests) == 0
    assert sample_site.requested_codes == []


def test_any_host_is_this_site(sample_site: SampleSite) -> None:
    with closing(connect(sample_site)) as connection:
        connection.request("GET", "/robots.txt", headers={"Host": "np-listapi.eastmoney.com"})
        assert connection.getresponse().status == 200
    assert sample_site.requests[0].headers["host"] == "np-listapi.eastmoney.com"


def test_one_connection_serves_many_requests(sample_site: SampleSite) -> None:
    with closing(connect(sample_site)) as connection:
        first = None
        for _ in range(3):
            connection.request("GET", "/robots.txt")
            assert connection.getresponse().read().startswith(b"User-agent")
            first = first or connection.sock
            assert connection.sock is first


def test_head_has_the_headers_only_and_other_methods_are_refused(sample_site: SampleSite) -> None:
    with closing(connect(sample_site)) as connection:
        connection.request("HEAD", "/robots.txt")
        response = connection.getresponse()
        assert (response.status, response.getheader("Content-Length"), response.read()) == (200, "23", b"")
        connection.request("POST", "/robots.txt", body=b"x=1")
        response = connection.getresponse()
        assert response.status == 405
        response.read()
        connection.request("GET", "/robots.txt")
        assert connection.getresponse().status == 200


def test_a_closed_site_ends_its_connections() -> None:
    with SampleSite(article_count=0) as sample_site:
        connection = connect(sample_site)
        connection.request("GET", "/robots.txt")
        connection.getresponse().read()
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""
    connection.close()


def test_bug_in_the_sample_site_is_status_500(sample_site: SampleSite) -> None:
    sample_site.corpus.add(create_article("7", columns=None))
    code, text = get_error(sample_site, "/kuaixun/v2/api/article/7")
    assert code == 500
    assert b"the sample site failed" in text


# The command


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_command_prints_its_address_and_stops_on_signal(signum: signal.Signals) -> None:
    command = [sys.executable, "-m", "crawler.sample_site", "--port", "0", "--articles", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with DIRECT_OPENER.open(f"{address}/robots.txt", timeout=10) as response:
            assert response.status == 200
        process.send_signal(signum)
        assert process.wait(10) == 0


def test_cut_row_of_fast_news_ends_with_a_mark(sample_site: SampleSite) -> None:
    code = sample_site.corpus.codes_in_fast_news()[0]
    sample_site.corpus.replace(code, is_cut_in_fast_news=True, flash_override="")
    rows = get_json(sample_site, "/comm/web/getFastNewsList", req_trace="1", pageSize=1)["data"]["fastNewsList"]
    assert rows[0]["summary"].endswith("。[点击查看全文]")


@pytest.mark.parametrize("layout", ["page2018", "page2022"])
def test_long_article_goes_on_at_further_pages(sample_site: SampleSite, layout: BodyLocation) -> None:
    code = sample_site.corpus.codes_in_columns(["345"])[0]
    content = "".join(f"<p>第{number}段</p>" for number in range(5))
    sample_site.corpus.replace(code, content=content, body_location=layout, page_count=3)
    pages = [get(sample_site, f"/a/{code}{suffix}.html").decode() for suffix in ("", "_2", "_3")]
    assert [re.findall("第.段", page) for page in pages] == [["第0段", "第1段"], ["第2段", "第3段"], ["第4段"]]
    links = [re.findall(r'<a href="/a/[0-9]+(\w*)\.html">', page) for page in pages]
    assert links == [["_2"], ["", "_3"], ["_2"]]
    assert get_error(sample_site, f"/a/{code}_4.html")[0] == 404
