"""Generated pages of the site: categories, days and stocks, each written when its articles have changed.

A page is front matter and its articles as HTML, the same that `entries.html` of the theme makes; a layout puts the
rest around them. As data in front matter they cost Jekyll four times as much, and a longer history has more and fuller
lists. The lists that the fixed pages show (home, media, days, stocks, feed) are files of `_data_file_path`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from crawler.content.categories import CategoryRegistry
from crawler.content.stocks import SECID_PATTERN
from crawler.errors import OutputError
from crawler.items import ARCHIVED_POSTS_DIR, CODE_PREFIX, Category
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import write_chunks_if_changed, write_if_changed
from crawler.storage import Store, post_files
from crawler.storage.notices import add_notice
from crawler.storage.site_pages import PageKind, SitePage

# The files of `_data_file_path` that are ours.
DATA_FILES = ("home", "categories", "media", "days", "years", "stocks", "reprints")

# A stock that this many articles link to has a page, and keeps it.
_MIN_ARTICLES_FOR_STOCK_PAGE = 5
_MAX_STOCKS_LISTED = 500
_MAX_ARTICLES_PER_PAGE = 100
_MAX_LATEST_ARTICLES = 50
_MAX_HOME_CATEGORIES, _ARTICLES_PER_HOME_CATEGORY = 12, 4
_MAX_SUMMARY_CHARS = 200
# Days with articles whose pages list reprints; an archived page has listed them before.
_MAX_DAYS_WITH_REPRINTS = 62

# As `2022/01/10` is a day.
_YEAR_CHARS, _MONTH_CHARS, _DAY_CHARS = 4, 7, 10

# The addresses of the pages that are made here: no name in the database can lead anywhere else.
_OWN_PAGE_URL = re.compile(
    rf"/(?:category/[^ ./][^/]*|stock/{SECID_PATTERN.pattern}|\d{{4}}(?:/\d\d/\d\d)?/index)\.html", re.ASCII
)
_OWN_BEGINNING = re.compile(r'---\nlayout: "(?:list|redirect)"\n')
_MAX_BEGINNING = 64  # bytes, which hold the first key of front matter

Row = Mapping[str, Any]


def update_pages(output: Path, store: Store) -> None:
    """Write the pages that no longer show what the articles say; all of them where there are none yet.

    Days of archived months are left to the build. Only the holder of the lock may do this. Raises OutputError and
    StoreError.
    """
    is_first_run = not all((output / f"_data/{name}.json").is_file() for name in DATA_FILES)
    stale_pages = {*store.site_pages.stale_pages(), *(store.site_pages.all() if is_first_run else ())}
    pages_to_write = [page for page in stale_pages if not _is_archived(output, page)]
    registry = CategoryRegistry(store.categories.all())
    for page in pages_to_write:
        _write_stale_page(output, store, page, registry)
    if stale_pages:
        stale_days = {page.name for page in stale_pages if page.kind is PageKind.DAY}
        _write_data_files(output, store)
        _write_year_pages(output, store, {day[:4] for day in stale_days})
        _write_title_indexes(output, store, {day[:7] for day in stale_days})
    _ensure_category_pages(output, registry)
    store.site_pages.mark_written(pages_to_write)


def load_reprints(store: Store, first_path: str, last_path: str) -> dict[str, list[dict[str, str]]]:
    """By the slug of a post whose path lies between these, its reprints, as the layout of a post shows them."""
    return dict(_iter_reprints(store, first_path, last_path))


def _iter_reprints(store: Store, first_path: str, last_path: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for code, rows in groupby(store.site_pages.reprints_by_path(first_path, last_path), key=lambda row: row["of"]):
        yield f"{CODE_PREFIX}{code}", [_article_entry(row) for row in rows]


def write_day_page(output: Path, store: Store, day: str) -> str:
    """Write the page of a day; its path below the output folder."""
    _write_page(
        output,
        urls.day_url(day),
        _build_front_matter(PageKind.DAY, day.replace("/", "-")),
        _render_article_list(store.site_pages.articles_on_day(day)),
    )
    return urls.day_url(day)[1:]


def write_data_file(output: Path, name: str, value: Sequence[object] | Mapping[str, object]) -> None:
    """A file of `_data_file_path`, one item a line. JSON as Jekyll reads it, which is as YAML: no escapes of pairs."""
    if isinstance(value, Sequence):
        lines = _encode_lines("[", map(_to_json, value), "]")
    else:
        lines = _encode_lines("{", _encode_members(value.items()), "}")
    write_if_changed(_data_file_path(output, name), b"".join(lines))


def _data_file_path(output: Path, name: str) -> Path:
    return output / "_data" / f"{name}.json"


def _encode_members(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    return (f"{_to_json(key)}: {_to_json(value)}" for key, value in items)


def _encode_lines(opening: str, items: Iterable[str], closing: str) -> Iterator[bytes]:
    """The bytes of a list or an object, each item on a line of its own."""
    yield f"{opening}\n".encode()
    for index, item in enumerate(items):
        yield (",\n" if index else "").encode() + item.encode()
    yield f"\n{closing}\n".encode()


def _is_archived(output: Path, page: SitePage) -> bool:
    return page.kind is PageKind.DAY and (output / ARCHIVED_POSTS_DIR / page.name[:7]).is_dir()


def _write_stale_page(output: Path, store: Store, page: SitePage, registry: CategoryRegistry) -> None:
    match page.kind:
        case PageKind.CATEGORY:
            _write_category_page(output, store, page.name, registry)
        case PageKind.DAY:
            write_day_page(output, store, page.name)
        case PageKind.STOCK:
            _write_stock_page(output, store, page.name)


def _write_category_page(output: Path, store: Store, slug: str, registry: CategoryRegistry) -> None:
    category = registry.find(slug)
    rows = store.site_pages.articles_in_category(slug, _MAX_ARTICLES_PER_PAGE)
    front_matter = _build_front_matter(PageKind.CATEGORY, category.media if category else slug, article_count=len(rows))
    _write_page(output, urls.category_url(slug), front_matter, _render_article_list(rows, hide_media=True))


def _write_stock_page(output: Path, store: Store, secid: str) -> None:
    rows = store.site_pages.articles_with_stock(secid, _MAX_ARTICLES_PER_PAGE)
    if rows and (len(rows) >= _MIN_ARTICLES_FOR_STOCK_PAGE or (output / urls.stock_url(secid)[1:]).exists()):
        front_matter = {**_build_front_matter(PageKind.STOCK, rows[0]["name"], article_count=len(rows)), "secid": secid}
        _write_page(output, urls.stock_url(secid), front_matter, _render_article_list(rows))


def _ensure_category_pages(output: Path, registry: CategoryRegistry) -> None:
    """Every category that is known has a page, and every older spelling of its slug leads there."""
    for category in registry.all():
        if not (output / urls.category_url(category.slug)[1:]).exists():
            _write_page(
                output, urls.category_url(category.slug), _build_front_matter(PageKind.CATEGORY, category.media)
            )
        for alias in _legacy_slugs(category, registry):
            front_matter = {"layout": "redirect", "title": category.media, "target": urls.category_url(category.slug)}
            if not _is_case_variant(output, alias):
                _write_page(output, urls.category_url(alias), front_matter)


def _legacy_slugs(category: Category, registry: CategoryRegistry) -> list[str]:
    """The aliases that the old site had pages of: Latin letters, and no other category's slug."""
    latin_aliases = (alias for alias in category.aliases if alias.isascii() and "/" not in alias)
    return [alias for alias in latin_aliases if not registry.has_slug(alias)]


