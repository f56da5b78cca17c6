"""The sample site answers as the wire contract says, and breaks as told. Everything goes over real HTTP."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

import pytest

from crawler.sample_site import (
    NEWEST_AT,
    Corpus,
    Fault,
    SampleSite,
    SourceArticle,
    declare_length,
    delay_response,
    drip_response,
    reset_connection,
    return_body,
    return_redirect,
    return_status,
    send_raw,
    truncate_body,
)
from crawler.sample_site.html_quirks import QUIRKS
from crawler.sample_site.synthetic import LEGACY_LISTS, SAMPLE_COLUMNS

POSTS = files("crawler.sample_site") / "posts"
RECORDED = files("crawler.sample_site") / "recorded"
WIDE_INDENT = "　　"

FARMERS = "202201102242171631"  # 中国农网, in list 37
DAILY = "202202112274017262"  # 每日经济新闻, in list 38
TWICE = "202204212352230938"  # 财联社, posted from list 102 and from list 45
QUOTED = "202205302396671291"  # 财联社, in list 102 only
BLANK = "202205262391921712"  # the blank row
FLASHES = ("202112082206672930", "202112082206885586", "202112082206998127", "202112082207112942")
DETAILED = "202609183878840472"  # the one with a recorded detail
CFH = "20260702101113747001360"

OPENER = build_opener(ProxyHandler({}))


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


@pytest.fixture(scope="module")
def shared() -> Iterator[SampleSite]:
    with SampleSite(article_count=60) as site:
        yield site


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(article_count=5) as site:
        yield site


def get(site: SampleSite, path: str, **query: object) -> bytes:
    address = f"{site.url}{path}{'?' + urlencode(query) if query else ''}"
    with OPENER.open(address, timeout=10) as response:
        return bytes(response.read())


def get_json(site: SampleSite, path: str, **query: object) -> Any:
    return json.loads(get(site, path, **query))


def connect(site: SampleSite) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=10)


def refused(site: SampleSite, path: str) -> tuple[int, bytes]:
    with pytest.raises(HTTPError) as caught:
        get(site, path)
    with caught.value as error:
        return error.code, error.read()


def columns(site: SampleSite, **query: object) -> Any:
    wanted = {"client": "web", "biz": "web_news_col", "column": "344", "req_trace": "1"} | query
    return get_json(site, "/comm/web/getNewsByColumns", **wanted)


def walk_columns(site: SampleSite, column: str, size: int) -> list[str]:
    codes: list[str] = []
    page = 1
    while rows := columns(site, column=column, page_index=page, page_size=size)["data"]["list"]:
        codes += [row["code"] for row in rows]
        page += 1
    return codes


def fast(site: SampleSite, **query: object) -> Any:
    wanted = {"client": "web", "biz": "web_724", "fastColumn": "102", "sortEnd": "", "req_trace": "1"} | query
    return get_json(site, "/comm/web/getFastNewsList", **wanted)


def walk_fast(site: SampleSite, size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while rows := (data := fast(site, sortEnd=cursor, pageSize=size)["data"])["fastNewsList"]:
        assert data["sortEnd"] == rows[-1]["realSort"]
        found += rows
        cursor = data["sortEnd"]
    return found


def detail(site: SampleSite, code: str) -> Any:
    return get_json(site, f"/kuaixun/v2/api/article/{code}", guid="1")


def text_of(site: SampleSite, code: str) -> Any:
    return get_json(site, "/NewsData/GetNewsText.do", id=f"NW{code}")


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def article(code: str = "202609190000000001", **fields: Any) -> SourceArticle:
    known = {"title": "标题", "media": "财联社", "content": "<p>　　正文</p>", "columns": ("344",)}
    return SourceArticle(code=code, published_at=NEWEST_AT + timedelta(days=1), **known | fields)


# Columns


def test_a_column_page_has_the_recorded_shape(shared: SampleSite) -> None:
    reply = columns(shared, page_size=3)
    assert list(reply) == ["req_trace", "code", "message", "data"]
    assert (reply["code"], reply["message"], reply["req_trace"]) == ("1", "success", "1")
    assert list(reply["data"]) == ["page_index", "list", "totle_hits", "page_size"]
    assert reply["data"]["page_size"] == 3


def test_recorded_rows_come_back_as_recorded(shared: SampleSite) -> None:
    rows = {row["code"]: row for row in columns(shared, page_size=200)["data"]["list"]}
    for row in json.loads(recorded("df_list_344.json"))["data"]["list"]:
        assert list(rows[row["code"]].items()) == list(row.items())


@pytest.mark.parametrize("size", [1, 7, 200])
def test_a_walk_through_a_column_meets_each_article_once(shared: SampleSite, size: int) -> None:
    codes = walk_columns(shared, "344", size)
    assert len(set(codes)) == len(codes) > 10
    assert codes == walk_columns(shared, "344", 20)


def test_rows_are_newest_first(shared: SampleSite) -> None:
    times = [row["showTime"] for row in columns(shared, page_size=200)["data"]["list"]]
    assert times == sorted(times, reverse=True)


def test_several_columns_are_one_list_without_doubles(shared: SampleSite) -> None:
    both = walk_columns(shared, "344,345", 50)
    assert len(set(both)) == len(both)
    assert set(both) == {*walk_columns(shared, "344", 50), *walk_columns(shared, "345", 50)}


@pytest.mark.parametrize("missing", ["req_trace", "client", "biz"])
def test_a_missing_parameter_is_an_error_shell_with_status_200(shared: SampleSite, missing: str) -> None:
    reply = columns(shared, **{missing: ""})
    assert reply == {"code": 0, "message": f"Required String parameter '{missing}' is not present"}


def test_the_error_shell_is_the_recorded_one(shared: SampleSite) -> None:
    reply = get(shared, "/comm/web/getNewsByColumns", client="web", biz="web_news_col", column="344")
    assert reply == recorded("column_error.json")


def test_a_page_holds_at_most_200_rows_and_beyond_the_end_none() -> None:
    with SampleSite(article_count=1000) as site:
        assert len(columns(site, page_size=500)["data"]["list"]) == 200
        assert columns(site, page_size=200, page_index=90)["data"]["list"] == []


def test_hits_are_capped_at_5000() -> None:
    corpus = Corpus(article(str(10**17 + number)) for number in range(5005))
    with SampleSite(corpus) as site:
        assert columns(site)["data"]["totle_hits"] == 5000
        assert len(walk_columns(site, "344", 200)) == 5000


def test_fields_are_a_projection_and_np_dst_comes_back_in_lower_case(shared: SampleSite) -> None:
    rows = columns(shared, fields="code,title,Np_dst")["data"]["list"]
    assert {tuple(sorted(row)) for row in rows} == {("code", "np_dst", "title")}


def test_a_callback_wraps_the_reply(shared: SampleSite) -> None:
    path = "/comm/web/getNewsByColumns"
    query = {"client": "web", "biz": "x", "req_trace": "1", "column": "344", "callback": "jQuery1_2"}
    text = get(shared, path, **query).decode()
    assert json.loads(text.removeprefix("jQuery1_2(").removesuffix(")"))["code"] == "1"


def test_a_cfh_row_has_no_unique_url_and_its_own_host(shared: SampleSite) -> None:
    rows = columns(shared, column="353", page_size=200)["data"]["list"]
    row = next(row for row in rows if row["code"] == CFH)
    assert row["np_dst"] == "CFH"
    assert row["uniqueUrl"] == ""
    assert row["url"] == f"http://caifuhao.eastmoney.com/news/{CFH}"


def test_some_rows_have_no_media(shared: SampleSite) -> None:
    pages = [columns(shared, column=column, page_size=200) for column in SAMPLE_COLUMNS]
    rows = [row for page in pages for row in page["data"]["list"] if not row.get("mediaName")]
    assert {"mediaName" in row for row in rows} == {True, False}


# The article's detail and page


def test_the_recorded_detail_comes_back_as_recorded(shared: SampleSite) -> None:
    reply = get(shared, f"/kuaixun/v2/api/article/{DETAILED}", guid="1")
    assert reply == recorded("df_article_real.json").strip()


def test_every_detail_has_the_recorded_keys_and_strings_only(shared: SampleSite) -> None:
    keys = list(json.loads(recorded("df_article_real.json"))["data"])
    for code in shared.corpus:
        reply = detail(shared, code)
        if code != BLANK:
            assert reply["success"] == 1
            assert list(reply["data"]) == keys
            assert {type(value) for value in reply["data"].values()} == {str}


def test_a_detail_has_slashes_in_its_time_and_no_source_line(shared: SampleSite) -> None:
    data = detail(shared, FARMERS)["data"]
    assert data["Art_ShowTime"] == "2022/01/10 16:20:36"
    assert data["Art_Media_Name"] == "中国农网"
    assert "em_media" not in data["Art_Content"]
    assert data["Art_Url"] == f"http://finance.eastmoney.com/news/1355,{FARMERS}.html"


@pytest.mark.parametrize("code", ["209901010000000000", "x", BLANK])
def test_an_unknown_article_has_no_detail(shared: SampleSite, code: str) -> None:
    assert detail(shared, code) == {"data": None, "errorcode": 0, "id": "0", "message": "", "success": 0}


@pytest.mark.parametrize("form", ["/a/{}.html", "/news/1345,{}.html"])
def test_a_page_has_the_text_the_source_line_and_the_editor(shared: SampleSite, form: str) -> None:
    page = get(shared, form.format(FARMERS)).decode()
    assert "<title>山西运城：固好脱贫成果 启好振兴之路_东方财富网</title>" in page
    assert '<div class=" item">2022年01月10日 16:20</div>' in page
    assert '<div class="txtinfos" id="ContentBody"' in page
    assert '<p class="em_media">（文章来源：中国农网）</p>' in page
    assert page.index("责任编辑") < page.index("zwothers") < page.index("</html>")
    assert page.rstrip().endswith("</html>")


def test_a_page_from_before_2022_has_the_old_layout(shared: SampleSite) -> None:
    page = get(shared, f"/a/{FLASHES[1]}.html").decode()
    assert '<div class="newsContent"><h1>' in page
    assert '<div class="time">2021年12月08日 12:07</div>' in page
    assert '<div id="ContentBody" class="Body">' in page


def test_some_texts_stand_only_in_the_page(shared: SampleSite) -> None:
    layouts = {"page2022": "txtinfos", "page2018": "newsContent"}
    for form, layout in layouts.items():
        found = [a for code in shared.corpus if (a := shared.corpus.find_article(code)) and a.body_location == form]
        assert found
        for source in found:
            assert detail(shared, source.code)["data"]["Art_Content"] == ""
            page = get(shared, f"/a/{source.code}.html").decode()
            assert source.content in page
            assert layout in page


def test_a_cfh_article_has_its_page_under_news_only(shared: SampleSite) -> None:
    assert "ContentBody" in get(shared, f"/news/{CFH}").decode()
    assert detail(shared, CFH)["data"]["Art_Content"].startswith("<p>")
    assert refused(shared, f"/a/{CFH}.html")[0] == 404
    assert refused(shared, f"/news/{FARMERS}")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/209901010000000000.html",
        "/news/1350,1.html",
        f"/a/{FARMERS}",
        "/web/webapi?type=7",
        "/nothing",
    ],
)
def test_an_unknown_path_is_404(shared: SampleSite, path: str) -> None:
    code, text = refused(shared, path)
    assert code == 404
    assert b"<html>" in text


# Fast news


def test_fast_news_has_the_recorded_shape(shared: SampleSite) -> None:
    reply = fast(shared, pageSize=3)
    assert reply["code"] == "1"
    assert set(reply["data"]) == {"sortEnd", "fastNewsList", "total"}
    known = json.loads(recorded("fastnews.json"))["data"]["fastNewsList"][1]
    for row in reply["data"]["fastNewsList"]:
        assert list(row) == list(known)
        assert re.fullmatch(r"\d{16}", row["realSort"])
        assert row["titleColor"] in (0, 3)


def test_recorded_fast_rows_come_back(shared: SampleSite) -> None:
    rows = {row["code"]: row for row in walk_fast(shared, 50)}
    for known in json.loads(recorded("fastnews.json"))["data"]["fastNewsList"]:
        row = rows[known["code"]] | {name: known[name] for name in ("share", "pinglun_Num") if name in known}
        assert known.items() <= row.items()


@pytest.mark.parametrize("size", [1, 4, 200])
def test_a_walk_by_cursor_meets_each_row_once(shared: SampleSite, size: int) -> None:
    rows = walk_fast(shared, size)
    codes = [row["code"] for row in rows]
    assert codes == list(shared.corpus.codes_in_fast_news())
    assert len(set(codes)) == len(codes) > 10
    sorts = [int(row["realSort"]) for row in rows]
    assert sorts == sorted(sorts, reverse=True)


def test_fast_news_without_a_trace_is_an_error_shell(shared: SampleSite) -> None:
    assert get(shared, "/comm/web/getFastNewsList", fastColumn="102") == recorded("column_error.json")


def test_fast_news_has_rows_without_title_with_blanks_and_in_red(shared: SampleSite) -> None:
    rows = walk_fast(shared, 50)
    assert any(row["title"] == "" for row in rows)
    assert any(row["title"].startswith(" ") for row in rows)
    assert any(row["summary"].startswith(" ") for row in rows)
    assert {row["titleColor"] for row in rows} == {0, 3}


def test_a_flash_tells_its_media_in_the_last_brackets(shared: SampleSite) -> None:
    rows = {row["code"]: row for row in walk_fast(shared, 50)}
    assert rows["202205302396671645"]["summary"].endswith("（中国证券报）")
    title = "离岸人民币兑美元升至2018年以来最高水平"
    assert rows[FLASHES[0]]["summary"] == f"【{title}】离岸人民币兑美元升至6.3512，为2018年以来最高水平。"


def test_fast_news_comes_as_jsonp(shared: SampleSite) -> None:
    text = get(shared, "/comm/web/getFastNewsList", req_trace="1", callback="cb").decode()
    assert json.loads(text.removeprefix("cb(").removesuffix(")"))["code"] == "1"


def test_a_column_of_fast_news_is_a_part_of_it(shared: SampleSite) -> None:
    part = fast(shared, fastColumn="101", pageSize=200)["data"]["fastNewsList"]
    assert 0 < len(part) < len(walk_fast(shared, 200))


def test_kuaixun_is_a_variable_with_and_without_semicolon(shared: SampleSite) -> None:
    first = get(shared, "/kuaixun/v1/getlist_102_ajaxResult_5_1_.html").decode()
    second = get(shared, "/kuaixun/v1/getlist_102_ajaxResult_5_2_.html", r="0.1").decode()
    assert first.startswith("var ajaxResult={")
    assert first.endswith("]}")
    assert second.endswith("};")


def test_a_walk_through_kuaixun_meets_each_row_once(shared: SampleSite) -> None:
    codes: list[str] = []
    page = 1
    while rows := kuaixun(shared, page)["LivesList"]:
        codes += [row["newsid"] for row in rows]
        page += 1
    assert codes == list(shared.corpus.codes_in_fast_news())


def test_kuaixun_rows_are_strings_and_their_digest_is_the_flash(shared: SampleSite) -> None:
    reply = kuaixun(shared, 1)
    assert reply["rc"] == 1
    for row in reply["LivesList"]:
        assert {type(value) for value in row.values()} == {str}
        assert row["id"] == row["newsid"]
    flashes = {row["code"]: row["summary"] for row in walk_fast(shared, 50)}
    assert all(flashes[row["id"]] == row["digest"] for row in reply["LivesList"])


def kuaixun(site: SampleSite, page: int) -> Any:
    """With no callback the reply is bare JSON, but for a semicolon now and then."""
    return json.loads(get(site, f"/kuaixun/v1/getlist_102__4_{page}_.html").decode().removesuffix(";"))


# The lists of 2022


def test_list_102(shared: SampleSite) -> None:
    records = get_json(shared, "/web/webapi", type="102", count="100", newsid="1")["records"]
    assert {tuple(row) for row in records} == {("title", "digest", "id", "url_w", "showtime", "infoCode")}
    assert all(row["infoCode"] == "NW" + row["id"] for row in records)
    assert {*FLASHES, TWICE, QUOTED, BLANK} <= {row["id"] for row in records}


def test_the_blank_row_has_its_codes_and_nothing_else(shared: SampleSite) -> None:
    records = get_json(shared, "/web/webapi", type="102", count="100", newsid="1")["records"]
    row = next(row for row in records if row["id"] == BLANK)
    assert (row["title"], row["showtime"], row["url_w"]) == ("", "", "")
    assert row["infoCode"] == f"NW{BLANK}"


def test_list_45_has_its_codes_in_lower_case(shared: SampleSite) -> None:
    nodes = get_json(shared, "/web/webapi", type="45", count="100")["nodeList"]
    names = {("title", "from", "infocode", "showtime", "simtitle", "simdigest")}
    assert {tuple(row) for row in nodes} == names
    row = next(row for row in nodes if row["infocode"] == f"NW{TWICE}")
    assert (row["from"], row["showtime"]) == ("财联社", "2022-04-21 18:36:14")


@pytest.mark.parametrize(("market", "code"), [("37", FARMERS), ("38", DAILY), ("39", None)])
def test_market_lists(shared: SampleSite, market: str, code: str | None) -> None:
    rows = get_json(shared, "/information/newmarket/web/webapi", marketType=market, count="100")["record"]
    assert {tuple(row) for row in rows} == {("title", "medianame", "infoCode", "datetime")}
    assert code is None or f"NW{code}" in {row["infoCode"] for row in rows}


def test_count_is_honoured(shared: SampleSite) -> None:
    assert len(get_json(shared, "/web/webapi", type="102", count="2", newsid="1")["records"]) == 2


def test_an_article_of_both_lists_has_text_and_content(shared: SampleSite) -> None:
    reply = text_of(shared, TWICE)
    assert reply["text"] == reply["content"]
    assert text_of(shared, QUOTED)["text"] is None
    assert text_of(shared, FARMERS)["content"] is None


def test_an_unknown_text_has_neither(shared: SampleSite) -> None:
    assert text_of(shared, "209901010000000000") == {"text": None, "content": None}


def test_text_has_plain_names_where_content_has_links(shared: SampleSite) -> None:
    corpus = shared.corpus
    linked = [a for code in corpus if (a := corpus.find_article(code)) and "keytip" in a.content]
    for source in linked:
        reply = text_of(shared, source.code)
        assert "keytip" not in (reply["text"] or "")
        assert "em_stock_key_common" not in (reply["text"] or "")
        assert "102" not in source.legacy_lists or "keytip" in reply["content"]


def test_bare_digits_are_an_id_too(shared: SampleSite) -> None:
    assert get_json(shared, "/NewsData/GetNewsText.do", id=FARMERS) == text_of(shared, FARMERS)


def test_the_share_page_is_html(shared: SampleSite) -> None:
    page = get(shared, "/html_News/NewsShare.html", infoCode=f"NW{FARMERS}").decode()
    assert "<title>山西运城：固好脱贫成果 启好振兴之路</title>" in page


def test_robots(shared: SampleSite) -> None:
    assert get(shared, "/robots.txt") == b"User-agent: *\nAllow: /\n"


# The real posts


def posted_body(name: str) -> str:
    """What stands in a post between the front matter or the quote and the source link."""
    text = (POSTS / name).read_text(encoding="utf-8").split("---\n", 2)[2]
    text = re.split(r"\n\n<[^<>]*>\n", text)[0].lstrip("\n")
    return text.split("\n\n", 1)[1] if text.startswith("> ") else text


REAL_POSTS = sorted(file.name for file in POSTS.iterdir() if file.name != "2021-12-01-init.md")


@pytest.mark.parametrize("name", REAL_POSTS)
def test_a_real_post_is_its_text_without_the_indents(shared: SampleSite, name: str) -> None:
    code = name.removesuffix(".md").split("-")[-1]
    reply = text_of(shared, code.removeprefix("NW"))
    text = reply["text" if code.startswith("NW") else "content"]
    posted = posted_body(name)
    assert text.replace(WIDE_INDENT, "") == (posted if posted.startswith("<") else f"<p>{posted}</p>")
    assert f"<p>{WIDE_INDENT}" in text


@pytest.mark.parametrize("name", REAL_POSTS)
def test_a_real_post_is_listed_under_its_title_and_time(shared: SampleSite, name: str) -> None:
    front = (POSTS / name).read_text(encoding="utf-8").split("---\n")[1]
    head = shared.corpus.find_listed(re.findall(r"\d{18}", name)[0])
    assert head is not None
    assert f'title: "{head.title}"' in front
    assert f"date: {head.show_time}" in front


def test_the_digest_of_a_real_post_is_its_quote(shared: SampleSite) -> None:
    records = get_json(shared, "/web/webapi", type="102", count="100", newsid="1")["records"]
    for row in (row for row in records if row["id"] in (TWICE, QUOTED, BLANK)):
        name = next(name for name in REAL_POSTS if name.endswith(f"-{row['id']}.md"))
        assert f"\n> {row['digest'].split('】')[-1]}\n" in (POSTS / name).read_text(encoding="utf-8")


def test_the_opening_post_is_no_article_of_the_source(shared: SampleSite) -> None:
    assert all(head.title != "开站大吉" for code in shared.corpus if (head := shared.corpus.find_listed(code)))


# The made-up articles


def all_replies(corpus: Corpus) -> list[bytes]:
    """Every list once, and everything of every article."""
    with SampleSite(corpus) as site:
        query = {"client": "web", "biz": "x", "req_trace": "1", "page_size": "200", "pageSize": "200"}
        lists = [get(site, "/comm/web/getNewsByColumns", column=column, **query) for column in SAMPLE_COLUMNS]
        lists.append(get(site, "/comm/web/getFastNewsList", **query))
        forms = ("/kuaixun/v2/api/article/{}", "/NewsData/GetNewsText.do?id=NW{}")
        return lists + [get(site, form.format(code)) for form in forms for code in corpus]


def made_up(count: int) -> list[SourceArticle]:
    """Without the real posts and the recorded articles."""
    corpus, others = Corpus.sample(count), Corpus.sample(0)
    return [a for code in corpus if code not in others and (a := corpus.find_article(code))]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert all_replies(Corpus.sample(20, seed=7)) == all_replies(Corpus.sample(20, seed=7))


def test_another_seed_gives_other_articles() -> None:
    assert set(Corpus.sample(20, seed=1)) & set(Corpus.sample(20, seed=2)) == set(Corpus.sample(0))


def test_newest_moves_the_made_up_articles() -> None:
    newest = datetime.fromisoformat("2026-11-01T08:00:00+08:00")
    corpus = Corpus.sample(3, newest_at=newest)
    head = corpus.find_listed(next(iter(corpus)))
    assert head is not None
    assert head.published_at == newest


def test_fifty_articles_show_every_quirk() -> None:
    text = "\n".join(article.content for article in made_up(50))
    signs = (
        'class="keytip"', 'id="quote_', "em_stock_key_common", 'id="bk_', 'id="bkquote_', 'class="infokey"',
        'id="Info.116.00700"', "display:none", "EmImageRemark", "<!-- EM_StockImg_Start --></p>", "<table",
        "em_handle_adv_close", 'class="toplink"', 'class="ad_context3"', "<center><img", "图片来源",
        '<h3 class="emh3">', "</p>\n <p>", "\u200b", "\ufeff", "&nbsp;", "&lt;", "（文章来源：<span",
        "，　", "<strong>", "。<br /></p>", "/a/202609183878581096.html",
    )  # fmt: skip
    assert [sign for sign in signs if sign not in text] == []
    assert len(QUIRKS) <= 50


def test_fifty_articles_have_every_kind_of_title_list_and_column() -> None:
    heads = made_up(50)
    for sign in "“", '"', "　":
        assert any(sign in head.title for head in heads)
    assert any(not head.media for head in heads)
    assert {name for head in heads for name in head.legacy_lists} == set(LEGACY_LISTS)
    assert {column for head in heads for column in head.columns} >= set(SAMPLE_COLUMNS)
    assert sum(head.is_fast_news for head in heads) > 12


def test_codes_are_18_digits_and_may_be_of_the_day_before() -> None:
    heads = made_up(400)
    assert all(re.fullmatch(r"\d{18}", head.code) for head in heads)
    assert any(head.code[:8] < f"{head.local_time:%Y%m%d}" for head in heads)


def test_bodies_are_of_the_sources_size() -> None:
    sizes = [len(re.sub("<[^>]*>", "", article.content)) for article in made_up(400)]
    assert min(sizes) >= 300
    assert max(sizes) < 4500
    assert 700 < sum(sizes) / len(sizes) < 1600


def test_a_hundred_thousand_articles_are_served() -> None:
    corpus = Corpus.sample(100_000)
    assert len(corpus) == len(set(corpus)) == 100_000 + len(Corpus.sample(0))
    with SampleSite(corpus) as site:
        assert columns(site)["data"]["totle_hits"] == 5000
        last = corpus.codes_in_columns(["350"])[20_000]
        assert detail(site, last)["data"]["Art_Code"] == last
        assert fast(site, pageSize=200)["data"]["total"] > 25_000


# What a test may change


def test_add_replace_and_remove_show_at_once(site: SampleSite) -> None:
    site.corpus.add(article())
    assert columns(site)["data"]["list"][0]["title"] == "标题"
    site.corpus.replace("202609190000000001", title="新标题", columns=("350",))
    assert detail(site, "202609190000000001")["data"]["Art_Title"] == "新标题"
    assert columns(site, column="350")["data"]["list"][0]["title"] == "新标题"
    assert "202609190000000001" not in site.corpus.codes_in_columns(["344"])
    site.corpus.remove("202609190000000001")
    assert detail(site, "202609190000000001")["success"] == 0


def test_a_made_up_article_can_be_edited(site: SampleSite) -> None:
    code = site.corpus.publish()[0]
    before = detail(site, code)["data"]
    changed = site.corpus.replace(code, content="<p>　　更正</p>")
    assert detail(site, code)["data"] == before | {"Art_Content": "<p>　　更正</p>"}
    assert changed == site.corpus.find_article(code)


def test_published_articles_are_newer_than_the_made_up_ones(site: SampleSite) -> None:
    known = set(site.corpus)
    codes = site.corpus.publish(3)
    assert not known & set(codes)
    heads = [head for code in codes if (head := site.corpus.find_listed(code))]
    assert NEWEST_AT < heads[0].published_at < heads[1].published_at < heads[2].published_at


def test_wrong_changes_are_refused(site: SampleSite) -> None:
    with pytest.raises(ValueError, match="already there"):
        site.corpus.add(replace(article(), code=FARMERS))
    with pytest.raises(KeyError):
        site.corpus.remove("1")
    with pytest.raises(ValueError, match="offset"):
        SourceArticle(code="1", title="", published_at=datetime.fromisoformat("2026-01-01"))


# What the site remembers


def test_requests_are_noted_in_order(site: SampleSite) -> None:
    detail(site, FARMERS)
    columns(site)
    text_of(site, TWICE)
    get(site, f"/a/{DAILY}.html")
    assert [hit.path for hit in site.requests][:2] == [
        f"/kuaixun/v2/api/article/{FARMERS}",
        "/comm/web/getNewsByColumns",
    ]
    assert site.requests[1].query["column"] == "344"
    assert site.requests[0].headers["user-agent"].startswith("Python-urllib")
    assert site.requests[0].received_at <= site.requests[-1].received_at
    assert site.requested_codes == [FARMERS, TWICE, DAILY]
    site.requests.clear()
    assert len(site.requests) == 0
    assert site.requested_codes == []


def test_any_host_is_this_site(site: SampleSite) -> None:
    with closing(connect(site)) as connection:
        connection.request("GET", "/robots.txt", headers={"Host": "np-listapi.eastmoney.com"})
        assert connection.getresponse().status == 200
    assert site.requests[0].headers["host"] == "np-listapi.eastmoney.com"


def test_one_connection_serves_many_requests(site: SampleSite) -> None:
    with closing(connect(site)) as connection:
        first = None
        for _ in range(3):
            connection.request("GET", "/robots.txt")
            assert connection.getresponse().read().startswith(b"User-agent")
            first = first or connection.sock
            assert connection.sock is first


def test_head_has_the_headers_only_and_other_methods_are_refused(site: SampleSite) -> None:
    with closing(connect(site)) as connection:
        connection.request("HEAD", "/robots.txt")
        reply = connection.getresponse()
        assert (reply.status, reply.getheader("Content-Length"), reply.read()) == (200, "23", b"")
        connection.request("POST", "/robots.txt", body=b"x=1")
        reply = connection.getresponse()
        assert reply.status == 405
        reply.read()
        connection.request("GET", "/robots.txt")
        assert connection.getresponse().status == 200


def test_a_closed_site_ends_its_connections() -> None:
    with SampleSite(article_count=0) as site:
        connection = connect(site)
        connection.request("GET", "/robots.txt")
        connection.getresponse().read()
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""
    connection.close()


def test_a_bug_of_the_site_is_not_silent(site: SampleSite) -> None:
    site.corpus.add(article("7", columns=None))
    code, text = refused(site, "/kuaixun/v2/api/article/7")
    assert code == 500
    assert b"the sample site failed" in text


# Faults on the wire


def talk(site: SampleSite, path: str = "/robots.txt") -> bytes:
    """All bytes that come back until the site closes."""
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def parts(reply: bytes) -> tuple[bytes, bytes]:
    head, _, text = reply.partition(b"\r\n\r\n")
    return head, text


ROBOTS = b"User-agent: *\nAllow: /\n"


def test_status(site: SampleSite) -> None:
    site.add_fault("robots", return_status(503, b"later", {"Retry-After": "30"}))
    head, text = parts(talk(site))
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 30" in head
    assert text == b"later"


def test_body(site: SampleSite) -> None:
    site.add_fault("robots", return_body(b"\xff\xfe", content_type="text/plain; charset=gbk"))
    head, text = parts(talk(site))
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Type: text/plain; charset=gbk" in head
    assert text == b"\xff\xfe"


def test_reset(site: SampleSite) -> None:
    site.add_fault("robots", reset_connection())
    with pytest.raises(ConnectionResetError):
        talk(site)


def test_hang_is_silent_until_the_client_gives_up(site: SampleSite) -> None:
    site.add_fault("robots", delay_response(60))
    with pytest.raises(TimeoutError):
        OPENER.open(f"{site.url}/robots.txt", timeout=0.2)


def test_hang_answers_at_last(site: SampleSite) -> None:
    site.add_fault("robots", delay_response(0.01))
    assert get(site, "/robots.txt") == ROBOTS


def test_cut(site: SampleSite) -> None:
    site.add_fault("robots", truncate_body(5))
    head, text = parts(talk(site))
    assert b"Content-Length: 23" in head
    assert text == ROBOTS[:5]
    with pytest.raises(http.client.IncompleteRead):
        get(site, "/robots.txt")


def test_drip(site: SampleSite) -> None:
    site.add_fault("robots", drip_response(5000))
    assert parts(talk(site))[1] == ROBOTS
    assert get(site, "/robots.txt") == ROBOTS


def test_redirect(site: SampleSite) -> None:
    site.add_fault("robots", return_redirect("http://127.0.0.1:9/elsewhere", 301))
    with pytest.raises(HTTPError) as caught:
        build_opener(ProxyHandler({}), _Stay()).open(f"{site.url}/robots.txt", timeout=10)
    assert caught.value.code == 301
    assert caught.value.headers["Location"] == "http://127.0.0.1:9/elsewhere"
    caught.value.close()


def test_wrong_length(site: SampleSite) -> None:
    site.add_fault("robots", declare_length(3))
    head, text = parts(talk(site))
    assert b"Content-Length: 3\r\n" in head + b"\r\n"
    assert text == ROBOTS


def test_raw(site: SampleSite) -> None:
    site.add_fault("robots", send_raw(b"\x16\x03\x01 no HTTP"))
    assert talk(site) == b"\x16\x03\x01 no HTTP"


def test_a_fault_strikes_so_many_times_and_then_the_next_does(site: SampleSite) -> None:
    site.add_fault("robots", return_status(500), times=2)
    site.add_fault("robots", return_status(404), times=1)
    found = [talk(site).split()[1] for _ in range(4)]
    assert found == [b"500", b"500", b"404", b"200"]


def test_a_fault_strikes_by_path_and_query(site: SampleSite) -> None:
    site.add_fault(r"getNewsByColumns.*page_index=2", return_status(500))
    assert columns(site, page_index=1)["code"] == "1"
    query = "client=web&biz=x&column=344&page_index=2&req_trace=1"
    assert refused(site, f"/comm/web/getNewsByColumns?{query}")[0] == 500


def test_heal_and_reset(site: SampleSite) -> None:
    site.add_fault("robots", return_status(500))
    site.clear_faults()
    assert get(site, "/robots.txt") == ROBOTS
    site.add_fault("robots", return_status(500))
    site.reset()
    assert len(site.requests) == 0
    assert get(site, "/robots.txt") == ROBOTS


@pytest.mark.parametrize(
    "fault", [return_status(500), truncate_body(3), declare_length(1), send_raw(b"x"), reset_connection()]
)
def test_a_fault_hits_its_own_request_only(site: SampleSite, fault: Fault) -> None:
    site.add_fault("robots", fault, times=1)
    with suppress(ConnectionResetError):
        talk(site)
    assert get(site, "/robots.txt") == ROBOTS
    assert len(site.requests) == 2


def test_garbage_is_no_request(site: SampleSite) -> None:
    host, port = site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\r\n")
        assert connection.recv(10) == b""
    assert len(site.requests) == 0


# The command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_ends_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "crawler.sample_site", "--port", "0", "--articles", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with OPENER.open(f"{address}/robots.txt", timeout=10) as response:
            assert response.status == 200
        process.send_signal(number)
        assert process.wait(10) == 0
