"""Generated pages of the site: categories, days, years and stocks, written again when their articles have changed.

A page is front matter and its articles as HTML, the same HTML that `entries.html` of the theme renders; a layout adds
the rest. Articles as data in front matter cost Jekyll four times as much. The fixed pages (home, media, days, stocks,
feed) read their lists from the JSON files of `DATA_FILES`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from crawler.content.categories import CategoryRegistry
from crawler.content.stocks import SECID_PATTERN
from crawler.errors import OutputError
from crawler.items import ARCHIVED_POSTS_DIR, CODE_PREFIX
from crawler.publish.feeds import article_id, updated_at
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.files import write_chunks_if_changed, write_if_changed
from crawler.storage import Store
from crawler.storage.notices import add_notice
from crawler.storage.post_files import read_if_file
from crawler.storage.site_pages import PageKind, SitePage

# Files of `_data/` that finews writes, without their ending.
DATA_FILES = ("home", "categories", "media", "days", "years", "stocks", "reprints")

# A stock gets a page when this number of articles link to it, and keeps the page when they become fewer.
_MIN_ARTICLES_FOR_STOCK_PAGE = 5
_MAX_STOCKS_LISTED = 500
_MAX_ARTICLES_PER_PAGE = 100
_MAX_LATEST_ARTICLES = 50
_MAX_HOME_CATEGORIES, _ARTICLES_PER_HOME_CATEGORY = 12, 4
_MAX_SUMMARY_CHARS = 200
# Newest days with articles: posts of older days are archived, and their pages have listed their reprints already.
_MAX_DAYS_WITH_REPRINTS = 62

# Characters of the period at the beginning of a day such as `2022/01/10`.
_YEAR_CHARS, _MONTH_CHARS, _DAY_CHARS = 4, 7, 10

# Paths of the pages that this module writes: no name in the database can make finews write anywhere else.
_OWN_PAGE_PATH = re.compile(
    rf"(?:category/[^ ./][^/]*|stock/{SECID_PATTERN.pattern}|\d{{4}}(?:/\d\d/\d\d)?/index)\.html", re.ASCII
)
_OWN_BEGINNING = re.compile(r'---\nlayout: "(?:list|redirect)"\n')
_MAX_BEGINNING = 64  # bytes that contain the first key of front matter

Row = Mapping[str, Any]
# A path below the output folder and the file's content, in chunks where all of it would take too much memory.
SiteFile = tuple[str, bytes | Iterator[bytes]]


def update_pages(output: Path, store: Store, *, everything: bool = False) -> None:
    """Write the stale pages, or all pages where the lists of the fixed pages are missing.

    `everything` also compares pages that are not stale, since other programs may have changed them. Days of archived
    months are left to the build. The caller holds the lock of the output folder. Raises OutputError and StoreError.
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
    """Return whether any page was ever written."""
    return not {*store.site_pages.all()} <= {*store.site_pages.stale_pages()}


def find_outdated_files(output: Path, store: Store) -> Iterator[tuple[str, str]]:
    """Yield the path of each page that `update_pages` would write otherwise, and the problem. Raises OutputError."""
    for path, content in _iter_files(output, store, {*store.site_pages.all()}):
        found = read_if_file(output / path)
        if found is None:
            yield path, "missing"
        elif found != (content if isinstance(content, bytes) else b"".join(content)):
            yield path, "differs from the rows"


def _iter_files(output: Path, store: Store, pages: Set[SitePage]) -> Iterator[SiteFile]:
    """Yield these pages and the lists that lead to them, except in the place of a page of the user's own."""
    for path, content in _iter_pages(output, store, pages):
        if not _OWN_PAGE_PATH.fullmatch(path):
            add_notice(f"{path[:80]!r} is not the path of a page: not written")
        elif _is_user_page(output / path):
            add_notice(f"{output / path} is your own page: not written; move it away to get the page of finews")
        else:
            yield path, content
    if pages:
        yield from _data_files(store)
    for month in sorted({page.name[:_MONTH_CHARS] for page in pages if page.kind is PageKind.DAY}):
        rows = map(_article_entry, store.site_pages.articles_on_day(month))
        titles = (_to_json([row["title"], row["url"], row["media"], row["at"]]) for row in rows)
        yield urls.title_index_url(month)[1:], _encode_lines("[", titles, "]")


