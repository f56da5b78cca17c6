"""The sample site's data replies: a corpus and a query in, the bytes of the source's reply out.

Each function names the section of the wire contract that it follows. Where a comment says "assumed", no
recorded reply shows what the source does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from crawler.sample_site.articles import Listed, SourceArticle
from crawler.sample_site.corpus import Corpus
from crawler.sample_site.recorded_articles import recorded_bytes, recorded_detail

Query = Mapping[str, str]
Row = dict[str, Any]
H = TypeVar("H", bound=Listed)

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

MOST_HITS = 5000
MOST_ROWS = 200
SOURCE_LINE = re.compile(r'\s*<p class="em_media">.*?</p>', re.DOTALL)
_LINKED_NAMES = re.compile(
    r'<span id="(?:stock|bk|Info)[_.][^"]*"><a [^>]*>(?P<linked>.*?)</a></span>'
    r'(?:<span id="(?:quote|bkquote)_[^"]*"></span>)?'
    r'|<span web="1"[^>]*>(?P<marked>.*?)</span>'
)


def columns_page(corpus: Corpus, query: Query) -> bytes:
    """``{"req_trace", "code": "1", "message", "data": {"page_index", "list", "totle_hits", "page_size"}}``
    (section a)."""
    missing = _missing(query, "req_trace", "client", "biz")
    if missing:
        return missing
    # A page above 200 rows is assumed to be cut to 200; an unknown column to be an empty one.
    page, size = _number(query, "page_index", 1), min(_number(query, "page_size", 20), MOST_ROWS)
    codes = corpus.in_columns(query.get("column", "").split(","))[:MOST_HITS]
    rows = [column_row(head) for head in _heads(corpus, codes[(page - 1) * size : page * size])]
    data = {
        "page_index": page,
        "list": _projected(rows, query.get("fields", "")),
        "totle_hits": len(codes),
        "page_size": size,
    }
    return _jsonp(query, {"req_trace": query["req_trace"], "code": "1", "message": "success", "data": data})


def column_row(head: Listed) -> Row:
    """Nine strings; a row without media has an empty ``mediaName`` or none at all (section a)."""
    row = {
        "summary": head.summary,
        "image": head.image,
        "code": head.code,
        "np_dst": head.np_dst,
        "showTime": head.show_time,
        "uniqueUrl": head.page_url,
        "title": head.title,
        "mediaName": head.media,
        "url": head.old_url,
    }
    if not head.media and head.code[-1:] in "13579":
        del row["mediaName"]
    return row


def article_detail(corpus: Corpus, code: str) -> bytes:
    """``{"data": {…}, "errorcode": 0, "id": "0", "message": "", "success": 1}`` (section c1)."""
    article = corpus.article(code)
    if article is None or article.blank:
        # Assumed: no reply for an unknown code was ever recorded.
        return dump({"data": None, "errorcode": 0, "id": "0", "message": "", "success": 0})
    data = detail_data(article)
    return dump({"data": data, "errorcode": 0, "id": "0", "message": "", "success": 1})


def detail_data(article: SourceArticle) -> dict[str, str]:
    """All strings; times have slashes, and the text has no source line (section c1).

    What an article does not tell comes from the one recorded detail, as it stands or emptied.
    """
    recorded = recorded_detail()
    base = recorded if article.code == recorded["Art_Code"] else _blank_detail() | _guesses(article)
    return base | {
        "Art_Content": without_source_line(article.content) if article.body_in == "json" else "",
        "Art_ShowTime": article.show_time.replace("-", "/"),
        "Art_UniqueUrl": article.page_url,
        "Art_Image": article.image,
        "Art_Code": article.code,
        "Art_Description": article.summary,
        "Art_Media_Name": article.media,
        "Art_Column_List": ",".join(article.columns),
        "Art_Title": article.title,
        "Art_Url": article.old_url,
    }


def _guesses(article: SourceArticle) -> dict[str, str]:
    """Assumed to follow from the other fields, as they nearly do in the recording."""
    return {
        "Art_OrderTime": article.show_time.replace("-", "/"),
        "Art_Digest": article.summary,
        "Art_Tip_Info": _tip_info(article.stocks),
    }


@cache
def _blank_detail() -> dict[str, str]:
    """The recorded keys in their order; what belongs to the recorded article alone is emptied."""
    own = {"Art_Keyword": "", "AiMd5": "", "Art_Fund_Info": "", "Art_Fund_InfoV2": "[]"}
    tags = '{"mkdayType":null,"source":null,"contentType":null,"market":null,"style":null}'
    return recorded_detail() | own | {"Art_HandleTags": tags}


def _tip_info(stocks: Iterable[str]) -> str:
    """``[{"Type":999,"Code":"0.300024"},…]``: by market, American shares 1005, boards 1001."""
    types = {"90": 1001, "105": 1005, "106": 1005, "107": 1005}
    codes: dict[int, list[str]] = {}
    for secid in stocks:
        codes.setdefault(types.get(secid.partition(".")[0], 999), []).append(secid)
    return _compact([{"Type": kind, "Code": ",".join(found)} for kind, found in codes.items()])


def fast_page(corpus: Corpus, query: Query) -> bytes:
    """``{"code": "1", "message", "data": {"sortEnd", "fastNewsList", "total"}}``; ``sortEnd`` of one page
    asks for the next, older one (section b1)."""
    missing = _missing(query, "req_trace")
    if missing:
        return missing
    column, cursor = query.get("fastColumn", "102"), query.get("sortEnd", "")
    size = min(_number(query, "pageSize", 20), MOST_ROWS)
    # Assumed: a cursor that is no number counts as none.
    codes = corpus.in_fast_news(column, int(cursor) if cursor.isdecimal() else None)[:size]
    rows = [fast_row(head) for head in _heads(corpus, codes)]
    data = {
        # Assumed: an empty page has an empty cursor.
        "sortEnd": rows[-1]["realSort"] if rows else "",
        "fastNewsList": rows,
        # Assumed: all rows of the column.
        "total": len(corpus.in_fast_news(column)),
    }
    return _jsonp(query, {"code": "1", "message": "success", "data": data})


def fast_row(head: Listed) -> Row:
    """Ten keys, no link and no media (section b1)."""
    return {
        "code": head.code,
        "image": list(head.fast_images),
        "pinglun_Num": 0,
        "realSort": str(head.real_sort),
        "share": 1,
        "showTime": head.show_time,
        "stockList": list(head.stocks),
        "summary": head.flash,
        "title": head.title if head.fast_title is None else head.fast_title,
        "titleColor": head.title_color,
    }


def kuaixun_page(corpus: Corpus, column: str, callback: str, size: int, page: int) -> bytes:
    """``var cb={"rc": 1, "me": "", "LivesList": […]}``, bare without a callback (section b2)."""
    codes = corpus.in_fast_news(column)[(page - 1) * size : page * size] if page > 0 else ()
    rows = [kuaixun_row(head) for head in _heads(corpus, codes)]
    reply = _compact({"rc": 1, "me": "", "LivesList": rows})
    # The source ends some replies with a semicolon and some without: here every second page.
    ending = ";" if page % 2 == 0 else ""
    return (f"var {callback}={reply}{ending}" if callback else reply).encode()


def kuaixun_row(head: Listed) -> dict[str, str]:
    """All strings; the keys that no recorded row fills are empty (section b2)."""
    filled = {
        "sort": str(head.real_sort),
        "id": head.code,
        "newsid": head.code,
        "url_w": head.page_url,
        "url_m": f"https://wap.eastmoney.com/a/{head.code}.html",
        "url_unique": head.page_url,
        "title": head.title,
        "simtitle": head.title,
        "digest": head.flash,
        "simdigest": head.flash,
        "image": head.image,
        "titlestyle": str(head.title_color),
        "column": ",".join(("102", *head.fast_columns)),
        "showtime": head.show_time,
        "ordertime": head.show_time,
        "commentnum": "0",
        "newstype": "1",
    }
    empty = "url_pdf type simtype simtype_zh topic simspecial simtopic editor_id editor_name lasteditor_name"
    return filled | dict.fromkeys(empty.split(), "")


def rolling_list(corpus: Corpus, query: Query) -> bytes:
    """``{"records": [{title, digest, id, url_w, showtime, infoCode}]}``, type 102 of the 2022 site."""
    return dump({"records": [_rolling_row(head) for head in _newest(corpus, "102", query)]})


def _rolling_row(head: Listed) -> Row:
    """A blank row has its codes and its digest, and nothing else."""
    return {
        "title": head.title,
        "digest": head.flash,
        "id": head.code,
        "url_w": head.old_url,
        "showtime": head.show_time,
        "infoCode": head.info_code,
    }


def node_list(corpus: Corpus, query: Query) -> bytes:
    """``{"nodeList": [{title, from, infocode, showtime, simtitle, simdigest}]}``, type 45."""
    return dump({"nodeList": [_node_row(head) for head in _newest(corpus, "45", query)]})


def _node_row(head: Listed) -> Row:
    """``infocode`` is lower case here. Assumed: the short forms are no shorter."""
    return {
        "title": head.title,
        "from": head.media,
        "infocode": head.info_code,
        "showtime": head.show_time,
        "simtitle": head.title,
        "simdigest": head.flash,
    }


def market_list(corpus: Corpus, query: Query) -> bytes:
    """``{"record": [{title, medianame, infoCode, datetime}]}``, market types 37, 38 and 39."""
    return dump({"record": [_market_row(head) for head in _newest(corpus, query["marketType"], query)]})


def _market_row(head: Listed) -> Row:
    return {
        "title": head.title,
        "medianame": head.media,
        "infoCode": head.info_code,
        "datetime": head.show_time,
    }


def news_text(corpus: Corpus, query: Query) -> bytes:
    """``{"text": …, "content": …}``: ``content`` for list 102, ``text`` for all others; an unknown id has
    neither."""
    article = corpus.article(query.get("id", "").removeprefix("NW"))
    if article is None:
        return dump({"text": None, "content": None})
    body = with_source_line(article)
    by_media = any(name != "102" for name in article.lists) or not article.lists
    content = body if "102" in article.lists else None
    return dump({"text": without_links(body) if by_media else None, "content": content})


def without_source_line(content: str) -> str:
    """A body without its ``em_media`` paragraph, as the JSON detail has it."""
    return SOURCE_LINE.sub("", content) if "em_media" in content else content


def with_source_line(article: SourceArticle) -> str:
    """A body with its ``em_media`` paragraph, as the page and the 2022 site have it."""
    if 'class="em_media"' in article.content or not article.media:
        return article.content
    return f'{article.content}<p class="em_media">（文章来源：{article.media}）</p>'


def without_links(body: str) -> str:
    """Names as plain words: ``text`` never had the spans that ``content`` has."""
    return _LINKED_NAMES.sub(lambda found: found["linked"] or found["marked"] or "", body)


def dump(value: object) -> bytes:
    """Compact JSON, Chinese as it is."""
    return _compact(value).encode()


def _compact(value: object) -> str:
    return _ENCODER.encode(value)


def _jsonp(query: Query, value: object) -> bytes:
    callback = query.get("callback", "")
    return f"{callback}({_compact(value)})".encode() if callback else dump(value)


def _missing(query: Query, *names: str) -> bytes | None:
    """The error shell for the first parameter that is missing or empty: HTTP 200, code 0 (section a)."""
    for name in names:
        if not query.get(name):
            return recorded_bytes("column_error.json").replace(b"req_trace", name.encode())
    return None


def _number(query: Query, name: str, default: int) -> int:
    """Assumed: what is no positive number counts as not given."""
    text = query.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else default


def _projected(rows: Sequence[Row], fields: str) -> list[Row]:
    """Only the wanted fields; ``Np_dst`` is asked for so and comes back as ``np_dst``."""
    if not fields:
        return list(rows)
    wanted = {"np_dst" if name == "Np_dst" else name for name in fields.split(",")}
    return [{name: value for name, value in row.items() if name in wanted} for row in rows]


def _heads(corpus: Corpus, codes: Iterable[str]) -> list[Listed]:
    """Without those that were removed since the codes were read."""
    return _present(corpus.head, codes)


def _present(find: Callable[[str], H | None], codes: Iterable[str]) -> list[H]:
    return [found for code in codes if (found := find(code)) is not None]


def _newest(corpus: Corpus, name: str, query: Query) -> list[Listed]:
    """Assumed: a hundred when the query does not say how many."""
    return _heads(corpus, corpus.in_list(name)[: _number(query, "count", 100)])
