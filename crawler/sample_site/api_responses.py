"""API responses: a corpus and a query in, the bytes of the source's response out.

Each function names its section of the wire contract. "Assumed" marks behaviour that no recorded response shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from crawler.sample_site.articles import ListedArticle, SourceArticle
from crawler.sample_site.corpus import Corpus
from crawler.sample_site.recorded_articles import load_recorded_detail, read_recording

QueryParams = Mapping[str, str]
ResponseRow = dict[str, Any]

_JSON_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

MAX_COLUMN_ENTRIES = 5000
MAX_PAGE_SIZE = 200
SOURCE_LINE = re.compile(r'\s*<p class="em_media">.*?</p>', re.DOTALL)
_LINKED_NAME = re.compile(
    r'<span id="(?:stock|bk|Info)[_.][^"]*"><a [^>]*>(?P<linked>.*?)</a></span>'
    r'(?:<span id="(?:quote|bkquote)_[^"]*"></span>)?'
    r'|<span web="1"[^>]*>(?P<marked>.*?)</span>'
)


def build_columns_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return a page of one or more columns, the newest first (section a).

    ``{"req_trace", "code": "1", "message", "data": {"page_index", "list", "totle_hits", "page_size"}}``
    """
    error = _error_for_missing_parameter(query, "req_trace", "client", "biz")
    if error:
        return error
    # Assumed: a page of more than 200 rows is cut to 200, and an unknown column is empty.
    page, size = _positive_int(query, "page_index", 1), min(_positive_int(query, "page_size", 20), MAX_PAGE_SIZE)
    codes = corpus.codes_in_columns(query.get("column", "").split(","))[:MAX_COLUMN_ENTRIES]
    rows = [build_column_row(article) for article in _find_listed(corpus, codes[(page - 1) * size : page * size])]
    if fields := query.get("fields", ""):
        # ``Np_dst`` is requested under this name and returned as ``np_dst``.
        field_names = {"np_dst" if name == "Np_dst" else name for name in fields.split(",")}
        rows = [{name: value for name, value in row.items() if name in field_names} for row in rows]
    data = {
        "page_index": page,
        "list": rows,
        "totle_hits": len(codes),
        "page_size": size,
    }
    return _encode_jsonp(query, {"req_trace": query["req_trace"], "code": "1", "message": "success", "data": data})


def build_column_row(article: ListedArticle) -> ResponseRow:
    """Return a row of nine strings; without media, ``mediaName`` is empty or missing (section a)."""
    row = {
        "summary": article.summary,
        "image": article.image,
        "code": article.code,
        "np_dst": article.np_dst,
        "showTime": article.show_time,
        "uniqueUrl": article.page_url,
        "title": article.title,
        "mediaName": article.media,
        "url": article.listing_url,
    }
    if not article.media and article.code[-1:] in "13579":
        del row["mediaName"]
    return row


def build_detail_response(corpus: Corpus, code: str) -> bytes:
    """Return ``{"data": {…}, "errorcode": 0, "id": "0", "message": "", "success": 1}`` (section c1)."""
    article = corpus.find_article(code)
    if article is None or article.is_blank:
        # Assumed: no response for an unknown code was ever recorded.
        return encode_json_bytes({"data": None, "errorcode": 0, "id": "0", "message": "", "success": 0})
    data = build_detail_data(article)
    return encode_json_bytes({"data": data, "errorcode": 0, "id": "0", "message": "", "success": 1})


def build_detail_data(article: SourceArticle) -> dict[str, str]:
    """Return the detail as strings; times have slashes, and the text has no source line (section c1).

    All other fields come from the one recorded detail, unchanged or emptied.
    """
    show_time = article.show_time.replace("-", "/")
    base = load_recorded_detail()
    if article.code != base["Art_Code"]:
        # Assumed to follow from the other fields, as they nearly do in the recording.
        base = _empty_detail() | {
            "Art_OrderTime": show_time,
            "Art_Digest": article.summary,
            "Art_Tip_Info": _format_tip_info(article.secids),
        }
    return base | {
        "Art_Content": strip_source_line(article.content) if article.body_location == "json" else "",
        "Art_ShowTime": show_time,
        "Art_UniqueUrl": article.page_url,
        "Art_Image": article.image,
        "Art_Code": article.code,
        "Art_Description": article.summary,
        "Art_Media_Name": article.media,
        "Art_Column_List": ",".join(article.columns),
        "Art_Title": article.title,
        "Art_Url": article.listing_url,
    }