def _iter_pages(output: Path, store: Store, pages: Set[SitePage]) -> Iterator[SiteFile]:
    """Yield these pages, the years of their days, the missing pages of categories, and redirects to categories."""
    registry = CategoryRegistry(store.categories.all())
    for page in sorted(pages, key=lambda page: (page.kind, page.name)):
        if page.kind is PageKind.CATEGORY:
            yield _category_page(store, page.name, registry)
        elif page.kind is PageKind.DAY:
            if not _is_archived(output, page):
                yield urls.day_url(page.name)[1:], render_day_page(store, page.name)
        else:
            path = urls.stock_url(page.name)[1:]
            rows = store.site_pages.articles_with_stock(page.name, _MAX_ARTICLES_PER_PAGE)
            if rows and (len(rows) >= _MIN_ARTICLES_FOR_STOCK_PAGE or (output / path).exists()):
                front_matter = _build_front_matter(PageKind.STOCK, rows[0]["name"], article_count=len(rows))
                yield path, _encode_page({**front_matter, "secid": page.name}, _render_article_list(rows))
    for year in sorted({page.name[:_YEAR_CHARS] for page in pages if page.kind is PageKind.DAY}):
        days = [f"- {_to_json(row)}" for row in store.site_pages.article_counts_by_day(year)]
        front_matter = _build_front_matter(PageKind.DAY, year)
        yield urls.year_url(year)[1:], _encode_page(front_matter, extra_lines=["days:", *days])
    for category in registry.all():
        url = urls.category_url(category.slug)
        if SitePage(PageKind.CATEGORY, category.slug) not in pages and not (output / url[1:]).exists():
            yield _category_page(store, category.slug, registry)
        # The old site had pages of aliases in Latin letters.
        latin_aliases = (alias for alias in category.aliases if alias.isascii() and "/" not in alias)
        for alias in latin_aliases:
            if not registry.has_slug(alias) and not _is_case_variant(output, alias):
                front_matter = {"layout": "redirect", "title": category.media, "target": url}
                yield urls.category_url(alias)[1:], _encode_page(front_matter)


def load_reprints(store: Store, first_path: str, last_path: str) -> dict[str, list[dict[str, str]]]:
    """Return the reprints of the posts in this range of paths, by the post's slug, as its layout shows them."""
    return dict(_iter_reprints(store, first_path, last_path))


