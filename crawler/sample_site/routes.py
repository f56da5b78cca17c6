"""Which reply a request gets. Only the path decides, whatever host is asked for, since a crawler sends the
requests for all hosts of the source here."""

from __future__ import annotations

import re
from collections.abc import Callable

from crawler.sample_site.api_responses import (
    Query,
    article_detail,
    columns_page,
    fast_page,
    kuaixun_page,
    market_list,
    news_text,
    node_list,
    rolling_list,
)
from crawler.sample_site.corpus import Corpus
from crawler.sample_site.html_pages import NOT_FOUND, ROBOTS, article_page, share_page, wanted_page
from crawler.sample_site.http import HTML, JSON, SCRIPT, TEXT, Hit, Reply

MISSING = Reply(NOT_FOUND, HTML, 404)

_CODE = r"(?:/news/1\d{2,4},|/a/)(?P<code>\w+)\.html"
_DETAIL = re.compile(r"/kuaixun/v2/api/article/(?P<code>\w+)")
_PAGE = re.compile(_CODE)
_CFH_PAGE = re.compile(r"/news/(?P<code>\w+)")
_KUAIXUN = re.compile(r"/kuaixun/v1/getlist_(\w+?)_([\w$]*)_(\d+)_(\d+)_\.html")


def answer(corpus: Corpus, hit: Hit) -> Reply:
    """The site's own reply."""
    if hit.method not in ("GET", "HEAD"):
        return MISSING._replace(status=405)
    if fixed := _FIXED.get(hit.path):
        return fixed(corpus, hit.query)
    for pattern, route in _PATTERNS:
        if found := pattern.fullmatch(hit.path):
            return route(corpus, found)
    return MISSING


def article_code(hit: Hit) -> str | None:
    """Of which article a request wants the body, if it wants one."""
    if hit.path == "/NewsData/GetNewsText.do":
        return hit.query.get("id", "").removeprefix("NW")
    for pattern in (_DETAIL, _PAGE, _CFH_PAGE):
        if found := pattern.fullmatch(hit.path):
            return found["code"]
    return None


def _columns(corpus: Corpus, query: Query) -> Reply:
    return Reply(columns_page(corpus, query), _script_or_json(query))


def _fast(corpus: Corpus, query: Query) -> Reply:
    return Reply(fast_page(corpus, query), _script_or_json(query))


def _web(corpus: Corpus, query: Query) -> Reply:
    """The two lists of one path; assumed: no other type is one."""
    lists = {"102": rolling_list, "45": node_list}
    found = lists.get(query.get("type", ""))
    return Reply(found(corpus, query), JSON) if found else MISSING


def _market(corpus: Corpus, query: Query) -> Reply:
    if query.get("marketType") not in ("37", "38", "39"):
        return MISSING
    return Reply(market_list(corpus, query), JSON)


def _text(corpus: Corpus, query: Query) -> Reply:
    return Reply(news_text(corpus, query), JSON)


def _share(corpus: Corpus, query: Query) -> Reply:
    article = wanted_page(corpus, query.get("infoCode", "").removeprefix("NW"))
    return Reply(share_page(article)) if article else MISSING


def _robots(_corpus: Corpus, _query: Query) -> Reply:
    return Reply(ROBOTS, TEXT)


def _detail(corpus: Corpus, found: re.Match[str]) -> Reply:
    return Reply(article_detail(corpus, found["code"]), JSON)


def _page(corpus: Corpus, found: re.Match[str]) -> Reply:
    return _page_of(corpus, found["code"], "CMS")


def _cfh_page(corpus: Corpus, found: re.Match[str]) -> Reply:
    return _page_of(corpus, found["code"], "CFH")


def _page_of(corpus: Corpus, code: str, np_dst: str) -> Reply:
    """Each kind has its page under its own form of address only."""
    article = wanted_page(corpus, code)
    if article is None or article.np_dst != np_dst:
        return MISSING
    return Reply(article_page(article))


def _kuaixun(corpus: Corpus, found: re.Match[str]) -> Reply:
    column, callback, size, page = found.groups()
    return Reply(kuaixun_page(corpus, column, callback, int(size), int(page)), SCRIPT)


def _script_or_json(query: Query) -> str:
    return SCRIPT if query.get("callback") else JSON


_FIXED: dict[str, Callable[[Corpus, Query], Reply]] = {
    "/comm/web/getNewsByColumns": _columns,
    "/comm/web/getFastNewsList": _fast,
    "/web/webapi": _web,
    "/information/newmarket/web/webapi": _market,
    "/NewsData/GetNewsText.do": _text,
    "/html_News/NewsShare.html": _share,
    "/robots.txt": _robots,
}
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[Corpus, re.Match[str]], Reply]], ...] = (
    (_DETAIL, _detail),
    (_PAGE, _page),
    (_CFH_PAGE, _cfh_page),
    (_KUAIXUN, _kuaixun),
)