@cache
def _empty_detail() -> dict[str, str]:
    """Return the recorded fields in their order, with those of the recorded article alone emptied."""
    article_fields = {"Art_Keyword": "", "AiMd5": "", "Art_Fund_Info": "", "Art_Fund_InfoV2": "[]"}
    tags = '{"mkdayType":null,"source":null,"contentType":null,"market":null,"style":null}'
    return load_recorded_detail() | article_fields | {"Art_HandleTags": tags}


def _format_tip_info(secids: Iterable[str]) -> str:
    """Return ``[{"Type":999,"Code":"0.300024"},…]``: American shares are 1005, boards 1001, others 999."""
    type_by_market = {"90": 1001, "105": 1005, "106": 1005, "107": 1005}
    secids_by_type: dict[int, list[str]] = {}
    for secid in secids:
        secids_by_type.setdefault(type_by_market.get(secid.partition(".")[0], 999), []).append(secid)
    return _encode_json(
        [{"Type": kind, "Code": ",".join(grouped_secids)} for kind, grouped_secids in secids_by_type.items()]
    )


def build_fast_news_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return ``{"code": "1", "message", "data": {"sortEnd", "fastNewsList", "total"}}`` (section b1).

    ``sortEnd`` is the cursor of the next, older page.
    """
    error = _error_for_missing_parameter(query, "req_trace")
    if error:
        return error
    column, cursor = query.get("fastColumn", "102"), query.get("sortEnd", "")
    size = min(_positive_int(query, "pageSize", 20), MAX_PAGE_SIZE)
    # Assumed: a cursor that is no number counts as none.
    codes = corpus.codes_in_fast_news(column, int(cursor) if cursor.isdecimal() else None)[:size]
    rows = [build_fast_news_row(article) for article in _find_listed(corpus, codes)]
    data = {
        # Assumed: an empty page has an empty cursor.
        "sortEnd": rows[-1]["realSort"] if rows else "",
        "fastNewsList": rows,
        # Assumed: all rows of the column.
        "total": len(corpus.codes_in_fast_news(column)),
    }
    return _encode_jsonp(query, {"code": "1", "message": "success", "data": data})


def build_fast_news_row(article: ListedArticle) -> ResponseRow:
    """Return a row of ten keys, without link and media (section b1)."""
    return {
        "code": article.code,
        "image": list(article.fast_images),
        "pinglun_Num": 0,
        "realSort": str(article.real_sort),
        "share": 1,
        "showTime": article.show_time,
        "stockList": list(article.secids),
        "summary": article.flash_text,
        "title": article.title if article.fast_title is None else article.fast_title,
        "titleColor": article.title_color,
    }


def build_kuaixun_response(corpus: Corpus, column: str, callback: str, size: int, page: int) -> bytes:
    """Return ``var cb={"rc": 1, "me": "", "LivesList": […]}``, only the JSON without a callback (section b2)."""
    codes = corpus.codes_in_fast_news(column)[(page - 1) * size : page * size] if page > 0 else ()
    rows = [build_kuaixun_row(article) for article in _find_listed(corpus, codes)]
    payload = _encode_json({"rc": 1, "me": "", "LivesList": rows})
    # Some responses of the source end with a semicolon: here every second page.
    ending = ";" if page % 2 == 0 else ""
    return (f"var {callback}={payload}{ending}" if callback else payload).encode()


def build_kuaixun_row(article: ListedArticle) -> dict[str, str]:
    """Return a row of strings; some are always empty (section b2)."""
    filled_fields = {
        "sort": str(article.real_sort),
        "id": article.code,
        "newsid": article.code,
        "url_w": article.page_url,
        "url_m": f"https://wap.eastmoney.com/a/{article.code}.html",
        "url_unique": article.page_url,
        "title": article.title,
        "simtitle": article.title,
        "digest": article.flash_text,
        "simdigest": article.flash_text,
        "image": article.image,
        "titlestyle": str(article.title_color),
        "column": ",".join(("102", *article.fast_columns)),
        "showtime": article.show_time,
        "ordertime": article.show_time,
        "commentnum": "0",
        "newstype": "1",
    }
    empty_fields = "url_pdf type simtype simtype_zh topic simspecial simtopic editor_id editor_name lasteditor_name"
    return filled_fields | dict.fromkeys(empty_fields.split(), "")


def build_rolling_list_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return ``{"records": […]}``, type 102; a blank row has only codes and digest."""
    rows = [
        {
            "title": article.title,
            "digest": article.flash_text,
            "id": article.code,
            "url_w": article.listing_url,
            "showtime": article.show_time,
            "infoCode": article.info_code,
        }
        for article in _newest_in_list(corpus, "102", query)
    ]
    return encode_json_bytes({"records": rows})