def _is_case_variant(output: Path, alias: str) -> bool:
    """Whether the disk takes an alias for the page of that name in small letters, which no redirect may overwrite."""
    lowercase_page = output / urls.category_url(alias.lower())[1:]
    redirect_page = output / urls.category_url(alias)[1:]
    return (
        redirect_page != lowercase_page
        and redirect_page.exists()
        and lowercase_page.exists()
        and redirect_page.samefile(lowercase_page)
    )


def _write_data_files(output: Path, store: Store) -> None:
    category_counts = store.categories.with_article_counts()
    active_categories = sorted(
        (row for row in category_counts if row["articles"]), key=lambda row: row["latest"], reverse=True
    )
    home_data = {
        "latest": [_feed_entry(row) for row in store.site_pages.latest_articles(_MAX_LATEST_ARTICLES)],
        "categories": [_home_category(store, row) for row in active_categories[:_MAX_HOME_CATEGORIES]],
    }
    years = store.site_pages.periods_with_articles(_YEAR_CHARS)
    write_data_file(output, "home", home_data)
    write_data_file(output, "years", years)
    write_data_file(output, "days", store.site_pages.article_counts_by_day(years[0]) if years else [])
    write_data_file(
        output,
        "stocks",
        _stocks_with_pages(
            output, store.site_pages.most_linked_stocks(_MIN_ARTICLES_FOR_STOCK_PAGE, _MAX_STOCKS_LISTED)
        ),
    )
    write_data_file(
        output, "categories", [{name: row[name] for name in ("slug", "media", "articles")} for row in category_counts]
    )
    write_data_file(output, "media", {row["slug"]: row["media"] for row in category_counts})
    first_reprint_day = (store.site_pages.periods_with_articles(_DAY_CHARS, _MAX_DAYS_WITH_REPRINTS) or ["9"])[-1]
    # A first crawl may bring many: they are written one by one, as are the titles.
    write_chunks_if_changed(
        _data_file_path(output, "reprints"),
        _encode_lines("{", _encode_members(_iter_reprints(store, f"_posts/{first_reprint_day}", "_posts/9")), "}"),
    )
    months = [month.replace("/", "-") for month in store.site_pages.periods_with_articles(_MONTH_CHARS)]
    write_if_changed(output / "search/index.json", _to_json(months).encode())


