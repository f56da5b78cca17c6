"""Routes: request -> response. Only the path decides, whatever the host, since a crawler sends the requests for
all hosts of the source here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from crawler.sample_site.api_responses import (
    QueryParams,
    build_columns_response,
    build_detail_response,
    build_fast_news_response,
    build_kuaixun_response,
    build_market_list_response,
    build_news_text_response,
    build_node_list_response,
    build_rolling_list_response,
)
from crawler.sample_site.corpus import Corpus
from crawler.sample_site.html_pages import (
    NOT_FOUND_PAGE,
    ROBOTS_TXT,
    find_article_with_page,
    render_article_page,
    render_share_page,
)
from crawler.sample_site.http_exchange import (
    HTML_CONTENT_TYPE,
    JSON_CONTENT_TYPE,
    SCRIPT_CONTENT_TYPE,
    TEXT_CONTENT_TYPE,
    HttpRequest,
    HttpResponse,
)

NOT_FOUND_RESPONSE = HttpResponse(NOT_FOUND_PAGE, HTML_CONTENT_TYPE, 404)

_ARTICLE_PATH = r"(?:/news/1\d{2,4},|/a/)(?P<code>[^\W_]+)(?:_(?P<page>\d{1,3}))?\.html"
_DETAIL_PATH = re.compile(r"/kuaixun/v2/api/article/(?P<code>\w+)")
_PAGE_PATH = re.compile(_ARTICLE_PATH)
_CFH_PAGE_PATH = re.compile(r"/news/(?P<code>\w+)")
_KUAIXUN_PATH = re.compile(r"/kuaixun/v1/getlist_(\w+?)_([\w$]*)_(\d+)_(\d+)_\.html")


def route_request(corpus: Corpus, request: HttpRequest) -> HttpResponse:
    """The site's own response."""
    if request.method not in ("GET", "HEAD"):
        return NOT_FOUND_RESPONSE._replace(status=405)
    if path_handler := _HANDLERS_BY_PATH.get(request.path):
        return path_handler(corpus, request.query)
    for pattern, pattern_handler in _HANDLERS_BY_PATTERN:
        if match := pattern.fullmatch(request.path):
            return pattern_handler(corpus, match)
    return NOT_FOUND_RESPONSE


def requested_article_code(request: HttpRequest) -> str | None:
    """Of which article a request wants the body, if it wants one."""
    if request.path == "/NewsData/GetNewsText.do":
        return request.query.get("id", "").removeprefix("NW")
    for pattern in (_DETAIL_PATH, _PAGE_PATH, _CFH_PAGE_PATH):
        if match := pattern.fullmatch(request.path):
            return match["code"]
    return None


def _handle_columns(corpus: Corpus, query: QueryParams) -> HttpResponse:
    return HttpResponse(build_columns_response(corpus, query), _content_type_for(query))


def _handle_fast_news(corpus: Corpus, query: QueryParams) -> HttpResponse:
    return HttpResponse(build_fast_news_response(corpus, query), _content_type_for(query))


def _handle_web_list(corpus: Corpus, query: QueryParams) -> HttpResponse:
    """The two lists of one path; assumed: no other type is one."""
    builder_by_type = {"102": build_rolling_list_response, "45": build_node_list_response}
    build_list = builder_by_type.get(query.get("type", ""))
    return HttpResponse(build_list(corpus, query), JSON_CONTENT_TYPE) if build_list else NOT_FOUND_RESPONSE


def _handle_market_list(corpus: Corpus, query: QueryParams) -> HttpResponse:
    if query.get("marketType") not in ("37", "38", "39"):
        return NOT_FOUND_RESPONSE
    return HttpResponse(build_market_list_response(corpus, query), JSON_CONTENT_TYPE)


def _handle_news_text(corpus: Corpus, query: QueryParams) -> HttpResponse:
    return HttpResponse(build_news_text_response(corpus, query), JSON_CONTENT_TYPE)


def _handle_share_page(corpus: Corpus, query: QueryParams) -> HttpResponse:
    article = find_article_with_page(corpus, query.get("infoCode", "").removeprefix("NW"))
    return HttpResponse(render_share_page(article)) if article else NOT_FOUND_RESPONSE


def _handle_robots(_corpus: Corpus, _query: QueryParams) -> HttpResponse:
    return HttpResponse(ROBOTS_TXT, TEXT_CONTENT_TYPE)


def _handle_detail(corpus: Corpus, match: re.Match[str]) -> HttpResponse:
    return HttpResponse(build_detail_response(corpus, match["code"]), JSON_CONTENT_TYPE)


def _handle_page(corpus: Corpus, match: re.Match[str]) -> HttpResponse:
    return _page_response(corpus, match["code"], "CMS", int(match["page"] or 1))


def _handle_cfh_page(corpus: Corpus, match: re.Match[str]) -> HttpResponse:
    return _page_response(corpus, match["code"], "CFH")


def _page_response(corpus: Corpus, code: str, np_dst: str, page_number: int = 1) -> HttpResponse:
    """Each kind has its page under its own form of address only."""
    article = find_article_with_page(corpus, code)
    if article is None or article.np_dst != np_dst or not 1 <= page_number <= article.page_count:
        return NOT_FOUND_RESPONSE
    return HttpResponse(render_article_page(article, page_number))


def _handle_kuaixun(corpus: Corpus, match: re.Match[str]) -> HttpResponse:
    column, callback, size, page = match.groups()
    return HttpResponse(build_kuaixun_response(corpus, column, callback, int(size), int(page)), SCRIPT_CONTENT_TYPE)


def _content_type_for(query: QueryParams) -> str:
    return SCRIPT_CONTENT_TYPE if query.get("callback") else JSON_CONTENT_TYPE


_HANDLERS_BY_PATH: dict[str, Callable[[Corpus, QueryParams], HttpResponse]] = {
    "/comm/web/getNewsByColumns": _handle_columns,
    "/comm/web/getFastNewsList": _handle_fast_news,
    "/web/webapi": _handle_web_list,
    "/information/newmarket/web/webapi": _handle_market_list,
    "/NewsData/GetNewsText.do": _handle_news_text,
    "/html_News/NewsShare.html": _handle_share_page,
    "/robots.txt": _handle_robots,
}
_HANDLERS_BY_PATTERN: tuple[tuple[re.Pattern[str], Callable[[Corpus, re.Match[str]], HttpResponse]], ...] = (
    (_DETAIL_PATH, _handle_detail),
    (_PAGE_PATH, _handle_page),
    (_CFH_PAGE_PATH, _handle_cfh_page),
    (_KUAIXUN_PATH, _handle_kuaixun),
)
