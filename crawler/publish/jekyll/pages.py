"""Generated pages of the site: categories, days and stocks, each written when its articles have changed.

A page is front matter and its articles as HTML, the same that `entries.html` of the theme makes; a layout puts the
rest around them. As data in front matter they cost Jekyll four times as much, and a longer history has more and fuller
lists. The lists that the fixed pages show (home, media, days, stocks, feed) are files of `_data_file_path`.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from crawler.content.categories import CategoryRegistry
from crawler.content.stocks import SECID_PATTERN
from crawler.errors import OutputError
from crawler.items import ARCHIVED_POSTS_DIR, CODE_PREFIX, Category
from crawler.publish.feeds import article_id, updated_at
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import write_chunks_if_changed, write_if_changed
from crawler.storage import Store
from crawler.storage.notices import add_notice
from crawler.storage.post_files import read_if_file
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

# The paths of the pages that are made here: no name in the database can lead anywhere else.
_OWN_PAGE_PATH = re.compile(
    rf"(?:category/[^ ./][^/]*|stock/{SECID_PATTERN.pattern}|\d{{4}}(?:/\d\d/\d\d)?/index)\.html", re.ASCII
)
_OWN_BEGINNING = re.compile(r'---\nlayout: "(?:list|redirect)"\n')
_MAX_BEGINNING = 64  # bytes, which hold the first key of front matter

Row = Mapping[str, Any]
# A path below the output folder, and what the file holds: in parts where the whole would take too much memory.
SiteFile = tuple[str, bytes | Iterator[bytes]]


def update_pages(output: Path, store: Store, *, everything: bool = False) -> None:
    """Write the pages that no longer show what the articles say; all of them where there are none yet.

    Days of archived months are left to the build. Only the holder of the lock may do this. `everything` looks at the
    pages that nothing is known against, too: others may have changed them. Raises OutputError and StoreError.
    """
    everything = everything or not all((output / f"_data/{name}.json").is_file() for name in DATA_FILES)
    stale_pages = {*store.site_pages.stale_pages(), *(store.site_pages.all() if everything else ())}
    written_pages = [page for page in stale_pages if not _is_archived(output, page)]
    for path, content in _iter_files(output, store, stale_pages):
        if isinstance(content, bytes):
            write_if_changed(output / path, content)
        else:
            write_chunks_if_changed(output / path, content)
    store.site_pages.mark_written(written_pages)


def has_pages(store: Store) -> bool:
    """Whether any page was ever written."""
    return not {*store.site_pages.all()} <= {*store.site_pages.stale_pages()}


def find_outdated_files(output: Path, store: Store) -> Iterator[tuple[str, str]]:
    """The pages that are not what `update_pages` would write, by path, with what is wrong. Raises OutputError."""
    for path, content in _iter_files(output, store, store.site_pages.all()):
        found = read_if_file(output / path)
        if found is None:
            yield path, "missing"
        elif found != (content if isinstance(content, bytes) else b"".join(content)):
            yield path, "not what the rows say"


def _iter_files(output: Path, store: Store, pages: Collection[SitePage]) -> Iterator[SiteFile]:
    """Yield the content of these pages, and of the lists that lead to them, by path."""
    registry = CategoryRegistry(store.categories.all())
    for page in sorted(pages, key=lambda page: (page.kind, page.name)):
        if not _is_archived(output, page):
            yield from _our_pages(output, _page_files(output, store, page, registry))
    if pages:
        days = {page.name for page in pages if page.kind is PageKind.DAY}
        yield from _data_files(store)
        yield from _our_pages(output, _year_pages(store, sorted({day[:4] for day in days})))
        yield from _title_indexes(store, sorted({day[:7] for day in days}))
    category_pages = {page for page in pages if page.kind is PageKind.CATEGORY}
    yield from _our_pages(output, _other_category_pages(output, store, registry, category_pages))


def _our_pages(output: Path, files: Iterable[SiteFile]) -> Iterator[SiteFile]:
    """Yield the pages whose path finews uses, and where no page of the user's is."""
    for path, content in files:
        if not _OWN_PAGE_PATH.fullmatch(path):
            add_notice(f"{path[:80]!r} is not the path of a page: not written")
        elif _is_user_page(output / path):
            add_notice(f"{output / path} is a page of yours: not written; move it away to get the one of finews")
        else:
            yield path, content


