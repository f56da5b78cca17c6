"""Site check: compare the built `_site` with the database, however it was built. Every page is read once.

Jekyll's exit code is no such check: it publishes what it cannot read.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from crawler.content.post_format import SiteLinks
from crawler.errors import FatalError
from crawler.items import CODE_PATTERN, CODE_PREFIX
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.build import SITE_DIR
from crawler.publish.jekyll.config import SiteConfig
from crawler.publish.jekyll.files import list_files
from crawler.publish.jekyll.page_parser import PageFacts, atom_links, atom_problems, parse_page
from crawler.storage import Store
from crawler.storage.post_files import read_if_file

_FEED_FILE = "feed.xml"
_ARTICLE_PAGE_PATH = re.compile(
    rf"(?:.*/)?(?:\d{{4}}-\d\d-\d\d-)?({CODE_PREFIX}{CODE_PATTERN.pattern})(?:\.html|/index\.html)", re.ASCII
)
# Pages that are reported for one broken link.
_MAX_PAGES_PER_BROKEN_LINK = 3


class SiteFaultKind(StrEnum):
    """What can be wrong with a built site."""

    MISSING_PAGE = "missing"
    MISDATED = "misdated"
    CONTENT_DIFFERS = "different"
    EMPTY_PAGE = "empty"
    BROKEN_LINK = "broken link"
    INVALID_FEED = "feed"


@dataclass(frozen=True, slots=True)
class SiteFault:
    """One thing that is wrong: with a page, by its place in the built site."""

    kind: SiteFaultKind
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SiteCheckResult:
    """What a check found: how many `articles` and `pages` there are, `links` inside the site, and the faults."""

    articles: int
    pages: int
    links: int
    faults: list[SiteFault]


def check_jekyll_site(output: Path, store: Store, site_links: SiteLinks, config: SiteConfig) -> SiteCheckResult:
    """Look at every page of the built site. Raises FatalError when there is none."""
    site_dir = output / SITE_DIR
    if not site_dir.is_dir():
        raise FatalError(f"no built site at {site_dir}: `finews site build` makes it")
    site_files = {str(Path(path).relative_to(SITE_DIR)) for path in list_files(output, SITE_DIR)}
    resolver = LinkResolver(site_links, config)
    pages_by_target: dict[str, set[str]] = {}
    faults: list[SiteFault] = []
    rows_by_post = {row["post_path"]: row for row in store.site_pages.article_headings()}
    rows_by_page = {urls.built_page_path(path): row for path, row in rows_by_post.items()}
    for path in sorted(page for page in site_files if page.endswith(".html")):
        page_facts = parse_page(read_if_file(site_dir / path) or b"")
        faults += _find_page_faults(path, page_facts, rows_by_page.get(path))
        _collect_targets(pages_by_target, path, resolver.internal_targets(path, page_facts.links))
    feed = read_if_file(site_dir / _FEED_FILE) or b""
    faults += [SiteFault(SiteFaultKind.INVALID_FEED, _FEED_FILE, fault) for fault in atom_problems(feed)]
    _collect_targets(pages_by_target, _FEED_FILE, resolver.internal_targets(_FEED_FILE, atom_links(feed)))
    faults += _find_missing_pages([*rows_by_post, *_find_user_posts(output, rows_by_post)], site_files)
    faults += _find_broken_links(pages_by_target, site_files)
    page_count = sum(path.endswith(".html") for path in site_files)
    return SiteCheckResult(
        len(rows_by_post), page_count, len(pages_by_target), sorted(faults, key=lambda fault: (fault.path, fault.kind))
    )


@dataclass(frozen=True, slots=True)
class LinkResolver:
    """Which links lead into the site, and where they lead to."""

    site_links: SiteLinks
    config: SiteConfig

    def internal_targets(self, path: str, links: Iterable[str]) -> Iterator[str]:
        """Of a page's links those inside the site, as places in the tree."""
        page_url = f"//{self._host}{self.config.baseurl}/{path}"
        hosts = {self._host, urlsplit(self.site_links.address).netloc, urlsplit(self.config.url).netloc}
        for link in links:
            try:
                url_parts = urlsplit(urljoin(page_url, link.strip()))
            except ValueError:
                yield link
                continue
            if url_parts.scheme in {"", "http", "https"} and url_parts.netloc in hosts:
                yield self._target_path(url_parts.path)

    @property
    def _host(self) -> str:
        return urlsplit(self.config.url).netloc or "site.invalid"

    def _target_path(self, path: str) -> str:
        target = unquote(path)
        if self.config.baseurl and target.startswith(f"{self.config.baseurl}/"):
            target = target.removeprefix(self.config.baseurl)
        return target.lstrip("/") + "index.html" if target.endswith("/") or not target else target.lstrip("/")


def _find_page_faults(path: str, page_facts: PageFacts, row: dict[str, str] | None) -> Iterator[SiteFault]:
    if not page_facts.has_text:
        yield SiteFault(SiteFaultKind.EMPTY_PAGE, path)
        return
    if row is None:
        if match := _ARTICLE_PAGE_PATH.fullmatch(path):
            yield SiteFault(SiteFaultKind.MISDATED, path, f"no post of {match[1]} has this address")
        return
    if "".join(page_facts.heading.split()) != "".join(row["title"].split()):
        yield SiteFault(
            SiteFaultKind.CONTENT_DIFFERS,
            path,
            f"it is headed {page_facts.heading[:60]!r}, and not {row['title'][:60]!r}",
        )
    elif page_facts.published_at != row["published_at"]:
        yield SiteFault(
            SiteFaultKind.CONTENT_DIFFERS,
            path,
            f"it is of {page_facts.published_at[:40]!r}, and not of {row['published_at']}",
        )


def _find_missing_pages(post_paths: Iterable[str], site_files: set[str]) -> Iterator[SiteFault]:
    for path in post_paths:
        if urls.built_page_path(path) not in site_files:
            yield SiteFault(SiteFaultKind.MISSING_PAGE, urls.built_page_path(path), path)


def _find_user_posts(output: Path, rows_by_post: dict[str, dict[str, str]]) -> Iterator[str]:
    """The posts in `_posts` that no row is for: the user's own."""
    for path in list_files(output, "_posts"):
        if path not in rows_by_post and re.fullmatch(r"\d{4}-\d\d-\d\d-.+\.md", path.rpartition("/")[2]):
            yield path


def _collect_targets(pages_by_target: dict[str, set[str]], page: str, targets: Iterable[str]) -> None:
    for target in targets:
        pages = pages_by_target.setdefault(target, set())
        if len(pages) < _MAX_PAGES_PER_BROKEN_LINK:
            pages.add(page)


def _find_broken_links(pages_by_target: dict[str, set[str]], site_files: set[str]) -> Iterator[SiteFault]:
    for target, pages in pages_by_target.items():
        if not {target, f"{target}.html", f"{target}/index.html"} & site_files:
            yield SiteFault(
                SiteFaultKind.BROKEN_LINK,
                min(pages),
                f"/{target} does not exist; linked from {', '.join(sorted(pages))}",
            )
