"""Site check: compares the built `_site`, also one of plain `jekyll build`, with the database.

Jekyll's exit code does not show such problems: Jekyll publishes pages that it cannot parse.
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
from crawler.publish.jekyll.page_parser import PageFacts, parse_feed, parse_page
from crawler.storage import Store
from crawler.storage.post_files import read_if_file

_FEED_FILE = "feed.xml"
_ARTICLE_PAGE_PATH = re.compile(
    rf"(?:.*/)?(?:\d{{4}}-\d\d-\d\d-)?({CODE_PREFIX}{CODE_PATTERN.pattern})(?:\.html|/index\.html)", re.ASCII
)
# Pages named in the report of one broken link.
_MAX_PAGES_PER_BROKEN_LINK = 3


class SiteFaultKind(StrEnum):
    """Kinds of problems in a built site."""

    MISSING_PAGE = "missing"
    MISDATED = "misdated"
    CONTENT_DIFFERS = "different"
    EMPTY_PAGE = "empty"
    BROKEN_LINK = "broken link"
    INVALID_FEED = "feed"


@dataclass(frozen=True, slots=True)
class SiteFault:
    """Problem of one page; `path` is below `_site`."""

    kind: SiteFaultKind
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SiteCheckResult:
    """Result of a check: the numbers of articles, pages and distinct links inside the site, and the problems."""

    articles: int
    pages: int
    links: int
    faults: list[SiteFault]


def check_jekyll_site(output: Path, store: Store, site_links: SiteLinks, config: SiteConfig) -> SiteCheckResult:
    """Check every page of the built site. Raises FatalError when there is no built site."""
    site_dir = output / SITE_DIR
    if not site_dir.is_dir():
        raise FatalError(f"no built site at {site_dir}: run `finews site build`")
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
    feed = parse_feed(read_if_file(site_dir / _FEED_FILE) or b"")
    faults += [SiteFault(SiteFaultKind.INVALID_FEED, _FEED_FILE, problem) for problem in feed.problems]
    _collect_targets(pages_by_target, _FEED_FILE, resolver.internal_targets(_FEED_FILE, feed.links))
    user_posts = [
        path
        for path in list_files(output, "_posts")
        if path not in rows_by_post and re.fullmatch(r"\d{4}-\d\d-\d\d-.+\.md", path.rpartition("/")[2])
    ]
    for path in (*rows_by_post, *user_posts):
        if urls.built_page_path(path) not in site_files:
            faults.append(SiteFault(SiteFaultKind.MISSING_PAGE, urls.built_page_path(path), path))
    for target, pages in pages_by_target.items():
        if not {target, f"{target}.html", f"{target}/index.html"} & site_files:
            detail = f"/{target} does not exist; linked from {', '.join(sorted(pages))}"
            faults.append(SiteFault(SiteFaultKind.BROKEN_LINK, min(pages), detail))
    page_count = sum(path.endswith(".html") for path in site_files)
    return SiteCheckResult(
        len(rows_by_post), page_count, len(pages_by_target), sorted(faults, key=lambda fault: (fault.path, fault.kind))
    )


@dataclass(frozen=True, slots=True)
class LinkResolver:
    """Finds the links that lead into the site, and the paths they lead to."""

    site_links: SiteLinks
    config: SiteConfig

    def internal_targets(self, path: str, links: Iterable[str]) -> Iterator[str]:
        """Yield the paths below `_site` to which the links of a page lead; an invalid link as it is."""
        host = urlsplit(self.config.url).netloc or "site.invalid"
        page_url = f"//{host}{self.config.baseurl}/{path}"
        hosts = {host, urlsplit(self.site_links.address).netloc, urlsplit(self.config.url).netloc}
        for link in links:
            try:
                url_parts = urlsplit(urljoin(page_url, link.strip()))
            except ValueError:
                yield link
                continue
            if url_parts.scheme in {"", "http", "https"} and url_parts.netloc in hosts:
                target = unquote(url_parts.path)
                if self.config.baseurl and target.startswith(f"{self.config.baseurl}/"):
                    target = target.removeprefix(self.config.baseurl)
                yield target.lstrip("/") + ("index.html" if target.endswith("/") or not target else "")


def _find_page_faults(path: str, page_facts: PageFacts, row: dict[str, str] | None) -> Iterator[SiteFault]:
    if not page_facts.has_text:
        yield SiteFault(SiteFaultKind.EMPTY_PAGE, path)
        return
    if row is None:
        if match := _ARTICLE_PAGE_PATH.fullmatch(path):
            yield SiteFault(SiteFaultKind.MISDATED, path, f"no post of {match[1]} has this path")
        return
    if "".join(page_facts.heading.split()) != "".join(row["title"].split()):
        yield SiteFault(
            SiteFaultKind.CONTENT_DIFFERS,
            path,
            f"its heading is {page_facts.heading[:60]!r}, not {row['title'][:60]!r}",
        )
    elif page_facts.published_at != row["published_at"]:
        yield SiteFault(
            SiteFaultKind.CONTENT_DIFFERS,
            path,
            f"its time is {page_facts.published_at[:40]!r}, not {row['published_at']}",
        )


def _collect_targets(pages_by_target: dict[str, set[str]], page: str, targets: Iterable[str]) -> None:
    for target in targets:
        pages = pages_by_target.setdefault(target, set())
        if len(pages) < _MAX_PAGES_PER_BROKEN_LINK:
            pages.add(page)
