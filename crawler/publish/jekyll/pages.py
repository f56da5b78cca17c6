"""The pages that the database knows: categories, days and stocks, each written when its articles have changed.

A page is front matter and its articles as HTML, the same that `entries.html` of the frame makes; a layout puts the
rest around them. As data in front matter they cost Jekyll four times as much, and a longer history has more and fuller
lists. The lists that the fixed pages show (home, media, days, stocks, feed) are files of `_data`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from crawler.content.categories import Media
from crawler.items import FROZEN, Category
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import keep, keep_parts
from crawler.storage import Store
from crawler.storage.site_pages import Kind, Page

# The files of `_data` that are ours.
DATA = ("home", "categories", "media", "days", "years", "stocks", "reprints")

# A stock that so many articles link to has a page, and keeps it.
_OFTEN = 5
_STOCKS_LISTED = 500
_ON_A_PAGE = 100
_LATEST = 50
_CATEGORIES_AT_HOME, _EACH = 12, 4
_LONGEST_SUMMARY = 200
# Reprints are told on the pages of so many days that have articles; a page that is frozen has been told before.
_DAYS_WITH_REPRINTS = 62

# As `2022/01/10` is a day.
_YEAR, _MONTH, _DAY = 4, 7, 10

Row = Mapping[str, Any]


def keep_current(output: Path, store: Store) -> None:
    """Write the pages that no longer show what the articles say; all of them where there are none yet.

    Days of frozen months are left to the build. Only the holder of the lock may do this. Raises OutputError and
    StoreError.
    """
    first = not all((output / f"_data/{name}.json").is_file() for name in DATA)
    stale = {*store.pages.stale(), *(store.pages.all() if first else ())}
    pages = [page for page in stale if not _is_frozen(output, page)]
    media = Media(store.categories.all())
    for page in pages:
        _write(output, store, page, media)
    if stale:
        days = {page.name for page in stale if page.kind is Kind.DAY}
        _write_lists(output, store)
        _write_years(output, store, {day[:4] for day in days})
        _write_titles(output, store, {day[:7] for day in days})
    _write_names(output, media)
    store.pages.written(pages)


def reprints_of(store: Store, first: str, last: str) -> dict[str, list[dict[str, str]]]:
    """By the slug of a post whose path lies between these, its reprints, as the layout of a post shows them."""
    return dict(_reprints(store, first, last))


def _reprints(store: Store, first: str, last: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for code, rows in groupby(store.pages.reprints(first, last), key=lambda row: row["of"]):
        yield f"NW{code}", [_entry(row) for row in rows]


def write_day(output: Path, store: Store, day: str) -> str:
    """Write the page of a day; its path below the output folder."""
    _keep_page(output, urls.day(day), _front(Kind.DAY, day.replace("/", "-")), _list(store.pages.on_day(day)))
    return urls.day(day)[1:]


def write_data(output: Path, name: str, value: Sequence[object] | Mapping[str, object]) -> None:
    """A file of `_data`, one item a line. JSON as Jekyll reads it, which is as YAML: no escapes of pairs."""
    if isinstance(value, Sequence):
        lines = _lines("[", map(_json, value), "]")
    else:
        lines = _lines("{", _members(value.items()), "}")
    keep(_data(output, name), b"".join(lines))


def _data(output: Path, name: str) -> Path:
    return output / "_data" / f"{name}.json"


def _members(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    return (f"{_json(key)}: {_json(item)}" for key, item in items)


def _lines(begin: str, items: Iterable[str], end: str) -> Iterator[bytes]:
    """The bytes of a list or an object, each item on a line of its own."""
    yield f"{begin}\n".encode()
    for place, item in enumerate(items):
        yield (",\n" if place else "").encode() + item.encode()
    yield f"\n{end}\n".encode()


def _is_frozen(output: Path, page: Page) -> bool:
    return page.kind is Kind.DAY and (output / FROZEN / page.name[:7]).is_dir()


def _write(output: Path, store: Store, page: Page, media: Media) -> None:
    match page.kind:
        case Kind.CATEGORY:
            _write_category(output, store, page.name, media)
        case Kind.DAY:
            write_day(output, store, page.name)
        case Kind.STOCK:
            _write_stock(output, store, page.name)


def _write_category(output: Path, store: Store, slug: str, media: Media) -> None:
    category = media.find(slug)
    rows = store.pages.in_category(slug, _ON_A_PAGE)
    front = _front(Kind.CATEGORY, category.media if category else slug, shown=len(rows))
    _keep_page(output, urls.category(slug), front, _list(rows, one_media=True))


def _write_stock(output: Path, store: Store, secid: str) -> None:
    rows = store.pages.with_stock(secid, _ON_A_PAGE)
    if rows and (len(rows) >= _OFTEN or (output / urls.stock(secid)[1:]).exists()):
        front = {**_front(Kind.STOCK, rows[0]["name"], shown=len(rows)), "secid": secid}
        _keep_page(output, urls.stock(secid), front, _list(rows))


def _write_names(output: Path, media: Media) -> None:
    """Every category that is known has a page, and every older spelling of its slug leads there."""
    for category in media.all():
        if not (output / urls.category(category.slug)[1:]).exists():
            _keep_page(output, urls.category(category.slug), _front(Kind.CATEGORY, category.media))
        for alias in _old_slugs(category, media):
            front = {"layout": "redirect", "title": category.media, "target": urls.category(category.slug)}
            if not _is_another_spelling(output, alias):
                _keep_page(output, urls.category(alias), front)


def _old_slugs(category: Category, media: Media) -> list[str]:
    """The aliases that the old site had pages of: Latin letters, and no other category's slug."""
    latin = (alias for alias in category.aliases if alias.isascii() and "/" not in alias)
    return [alias for alias in latin if not media.is_slug(alias)]