def _iter_reprints(store: Store, first_path: str, last_path: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    for code, rows in groupby(store.site_pages.reprints_by_path(first_path, last_path), key=lambda row: row["of"]):
        yield f"{CODE_PREFIX}{code}", [_article_entry(row) for row in rows]


def write_day_page(output: Path, store: Store, day: str) -> str:
    """Write the page of a day such as `2022/01/10`, and return its path below the output folder."""
    path = urls.day_url(day)[1:]
    write_if_changed(output / path, render_day_page(store, day))
    return path


def render_day_page(store: Store, day: str) -> bytes:
    """Return the source of the page of a day such as `2022/01/10`."""
    front_matter = _build_front_matter(PageKind.DAY, day.replace("/", "-"))
    return _encode_page(front_matter, _render_article_list(store.site_pages.articles_on_day(day)))


def write_data_file(output: Path, name: str, value: Sequence[object] | Mapping[str, object]) -> None:
    """Write a file of `_data/`, one item per line.

    Jekyll reads JSON as YAML, which has no surrogate pairs: no character is escaped.
    """
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
    """Yield the bytes of a JSON list or object, with one item per line."""
    yield f"{opening}\n".encode()
    for index, item in enumerate(items):
        yield (",\n" if index else "").encode() + item.encode()
    yield f"\n{closing}\n".encode()


def _is_archived(output: Path, page: SitePage) -> bool:
    return page.kind is PageKind.DAY and (output / ARCHIVED_POSTS_DIR / page.name[:7]).is_dir()


def _category_page(store: Store, slug: str, registry: CategoryRegistry) -> SiteFile:
    category = registry.find(slug)
    rows = store.site_pages.articles_in_category(slug, _MAX_ARTICLES_PER_PAGE)
    front_matter = _build_front_matter(PageKind.CATEGORY, category.media if category else slug, article_count=len(rows))
    return urls.category_url(slug)[1:], _encode_page(front_matter, _render_article_list(rows, hide_media=True))


def _is_case_variant(output: Path, alias: str) -> bool:
    """Return whether the disk ignores case and has an alias as a lower-case page, which no redirect may overwrite."""
    lowercase_page = output / urls.category_url(alias.lower())[1:]
    redirect_page = output / urls.category_url(alias)[1:]
    return (
        redirect_page != lowercase_page
        and redirect_page.exists()
        and lowercase_page.exists()
        and redirect_page.samefile(lowercase_page)
    )


def _data_files(store: Store) -> Iterator[SiteFile]:
    """Yield the lists that the fixed pages show, and the months that the search of titles reads."""
    category_counts = store.categories.with_article_counts()
    categories = [{name: row[name] for name in ("slug", "media", "articles")} for row in category_counts]
    active_categories = sorted(
        (row for row in category_counts if row["articles"]), key=lambda row: row["latest"], reverse=True
    )
    home_categories = []
    for row in active_categories[:_MAX_HOME_CATEGORIES]:
        articles = store.site_pages.articles_in_category(row["slug"], _ARTICLES_PER_HOME_CATEGORY)
        fields = {name: row[name] for name in ("slug", "media", "articles")}
        home_categories.append({**fields, "latest": [_article_entry(article) for article in articles]})
    latest = []
    for row in store.site_pages.latest_articles(_MAX_LATEST_ARTICLES):
        summary = " ".join((row["summary"] or row["body_text"]).split())[:_MAX_SUMMARY_CHARS]
        feed_fields = {"id": article_id(row["code"]), "updated": updated_at(row), "summary": summary}
        latest.append({**_article_entry(row), **feed_fields})
    years = store.site_pages.periods_with_articles(_YEAR_CHARS)
    values: dict[str, Sequence[object] | Mapping[str, object]] = {
        "home": {
            "latest": latest,
            "updated": max((entry["updated"] for entry in latest), default=""),
            "categories": home_categories,
        },
        "years": years,
        "days": store.site_pages.article_counts_by_day(years[0]) if years else [],
        "stocks": store.site_pages.most_linked_stocks(_MIN_ARTICLES_FOR_STOCK_PAGE, _MAX_STOCKS_LISTED),
        "categories": categories,
        "media": {row["slug"]: row["media"] for row in category_counts},
    }
    for name, value in values.items():
        yield _data_file_path(name), _encode_data(value)
    first_reprint_day = (store.site_pages.periods_with_articles(_DAY_CHARS, _MAX_DAYS_WITH_REPRINTS) or ["9"])[-1]
    # One by one, like the titles of a month: a first crawl may bring many.
    reprints = _encode_members(_iter_reprints(store, f"_posts/{first_reprint_day}", "_posts/9"))
    yield _data_file_path("reprints"), _encode_lines("{", reprints, "}")
    months = [month.replace("/", "-") for month in store.site_pages.periods_with_articles(_MONTH_CHARS)]
    yield "search/index.json", _to_json(months).encode()


def _article_entry(row: Row) -> dict[str, str]:
    return {
        "at": row["published_at"],
        "title": row["title"],
        "url": urls.article_url(row["post_path"]),
        "media": row["media"],
        "category": row["category"],
    }


def _build_front_matter(kind: PageKind, title: str, *, article_count: int = 0) -> dict[str, Any]:
    """Return the front matter of a list; `more` is the number of articles shown if there may be more, else false."""
    return {
        "layout": "list",
        "section": kind,
        "title": title,
        "more": article_count == _MAX_ARTICLES_PER_PAGE and article_count,
    }


def _render_article_list(rows: Iterable[Row], *, hide_media: bool = False) -> Iterator[str]:
    """Yield lines of HTML: articles under their days. Links begin at the site's root; the layout prepends `baseurl`."""
    entries_by_day = groupby(map(_article_entry, rows), lambda entry: entry["at"][:10])
    for day, entries in entries_by_day:
        yield from (f'<h2 class="day">{day}</h2>', '<ol class="entries">')
        for entry in entries:
            # A brace could begin a tag of Liquid.
            text = {name: escape(value).replace("{", "&#123;") for name, value in entry.items()}
            time = f'<time datetime="{text["at"]}">{text["at"][11:16]}</time>'
            link = f'<a href="{text["url"]}">{text["title"]}</a>'
            media = f' <a class="media" href="/category/{text["category"]}.html">{text["media"]}</a>'
            yield f'<li>{time}<span class="story">{link}{"" if hide_media else media}</span></li>'
        yield "</ol>"


def _encode_page(
    front_matter: Mapping[str, Any], body_lines: Iterable[str] = (), *, extra_lines: Iterable[str] = ()
) -> bytes:
    """Return a page's source; `extra_lines` are appended to its front matter."""
    front_lines = [f"{name}: {_to_json(value)}" for name, value in front_matter.items()]
    return "\n".join(["---", *front_lines, *extra_lines, "---", *body_lines, ""]).encode()


def _is_user_page(path: Path) -> bool:
    """Return whether a page has front matter that finews did not write. An archived page has no front matter."""
    try:
        beginning = (read_if_file(path, _MAX_BEGINNING) or b"").decode("utf-8", "replace")
    except OutputError:
        return False  # writing the page raises the error
    return beginning.startswith("---") and not _OWN_BEGINNING.match(beginning)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