def load_reprints(store: Store, first_path: str, last_path: str) -> dict[str, list[dict[str, str]]]:
    """By the slug of a post whose path lies between these, its reprints, as the layout of a post shows them."""
    return dict(_iter_reprints(store, first_path, last_path))


def _iter_reprints(store: Store, first_path: str, last_path: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for code, rows in groupby(store.site_pages.reprints_by_path(first_path, last_path), key=lambda row: row["of"]):
        yield f"{CODE_PREFIX}{code}", [_article_entry(row) for row in rows]


def write_day_page(output: Path, store: Store, day: str) -> str:
    """Write the page of a day; its path below the output folder."""
    path = urls.day_url(day)[1:]
    write_if_changed(output / path, render_day_page(store, day))
    return path


def render_day_page(store: Store, day: str) -> bytes:
    """The source of the page of a day such as `2022/01/10`."""
    front_matter = _build_front_matter(PageKind.DAY, day.replace("/", "-"))
    return _encode_page(front_matter, _render_article_list(store.site_pages.articles_on_day(day)))


def write_data_file(output: Path, name: str, value: Sequence[object] | Mapping[str, object]) -> None:
    """A file of `_data_file_path`, one item a line. JSON as Jekyll reads it, which is as YAML: no escapes of pairs."""
    write_if_changed(output / _data_file_path(name), _encode_data(value))


def _encode_data(value: Sequence[object] | Mapping[str, object]) -> bytes:
    if isinstance(value, Sequence):
        return b"".join(_encode_lines("[", map(_to_json, value), "]"))
    return b"".join(_encode_lines("{", _encode_members(value.items()), "}"))


def _data_file_path(name: str) -> str:
    return f"_data/{name}.json"


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


def _page_files(output: Path, store: Store, page: SitePage, registry: CategoryRegistry) -> Iterator[SiteFile]:
    match page.kind:
        case PageKind.CATEGORY:
            yield _category_page(store, page.name, registry)
        case PageKind.DAY:
            yield urls.day_url(page.name)[1:], render_day_page(store, page.name)
        case PageKind.STOCK:
            yield from _stock_page(output, store, page.name)


def _category_page(store: Store, slug: str, registry: CategoryRegistry) -> SiteFile:
    category = registry.find(slug)
    rows = store.site_pages.articles_in_category(slug, _MAX_ARTICLES_PER_PAGE)
    front_matter = _build_front_matter(PageKind.CATEGORY, category.media if category else slug, article_count=len(rows))
    return urls.category_url(slug)[1:], _encode_page(front_matter, _render_article_list(rows, hide_media=True))


def _stock_page(output: Path, store: Store, secid: str) -> Iterator[SiteFile]:
    path, rows = urls.stock_url(secid)[1:], store.site_pages.articles_with_stock(secid, _MAX_ARTICLES_PER_PAGE)
    if rows and (len(rows) >= _MIN_ARTICLES_FOR_STOCK_PAGE or (output / path).exists()):
        front_matter = {**_build_front_matter(PageKind.STOCK, rows[0]["name"], article_count=len(rows)), "secid": secid}
        yield path, _encode_page(front_matter, _render_article_list(rows))


def _other_category_pages(
    output: Path, store: Store, registry: CategoryRegistry, written_pages: Collection[SitePage]
) -> Iterator[SiteFile]:
    """Every category that is known has a page, and every older spelling of its slug leads there."""
    for category in registry.all():
        is_written = SitePage(PageKind.CATEGORY, category.slug) in written_pages
        if not is_written and not (output / urls.category_url(category.slug)[1:]).exists():
            yield _category_page(store, category.slug, registry)
        for alias in _legacy_slugs(category, registry):
            front_matter = {"layout": "redirect", "title": category.media, "target": urls.category_url(category.slug)}
            if not _is_case_variant(output, alias):
                yield urls.category_url(alias)[1:], _encode_page(front_matter)


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


def _data_files(store: Store) -> Iterator[SiteFile]:
    category_counts = store.categories.with_article_counts()
    active_categories = sorted(
        (row for row in category_counts if row["articles"]), key=lambda row: row["latest"], reverse=True
    )
    latest = [_feed_entry(row) for row in store.site_pages.latest_articles(_MAX_LATEST_ARTICLES)]
    years = store.site_pages.periods_with_articles(_YEAR_CHARS)
    values: dict[str, Sequence[object] | Mapping[str, object]] = {
        "home": {
            "latest": latest,
            "updated": max((entry["updated"] for entry in latest), default=""),
            "categories": [_home_category(store, row) for row in active_categories[:_MAX_HOME_CATEGORIES]],
        },
        "years": years,
        "days": store.site_pages.article_counts_by_day(years[0]) if years else [],
        "stocks": store.site_pages.most_linked_stocks(_MIN_ARTICLES_FOR_STOCK_PAGE, _MAX_STOCKS_LISTED),
        "categories": [{name: row[name] for name in ("slug", "media", "articles")} for row in category_counts],
        "media": {row["slug"]: row["media"] for row in category_counts},
    }
    for name, value in values.items():
        yield _data_file_path(name), _encode_data(value)
    first_reprint_day = (store.site_pages.periods_with_articles(_DAY_CHARS, _MAX_DAYS_WITH_REPRINTS) or ["9"])[-1]
    # A first crawl may bring many: they are written one by one, as are the titles.
    reprints = _encode_members(_iter_reprints(store, f"_posts/{first_reprint_day}", "_posts/9"))
    yield _data_file_path("reprints"), _encode_lines("{", reprints, "}")
    months = [month.replace("/", "-") for month in store.site_pages.periods_with_articles(_MONTH_CHARS)]
    yield "search/index.json", _to_json(months).encode()


def _year_pages(store: Store, years: Iterable[str]) -> Iterator[SiteFile]:
    for year in years:
        days = [f"- {_to_json(row)}" for row in store.site_pages.article_counts_by_day(year)]
        front_matter = _build_front_matter(PageKind.DAY, year)
        yield urls.year_url(year)[1:], _encode_page(front_matter, extra_lines=["days:", *days])


def _title_indexes(store: Store, months: Iterable[str]) -> Iterator[SiteFile]:
    for month in months:
        rows = (_article_entry(row) for row in store.site_pages.articles_on_day(month))
        titles = (_to_json([row["title"], row["url"], row["media"], row["at"]]) for row in rows)
        yield urls.title_index_url(month)[1:], _encode_lines("[", titles, "]")


def _home_category(store: Store, category: Row) -> dict[str, Any]:
    rows = store.site_pages.articles_in_category(category["slug"], _ARTICLES_PER_HOME_CATEGORY)
    fields = {name: category[name] for name in ("slug", "media", "articles")}
    return {**fields, "latest": [_article_entry(row) for row in rows]}


def _feed_entry(row: Row) -> dict[str, str]:
    """An article as an entry of the feed."""
    summary = " ".join((row["summary"] or row["body_text"]).split())
    feed_fields = {"id": article_id(row["code"]), "updated": updated_at(row), "summary": summary[:_MAX_SUMMARY_CHARS]}
    return {**_article_entry(row), **feed_fields}


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


def _encode_page(
    front_matter: Mapping[str, Any], body_lines: Iterable[str] = (), *, extra_lines: Iterable[str] = ()
) -> bytes:
    """A page's source; `extra_lines` stand in its front matter, too."""
    front_lines = [f"{name}: {_to_json(value)}" for name, value in front_matter.items()]
    return "\n".join(["---", *front_lines, *extra_lines, "---", *body_lines, ""]).encode()


def _is_user_page(path: Path) -> bool:
    """Whether a page has front matter that begins otherwise than ours. An archived page has none."""
    try:
        beginning = (read_if_file(path, _MAX_BEGINNING) or b"").decode("utf-8", "replace")
    except OutputError:
        return False  # writing it says why
    return beginning.startswith("---") and not _OWN_BEGINNING.match(beginning)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
