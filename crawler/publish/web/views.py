"""The pages: what each asks of the store, and the template that shows it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from datasette.app import Datasette
from datasette.utils.asgi import NotFound, Request, Response
from markupsafe import Markup, escape

from crawler.content import clock
from crawler.content.diff import Part, compare, parts
from crawler.content.html_cleaner import for_pages, plain
from crawler.content.unicode_text import one_line
from crawler.errors import Rejected
from crawler.publish import feeds
from crawler.publish.web import charts, search_params, security
from crawler.publish.web.datasette_database import NAME
from crawler.publish.web.search_params import MOST, ON_A_PAGE, Address
from crawler.storage import Store
from crawler.storage.search.snippets import Passage
from crawler.storage.site_links import site_of

_LATEST, _MEDIA, _EACH = 30, 10, 4
_CHART_DAYS = 30
_IN_A_FACET = 12
_ON_A_STOCK = 100
_IN_A_FEED = 50
_STOCKS = 200

Row = Mapping[str, Any]


async def start(datasette: Datasette, request: Request) -> Response:
    def ask(store: Store) -> dict[str, Any]:
        media = store.days.latest_media(_MEDIA)
        return {
            "latest": store.pages.latest(_LATEST),
            "media": [{**row, "latest": store.pages.in_category(row["slug"], _EACH)} for row in media],
            "chart": charts.per_media(store.days.per_media(_CHART_DAYS), _CHART_DAYS),
        }

    return await _page(datasette, request, "start.html", await _ask(datasette, ask))


async def search(datasette: Datasette, request: Request) -> Response:
    address = search_params.read(request.args)

    def ask(store: Store) -> dict[str, Any]:
        question = search_params.asked(store, address, clock.now())
        rows = list(store.search.articles(replace(question, limit=MOST)))
        first = (address.page - 1) * ON_A_PAGE
        shown = list(store.search.told(rows[first : first + ON_A_PAGE], question))
        return {"found": shown, "number": len(rows), "facets": _facets(store, rows, address)}

    known = await _ask(datasette, ask)
    more = known["number"] > address.page * ON_A_PAGE
    return await _page(datasette, request, "search.html", {**known, "address": address, "more": more, "most": MOST})


def _facets(store: Store, rows: Sequence[Row], address: Address) -> list[dict[str, Any]]:
    """Media, days and stocks of what was found, each with how many articles and where a click leads."""
    media = Counter((row["category"], row["media"]) for row in rows)
    days = Counter(row["published_at"][:10] for row in rows)
    newest = sorted(days.items(), reverse=True)[:_IN_A_FACET]
    stocks = store.stocks.among([row["code"] for row in rows], _IN_A_FACET)
    return [
        _facet(address, "媒体", [(name, slug, n) for (slug, name), n in media.most_common(_IN_A_FACET)], "category"),
        _facet(address, "日期", [(day, day, n) for day, n in newest], "since", "until"),
        _facet(address, "股票", stocks, "stock"),
    ]


def _facet(address: Address, title: str, values: Sequence[tuple[str, str, int]], *names: str) -> dict[str, Any]:
    """Labels, values and numbers; a click sets the filters of these names to the value."""

    def link(value: str) -> str:
        return address.without(**dict.fromkeys(names, value))

    return {"title": title, "values": [{"label": label, "link": link(value), "n": n} for label, value, n in values]}


async def article(datasette: Datasette, request: Request) -> Response:
    code, as_of = request.url_vars["code"], search_params.read(request.args).get("as_of")

    def ask(store: Store) -> dict[str, Any] | None:
        at = search_params.moment(as_of, clock.now())
        row = store.search.whole_as_of(code, at) if at else store.articles.whole(code)
        if row is None:
            return None
        reprints = [each for each in row["story"] if each["code"] != code]
        return {"article": row, "as_of": as_of, "reprints": reprints}

    known = _found(await _ask(datasette, ask))
    body = _body(known["article"]["body_html"])
    return await _page(datasette, request, "article.html", {**known, "body": body})


def _body(body_html: str) -> str:
    """A body as our pages show it, as HTML: markup of the allow-list; what is none of it is shown as text."""
    try:
        return for_pages(body_html, "/stock/")
    except Rejected:
        return f"<pre>{escape(body_html)}</pre>"


async def changes(datasette: Datasette, request: Request) -> Response:
    code, number = request.url_vars["code"], int(request.url_vars["number"])

    def ask(store: Store) -> dict[str, Any] | None:
        by_number = {version["revision"]: version for version in store.history.versions(code)}
        after, before = by_number.get(number), by_number.get(number - 1)
        return {"code": code, "before": before, "after": after} if before and after else None

    known = _found(await _ask(datasette, ask))
    before, after = known["before"], known["after"]
    known["title"] = _changed(before["title"], after["title"])
    known["time"] = _changed(*(version["published_at"][:19].replace("T", " ") for version in (before, after)))
    known["rows"] = [row.parts for row in compare(plain(before["body_html"]), plain(after["body_html"]))]
    return await _page(datasette, request, "changes.html", known)


def _changed(before: str, after: str) -> list[Part]:
    return parts(compare(before, after))


async def stock(datasette: Datasette, request: Request) -> Response:
    key = unquote(request.url_vars["key"]).strip().upper()

    def ask(store: Store) -> dict[str, Any] | None:
        known = store.stocks.of(key, _ON_A_STOCK)
        return {**known, "newest": store.days.newest()} if known["stocks"] else None

    known = _found(await _ask(datasette, ask))
    chart = charts.over_time(known["stocks"][0]["name"], known["days"], known["newest"])
    return await _page(datasette, request, "stock.html", {**known, "chart": chart})


async def stocks(datasette: Datasette, request: Request) -> Response:
    known = await _ask(datasette, lambda store: {"stocks": store.stocks.counted(_STOCKS)})
    return await _page(datasette, request, "stocks.html", known)


async def media(datasette: Datasette, request: Request) -> Response:
    known = await _ask(datasette, lambda store: {"media": store.categories.counted()})
    return await _page(datasette, request, "media.html", known)


async def category(datasette: Datasette, request: Request) -> Response:
    slug = unquote(request.url_vars["slug"])

    def ask(store: Store) -> dict[str, Any] | None:
        rows = store.pages.in_category(slug, _ON_A_STOCK)
        return {"rows": rows, "slug": slug, "title": rows[0]["media"]} if rows else None

    return await _page(datasette, request, "category.html", _found(await _ask(datasette, ask)))


async def days(datasette: Datasette, request: Request) -> Response:
    wanted = request.args.get("year") or ""

    def ask(store: Store) -> dict[str, Any]:
        years = store.pages.periods(len("2022"))
        year = wanted if wanted in years else next(iter(years), "")
        return {"days": store.pages.days(year), "years": years, "year": year}

    return await _page(datasette, request, "days.html", await _ask(datasette, ask))


async def day(datasette: Datasette, request: Request) -> Response:
    which = request.url_vars["day"]
    rows = await _ask(datasette, lambda store: list(store.pages.on_day(which.replace("-", "/"))))
    return await _page(datasette, request, "day.html", _found({"rows": rows, "day": which} if rows else None))


async def feed(datasette: Datasette, request: Request) -> Response:
    """Atom by the same parameters as search."""
    address = search_params.read(request.args)
    output = datasette.get_database(NAME).output

    def ask(store: Store) -> str:
        rows = feeds.newest(store.search.articles(search_params.asked(store, address, clock.now())), _IN_A_FEED)
        name = one_line(",".join(address.values.values()))
        site = site_of(output).address
        return feeds.atom(rows, feeds.About(f"finews {name}".strip(), site, name or "all", request.url))

    text = await _ask(datasette, ask)
    return Response(text, content_type="application/atom+xml; charset=utf-8")


def marked(passage: Passage) -> Markup:
    """A passage as HTML, its hits marked."""
    return Markup("").join(
        Markup("<mark>{}</mark>").format(text) if hit else escape(text) for text, hit in passage.parts()
    )


async def _ask(datasette: Datasette, fn: Callable[[Store], Any]) -> Any:
    return await datasette.get_database(NAME).ask(fn)


async def _page(datasette: Datasette, request: Request, template: str, known: dict[str, Any]) -> Response:
    html = await datasette.render_template(f"finews/{template}", known, request=request)
    return Response.html(html, headers={"content-security-policy": security.STRICT})


def _found(known: Any) -> Any:
    if known is None:
        raise NotFound("这里没有这一页。")
    return known
