"""Views: the pages of the web view, each a function from request to template."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from datasette.app import Datasette
from datasette.utils.asgi import NotFound, Request, Response
from markupsafe import Markup, escape

from crawler.content import clock
from crawler.content.diff import DiffPart, diff_paragraphs, merge_parts
from crawler.content.html_text import html_to_text
from crawler.errors import RejectedArticleError
from crawler.publish import feeds
from crawler.publish.web import article_body, charts, http_cache, search_hints, search_params, security
from crawler.publish.web.datasette_database import DATABASE_NAME
from crawler.publish.web.search_params import MAX_RESULTS, RESULTS_PER_PAGE, SearchParams
from crawler.storage import Store
from crawler.storage.search.query import parse_query
from crawler.storage.search.request import SortOrder
from crawler.storage.search.snippets import Snippet
from crawler.storage.search.suggestions import suggest
from crawler.storage.site_links import load_site_links

_MAX_HOME_ARTICLES, _MAX_HOME_MEDIA, _ARTICLES_PER_HOME_MEDIA = 30, 10, 4
_CHART_DAYS = 30
_MAX_FACET_VALUES = 12
_MAX_LISTED_ARTICLES = 100
_MAX_LISTED_STOCKS = 200

Row = Mapping[str, Any]


async def show_home(datasette: Datasette, request: Request) -> Response:
    """Return the home page: the latest articles, a chart, and media."""

    def load(store: Store) -> dict[str, Any]:
        media = store.daily_counts.latest_media(_MAX_HOME_MEDIA)
        return {
            "latest": store.site_pages.latest_articles(_MAX_HOME_ARTICLES),
            "media": [
                {**row, "latest": store.site_pages.articles_in_category(row["slug"], _ARTICLES_PER_HOME_MEDIA)}
                for row in media
            ],
            "chart": charts.chart_articles_per_media(store.daily_counts.by_day_and_media(_CHART_DAYS), _CHART_DAYS),
        }

    return await _render_page(datasette, request, "start.html", await _query_store(datasette, load))


async def show_search(datasette: Datasette, request: Request) -> Response:
    """Return the search page with hits, facets and hints."""
    params = search_params.parse_params(request.args)

    def load(store: Store) -> dict[str, Any]:
        search_request = search_params.build_search_request(store, params, clock.now())
        rows = list(store.search.rows(replace(search_request, limit=MAX_RESULTS)))
        first = (params.page - 1) * RESULTS_PER_PAGE
        hits = list(store.search.with_snippets(rows[first : first + RESULTS_PER_PAGE], search_request))
        hints = [search_hints.NOTE_TEXTS[note] for note in parse_query(search_request.text).notes]
        if not rows and not params.offset:
            hints += map(search_hints.SUGGESTION_TEXTS.describe, suggest(store.search, store.stocks, search_request))
        return {"hits": hits, "total": len(rows), "facets": _build_facets(store, rows, params), "hints": hints}

    context = await _query_store(datasette, load)
    has_more = context["total"] > params.page * RESULTS_PER_PAGE
    # The last page of these results links to the next ones.
    next_offset = params.offset + MAX_RESULTS if not has_more and context["total"] == MAX_RESULTS else 0
    return await _render_page(
        datasette,
        request,
        "search.html",
        {
            **context,
            "params": params,
            "has_more": has_more,
            "next_offset": next_offset,
            "max_results": MAX_RESULTS,
        },
    )


def _build_facets(store: Store, rows: Sequence[Row], params: SearchParams) -> list[dict[str, Any]]:
    """Return the media, days and stocks of the hits, each with its number of articles and a link."""
    media_counts = Counter((row["category"], row["media"]) for row in rows)
    day_counts = Counter(row["published_at"][:10] for row in rows)
    newest_days = sorted(day_counts.items(), reverse=True)[:_MAX_FACET_VALUES]
    stock_counts = store.stocks.most_linked_in([row["code"] for row in rows], _MAX_FACET_VALUES)
    return [
        _build_facet(
            params,
            "媒体",
            [(name, slug, count) for (slug, name), count in media_counts.most_common(_MAX_FACET_VALUES)],
            "category",
        ),
        _build_facet(
            params, "日期", [(day, day, article_count) for day, article_count in newest_days], "since", "until"
        ),
        _build_facet(params, "股票", stock_counts, "stock"),
    ]


def _build_facet(
    params: SearchParams, title: str, values: Sequence[tuple[str, str, int]], *param_names: str
) -> dict[str, Any]:
    """Return a facet; the link of a value sets the parameters of these names to it."""

    def build_link(value: str) -> str:
        return params.query_string_without("offset", **dict.fromkeys(param_names, value))

    return {
        "title": title,
        "values": [{"label": label, "link": build_link(value), "count": count} for label, value, count in values],
    }


async def show_article(datasette: Datasette, request: Request) -> Response:
    """Return the page of an article, as of a time if `as_of` is given."""
    code, as_of = request.url_vars["code"], search_params.parse_params(request.args).get("as_of")

    def load(store: Store) -> dict[str, Any] | None:
        as_of_time = search_params.parse_date_param(as_of, clock.now())
        row = store.search.get_full_as_of(code, as_of_time) if as_of_time else store.articles.get_full(code)
        if row is None:
            return None
        reprints = [reprint for reprint in row["story"] if reprint["code"] != code]
        return {"article": row, "as_of": as_of, "reprints": reprints}

    context = _require_found(await _query_store(datasette, load))
    body_html = context["article"]["body_html"]
    try:
        rendered_body = article_body.render_body(body_html, "/stock/")
    except RejectedArticleError:
        rendered_body = f"<pre>{escape(body_html)}</pre>"
    return await _render_page(datasette, request, "article.html", {**context, "body_html": rendered_body})


async def show_revision_diff(datasette: Datasette, request: Request) -> Response:
    """Return the page that compares a revision of an article with the one before."""
    code, revision = request.url_vars["code"], int(request.url_vars["number"])

    def load(store: Store) -> dict[str, Any] | None:
        versions_by_revision = {version["revision"]: version for version in store.history.versions(code)}
        after, before = versions_by_revision.get(revision), versions_by_revision.get(revision - 1)
        return {"code": code, "before": before, "after": after} if before and after else None

    context = _require_found(await _query_store(datasette, load))
    before, after = context["before"], context["after"]
    context["title"] = _diff_inline(before["title"], after["title"])
    context["time"] = _diff_inline(*(version["published_at"][:19].replace("T", " ") for version in (before, after)))
    context["rows"] = [
        row.parts for row in diff_paragraphs(html_to_text(before["body_html"]), html_to_text(after["body_html"]))
    ]
    return await _render_page(datasette, request, "changes.html", context)


def _diff_inline(before: str, after: str) -> list[DiffPart]:
    return merge_parts(diff_paragraphs(before, after))


async def show_stock(datasette: Datasette, request: Request) -> Response:
    """Return the page of a stock: a chart and its articles."""
    stock_query = unquote(request.url_vars["key"])

    def load(store: Store) -> dict[str, Any] | None:
        stock_details = store.stocks.get_details(stock_query, _MAX_LISTED_ARTICLES)
        return {**stock_details, "newest": store.daily_counts.newest_day()} if stock_details["stocks"] else None

    context = _require_found(await _query_store(datasette, load))
    chart = charts.chart_articles_over_time(context["stocks"][0]["name"], context["days"], context["newest"])
    return await _render_page(datasette, request, "stock.html", {**context, "chart": chart})


async def show_stocks(datasette: Datasette, request: Request) -> Response:
    """Return the list of the stocks with most articles."""
    context = await _query_store(
        datasette, lambda store: {"stocks": store.stocks.with_article_counts(_MAX_LISTED_STOCKS)}
    )
    return await _render_page(datasette, request, "stocks.html", context)


async def show_media(datasette: Datasette, request: Request) -> Response:
    """Return the list of media."""
    context = await _query_store(datasette, lambda store: {"media": store.categories.with_article_counts()})
    return await _render_page(datasette, request, "media.html", context)


async def show_category(datasette: Datasette, request: Request) -> Response:
    """Return the page of a category with its newest articles."""
    slug = unquote(request.url_vars["slug"])

    def load(store: Store) -> dict[str, Any] | None:
        rows = store.site_pages.articles_in_category(slug, _MAX_LISTED_ARTICLES)
        return {"rows": rows, "slug": slug, "title": rows[0]["media"]} if rows else None

    return await _render_page(datasette, request, "category.html", _require_found(await _query_store(datasette, load)))


async def show_days(datasette: Datasette, request: Request) -> Response:
    """Return the list of the days of a year, by default the newest."""
    requested_year = request.args.get("year") or ""

    def load(store: Store) -> dict[str, Any]:
        years = store.site_pages.periods_with_articles(len("2022"))
        year = requested_year if requested_year in years else next(iter(years), "")
        return {"days": store.site_pages.article_counts_by_day(year), "years": years, "year": year}

    return await _render_page(datasette, request, "days.html", await _query_store(datasette, load))


async def show_day(datasette: Datasette, request: Request) -> Response:
    """Return the page of a day."""
    iso_day = request.url_vars["day"]
    rows = await _query_store(
        datasette, lambda store: list(store.site_pages.articles_on_day(iso_day.replace("-", "/")))
    )
    return await _render_page(
        datasette, request, "day.html", _require_found({"rows": rows, "day": iso_day} if rows else None)
    )


async def show_feed(datasette: Datasette, request: Request) -> Response:
    """Return a feed of a search, with the parameters of the search page and `limit`."""
    feed_format = feeds.FEED_FORMATS[request.url_vars["format"]]
    params, limit = search_params.parse_params(request.args), search_params.parse_limit(request.args)
    database = datasette.get_database(DATABASE_NAME)
    # Read before the articles. A feed up to an age (`until=2d`) changes with time, even if the database does not.
    modified_at = None if params.get("until") or params.get("as_of") else database.modified_at()
    if http_cache.is_unmodified(request, modified_at):
        return http_cache.build_not_modified(modified_at, clock.now())

    def render(store: Store) -> bytes:
        search_request = search_params.build_search_request(store, params, clock.now())
        newest_first = replace(search_request, sort=SortOrder.NEWEST, offset=0)
        rows = feeds.select_newest(store.search.rows(newest_first), limit)
        info = feeds.FeedInfo(load_site_links(database.output).address, params.values, request.url)
        return feed_format.render(rows, info).encode()

    content = await _query_store(datasette, render)
    content_type = f"{feed_format.media_type}; charset=utf-8"
    return http_cache.build_response(request, content, content_type, modified_at, clock.now())


def highlight_hits(snippet: Snippet) -> Markup:
    """Return a snippet as HTML with its hits highlighted."""
    return Markup("").join(
        Markup("<mark>{}</mark>").format(text) if is_hit else escape(text) for text, is_hit in snippet.segments()
    )


async def _query_store(datasette: Datasette, fn: Callable[[Store], Any]) -> Any:
    return await datasette.get_database(DATABASE_NAME).execute_on_store(fn)


async def _render_page(datasette: Datasette, request: Request, template: str, context: dict[str, Any]) -> Response:
    html = await datasette.render_template(f"finews/{template}", context, request=request)
    return Response.html(html, headers={"content-security-policy": security.STRICT_CSP})


def _require_found(context: Any) -> Any:
    if context is None:
        raise NotFound("这里没有这一页。")
    return context