def build_node_list_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return ``{"nodeList": […]}``, type 45. Assumed: ``simtitle`` and ``simdigest`` are not shortened."""
    rows = [
        {
            "title": article.title,
            "from": article.media,
            "infocode": article.info_code,
            "showtime": article.show_time,
            "simtitle": article.title,
            "simdigest": article.flash_text,
        }
        for article in _newest_in_list(corpus, "45", query)
    ]
    return encode_json_bytes({"nodeList": rows})


def build_market_list_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return ``{"record": […]}``, market types 37, 38 and 39."""
    rows = [
        {
            "title": article.title,
            "medianame": article.media,
            "infoCode": article.info_code,
            "datetime": article.show_time,
        }
        for article in _newest_in_list(corpus, query["marketType"], query)
    ]
    return encode_json_bytes({"record": rows})


def build_news_text_response(corpus: Corpus, query: QueryParams) -> bytes:
    """Return ``{"text": …, "content": …}``: ``content`` for list 102, ``text`` for others, null for an unknown id."""
    article = corpus.find_article(query.get("id", "").removeprefix("NW"))
    if article is None:
        return encode_json_bytes({"text": None, "content": None})
    body = ensure_source_line(article)
    in_media_list = any(name != "102" for name in article.legacy_lists) or not article.legacy_lists
    content = body if "102" in article.legacy_lists else None
    return encode_json_bytes({"text": unlink_stocks(body) if in_media_list else None, "content": content})


def strip_source_line(content: str) -> str:
    """Return a body without its ``em_media`` paragraph, as in the JSON detail."""
    return SOURCE_LINE.sub("", content) if "em_media" in content else content


def ensure_source_line(article: SourceArticle) -> str:
    """Return a body with its ``em_media`` paragraph, as in the page and the 2022 site."""
    if 'class="em_media"' in article.content or not article.media:
        return article.content
    return f'{article.content}<p class="em_media">（文章来源：{article.media}）</p>'


def unlink_stocks(body: str) -> str:
    """Replace linked names by plain words: ``text`` never had the spans of ``content``."""
    return _LINKED_NAME.sub(lambda match: match["linked"] or match["marked"] or "", body)


def encode_json_bytes(value: object) -> bytes:
    """Return compact JSON in UTF-8, without escapes for Chinese."""
    return _encode_json(value).encode()


def _encode_json(value: object) -> str:
    return _JSON_ENCODER.encode(value)


def _encode_jsonp(query: QueryParams, value: object) -> bytes:
    callback = query.get("callback", "")
    return f"{callback}({_encode_json(value)})".encode() if callback else encode_json_bytes(value)


def _error_for_missing_parameter(query: QueryParams, *names: str) -> bytes | None:
    """Return the error JSON of the first missing or empty parameter (section a)."""
    for name in names:
        if not query.get(name):
            return read_recording("column_error.json").replace(b"req_trace", name.encode())
    return None


def _positive_int(query: QueryParams, name: str, default: int) -> int:
    """Return a parameter as a number. Assumed: any other value counts as not given."""
    text = query.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else default


def _find_listed(corpus: Corpus, codes: Iterable[str]) -> list[ListedArticle]:
    """Return the articles of these codes, without those removed since the codes were read."""
    return [article for code in codes if (article := corpus.find_listed(code)) is not None]


def _newest_in_list(corpus: Corpus, name: str, query: QueryParams) -> list[ListedArticle]:
    """Return the newest articles of a 2022 list. Assumed: 100 without ``count``."""
    return _find_listed(corpus, corpus.codes_in_list(name)[: _positive_int(query, "count", 100)])
