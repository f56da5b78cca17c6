"""Routes: request -> response, by path only: a crawler sends the requests for all hosts here."""

from __future__ import annotations

import re

from crawler.sample_site.api_responses import (
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
    """Return the site's own response; 405 unless GET or HEAD, 404 for an unknown path."""
    if request.method not in ("GET", "HEAD"):
        return NOT_FOUND_RESPONSE._replace(status=405)
    if response := _serve_fixed_path(corpus, request):
        return response
    if match := _DETAIL_PATH.fullmatch(request.path):
        return HttpResponse(build_detail_response(corpus, match["code"]), JSON_CONTENT_TYPE)
    if match := _PAGE_PATH.fullmatch(request.path):
        return _page_response(corpus, match["code"], "CMS", int(match["page"] or 1))
    if match := _CFH_PAGE_PATH.fullmatch(request.path):
        return _page_response(corpus, match["code"], "CFH")
    if match := _KUAIXUN_PATH.fullmatch(request.path):
        column, callback, size, page = match.groups()
        return HttpResponse(build_kuaixun_response(corpus, column, callback, int(size), int(page)), SCRIPT_CONTENT_TYPE)
    return NOT_FOUND_RESPONSE


def requested_article_code(request: HttpRequest) -> str | None:
    """Return the code of the article whose body is requested; None for any other request."""
    if request.path == "/NewsData/GetNewsText.do":
        return request.query.get("id", "").removeprefix("NW")
    for pattern in (_DETAIL_PATH, _PAGE_PATH, _CFH_PAGE_PATH):
        if match := pattern.fullmatch(request.path):
            return match["code"]
    return None


def _serve_fixed_path(corpus: Corpus, request: HttpRequest) -> HttpResponse | None:
    """Return the response of a fixed path. Assumed: other types of the 2022 lists do not exist."""
    query = request.query
    api_content_type = SCRIPT_CONTENT_TYPE if query.get("callback") else JSON_CONTENT_TYPE
    match request.path:
        case "/comm/web/getNewsByColumns":
            return HttpResponse(build_columns_response(corpus, query), api_content_type)
        case "/comm/web/getFastNewsList":
            return HttpResponse(build_fast_news_response(corpus, query), api_content_type)
        case "/web/webapi" if query.get("type") == "102":
            return HttpResponse(build_rolling_list_response(corpus, query), JSON_CONTENT_TYPE)
        case "/web/webapi" if query.get("type") == "45":
            return HttpResponse(build_node_list_response(corpus, query), JSON_CONTENT_TYPE)
        case "/information/newmarket/web/webapi" if query.get("marketType") in ("37", "38", "39"):
            return HttpResponse(build_market_list_response(corpus, query), JSON_CONTENT_TYPE)
        case "/NewsData/GetNewsText.do":
            return HttpResponse(build_news_text_response(corpus, query), JSON_CONTENT_TYPE)
        case "/html_News/NewsShare.html":
            article = find_article_with_page(corpus, query.get("infoCode", "").removeprefix("NW"))
            return HttpResponse(render_share_page(article)) if article else NOT_FOUND_RESPONSE
        case "/robots.txt":
            return HttpResponse(ROBOTS_TXT, TEXT_CONTENT_TYPE)
    return None


def _page_response(corpus: Corpus, code: str, np_dst: str, page_number: int = 1) -> HttpResponse:
    """Return a page of an article; 404 unless the article is of this kind, "CMS" or "CFH"."""
    article = find_article_with_page(corpus, code)
    if article is None or article.np_dst != np_dst or not 1 <= page_number <= article.page_count:
        return NOT_FOUND_RESPONSE
    return HttpResponse(render_article_page(article, page_number))