def _is_another_spelling(output: Path, alias: str) -> bool:
    """Whether the disk takes an alias for the page of that name in small letters, which no redirect may overwrite."""
    page = output / urls.category(alias.lower())[1:]
    path = output / urls.category(alias)[1:]
    return path != page and path.exists() and page.exists() and path.samefile(page)


def _write_lists(output: Path, store: Store) -> None:
    counted = store.categories.counted()
    by_latest = sorted((row for row in counted if row["articles"]), key=lambda row: row["latest"], reverse=True)
    home = {
        "latest": [_told(row) for row in store.pages.latest(_LATEST)],
        "categories": [_at_home(store, row) for row in by_latest[:_CATEGORIES_AT_HOME]],
    }
    years = store.pages.periods(_YEAR)
    write_data(output, "home", home)
    write_data(output, "years", years)
    write_data(output, "days", store.pages.days(years[0]) if years else [])
    write_data(output, "stocks", _with_pages(output, store.pages.stocks(_OFTEN, _STOCKS_LISTED)))
    write_data(output, "categories", [{name: row[name] for name in ("slug", "media", "articles")} for row in counted])
    write_data(output, "media", {row["slug"]: row["media"] for row in counted})
    since = (store.pages.periods(_DAY, _DAYS_WITH_REPRINTS) or ["9"])[-1]
    # A first crawl may bring many: they are written one by one, as are the titles.
    keep_parts(_data(output, "reprints"), _lines("{", _members(_reprints(store, f"_posts/{since}", "_posts/9")), "}"))
    months = [month.replace("/", "-") for month in store.pages.periods(_MONTH)]
    keep(output / "search/index.json", _json(months).encode())


def _write_years(output: Path, store: Store, years: Iterable[str]) -> None:
    for year in years:
        lines = [f"{name}: {_json(value)}" for name, value in _front(Kind.DAY, year).items()]
        days = [f"- {_json(row)}" for row in store.pages.days(year)]
        _keep_front(output, urls.year(year), [*lines, "days:", *days])


def _write_titles(output: Path, store: Store, months: Iterable[str]) -> None:
    for month in months:
        rows = (_entry(row) for row in store.pages.on_day(month))
        titles = (_json([row["title"], row["url"], row["media"], row["at"]]) for row in rows)
        keep_parts(output / urls.titles(month)[1:], _lines("[", titles, "]"))


def _with_pages(output: Path, stocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [stock for stock in stocks if (output / urls.stock(stock["secid"])[1:]).exists()]


def _at_home(store: Store, category: Row) -> dict[str, Any]:
    rows = store.pages.in_category(category["slug"], _EACH)
    known = {name: category[name] for name in ("slug", "media", "articles")}
    return {**known, "latest": [_entry(row) for row in rows]}


def _told(row: Row) -> dict[str, str]:
    """As the feed tells an article."""
    summary = " ".join((row["summary"] or row["body_text"]).split())
    return {**_entry(row), "summary": summary[:_LONGEST_SUMMARY]}


def _entry(row: Row) -> dict[str, str]:
    return {
        "at": row["published_at"],
        "title": row["title"],
        "url": urls.article(row["post_path"]),
        "media": row["media"],
        "category": row["category"],
    }


def _front(kind: Kind, title: str, *, shown: int = 0) -> dict[str, Any]:
    """`more` is the number of articles that are shown, where there are more."""
    return {"layout": "list", "section": kind, "title": title, "more": shown == _ON_A_PAGE and shown}


def _list(rows: Iterable[Row], *, one_media: bool = False) -> Iterator[str]:
    """Lines of HTML: articles under their days. Links begin at the site's root, the layout adds what goes before."""
    by_day = groupby(map(_entry, rows), lambda entry: entry["at"][:10])
    for day, entries in by_day:
        yield from (f'<h2 class="day">{day}</h2>', '<ol class="entries">')
        yield from (_item({name: _text(value) for name, value in entry.items()}, one_media) for entry in entries)
        yield "</ol>"


def _item(entry: Mapping[str, str], one_media: bool) -> str:
    media = "" if one_media else f' <a class="media" href="/category/{entry["category"]}.html">{entry["media"]}</a>'
    story = f'<a href="{entry["url"]}">{entry["title"]}</a>{media}'
    return f'<li><time datetime="{entry["at"]}">{entry["at"][11:16]}</time><span class="story">{story}</span></li>'


def _text(value: str) -> str:
    """Text in HTML that Liquid passes over."""
    return escape(value).replace("{", "&#123;")


def _keep_page(output: Path, url: str, front: Mapping[str, Any], body: Iterable[str] = ()) -> None:
    _keep_front(output, url, [f"{name}: {_json(value)}" for name, value in front.items()], body)


def _keep_front(output: Path, url: str, lines: Iterable[str], body: Iterable[str] = ()) -> None:
    keep(output / url[1:], "\n".join(["---", *lines, "---", *body, ""]).encode())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