def _write_year_pages(output: Path, store: Store, years: Iterable[str]) -> None:
    for year in years:
        lines = [f"{name}: {_to_json(value)}" for name, value in _build_front_matter(PageKind.DAY, year).items()]
        days = [f"- {_to_json(row)}" for row in store.site_pages.article_counts_by_day(year)]
        _write_front_matter(output, urls.year_url(year), [*lines, "days:", *days])


def _write_title_indexes(output: Path, store: Store, months: Iterable[str]) -> None:
    for month in months:
        rows = (_article_entry(row) for row in store.site_pages.articles_on_day(month))
        titles = (_to_json([row["title"], row["url"], row["media"], row["at"]]) for row in rows)
        write_chunks_if_changed(output / urls.title_index_url(month)[1:], _encode_lines("[", titles, "]"))


def _stocks_with_pages(output: Path, stocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [stock for stock in stocks if (output / urls.stock_url(stock["secid"])[1:]).exists()]


def _home_category(store: Store, category: Row) -> dict[str, Any]:
    rows = store.site_pages.articles_in_category(category["slug"], _ARTICLES_PER_HOME_CATEGORY)
    fields = {name: category[name] for name in ("slug", "media", "articles")}
    return {**fields, "latest": [_article_entry(row) for row in rows]}


def _feed_entry(row: Row) -> dict[str, str]:
    """An article as an entry of the feed."""
    summary = " ".join((row["summary"] or row["body_text"]).split())
    return {**_article_entry(row), "summary": summary[:_MAX_SUMMARY_CHARS]}


def _article_entry(row: Row) -> dict[str, str]:
    return {
        "at": row["published_at"],
        "title": row["title"],
        "url": urls.article_url(row["post_path"]),
        "media": row["media"],
        "category": row["category"],
    }


def _build_front_matter(kind: PageKind, title: str, *, article_count: int = 0) -> dict[str, Any]:
    """`more` is the number of articles that are shown, where there are more."""
    return {
        "layout": "list",
        "section": kind,
        "title": title,
        "more": article_count == _MAX_ARTICLES_PER_PAGE and article_count,
    }


def _render_article_list(rows: Iterable[Row], *, hide_media: bool = False) -> Iterator[str]:
    """Lines of HTML: articles under their days. Links begin at the site's root, the layout adds what goes before."""
    entries_by_day = groupby(map(_article_entry, rows), lambda entry: entry["at"][:10])
    for day, entries in entries_by_day:
        yield from (f'<h2 class="day">{day}</h2>', '<ol class="entries">')
        yield from (
            _render_article_item({name: _escape_text(value) for name, value in entry.items()}, hide_media)
            for entry in entries
        )
        yield "</ol>"


def _render_article_item(entry: Mapping[str, str], hide_media: bool) -> str:
    media_html = (
        "" if hide_media else f' <a class="media" href="/category/{entry["category"]}.html">{entry["media"]}</a>'
    )
    title_html = f'<a href="{entry["url"]}">{entry["title"]}</a>{media_html}'
    return f'<li><time datetime="{entry["at"]}">{entry["at"][11:16]}</time><span class="story">{title_html}</span></li>'


def _escape_text(value: str) -> str:
    """Text in HTML that Liquid passes over."""
    return escape(value).replace("{", "&#123;")


def _write_page(output: Path, url: str, front_matter: Mapping[str, Any], body_lines: Iterable[str] = ()) -> None:
    _write_front_matter(output, url, [f"{name}: {_to_json(value)}" for name, value in front_matter.items()], body_lines)


def _write_front_matter(output: Path, url: str, front_lines: Iterable[str], body_lines: Iterable[str] = ()) -> None:
    """Write a page, unless its place is none of a page of ours, or holds one that the user has written."""
    if not _OWN_PAGE_URL.fullmatch(url):
        add_notice(f"{url[:80]!r} is not the address of a page: not written")
        return
    if _is_user_page(output / url[1:]):
        add_notice(f"{output / url[1:]} is a page of yours: not written; move it away to get the one of finews")
        return
    write_if_changed(output / url[1:], "\n".join(["---", *front_lines, "---", *body_lines, ""]).encode())


def _is_user_page(path: Path) -> bool:
    """Whether a page has front matter that begins otherwise than ours. An archived page has none."""
    try:
        beginning = (post_files.read_if_file(path, _MAX_BEGINNING) or b"").decode("utf-8", "replace")
    except OutputError:
        return False  # writing it says why
    return beginning.startswith("---") and not _OWN_BEGINNING.match(beginning)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
