"""Is the built site what it should be? Jekyll's exit code does not tell: it publishes what it cannot read.

A comparison of the tree in `_site` with the database, whoever has built it; every page is read once.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from crawler.content.post_format import Site
from crawler.errors import Failed
from crawler.publish.jekyll import urls
from crawler.publish.jekyll.build import TREE
from crawler.publish.jekyll.config import Config
from crawler.publish.jekyll.files import content_of
from crawler.publish.jekyll.page_parser import Seen, faults_of_feed, links_of_feed, see
from crawler.publish.jekyll.run_jekyll import files_of
from crawler.storage import Store

_FEED = "feed.xml"
_ARTICLE = re.compile(r"(?:.*/)?(?:\d{4}-\d\d-\d\d-)?(NW\d{18,24})(?:\.html|/index\.html)", re.ASCII)
# What is wrong with a link is told for so many of its pages.
_PAGES_TOLD = 3


class Kind(StrEnum):
    """What can be wrong with a built site."""

    MISSING = "missing"
    MISDATED = "misdated"
    DIFFERENT = "different"
    EMPTY = "empty"
    BROKEN = "broken link"
    FEED = "feed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: with a page, by its place in the built site."""

    kind: Kind
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: how many `articles` and `pages` there are, `links` inside the site, and the faults."""

    articles: int
    pages: int
    links: int
    faults: list[Fault]


def check(output: Path, store: Store, site: Site, config: Config) -> Checked:
    """Look at every page of the built site. Raises Failed when there is none."""
    tree = output / TREE
    if not tree.is_dir():
        raise Failed(f"no built site at {tree}: `finews site build` makes it")
    there = {str(Path(path).relative_to(TREE)) for path in files_of(output, TREE)}
    owner = _Owner(site, config)
    wanted: dict[str, set[str]] = {}
    faults: list[Fault] = []
    articles = {row["post_path"]: row for row in store.pages.all_told()}
    told = {urls.built(path): row for path, row in articles.items()}
    for path in sorted(page for page in there if page.endswith(".html")):
        seen = see(content_of(tree / path) or b"")
        faults += _faults_of_page(path, seen, told.get(path))
        _collect(wanted, path, owner.inside(path, seen.links))
    feed = content_of(tree / _FEED) or b""
    faults += [Fault(Kind.FEED, _FEED, fault) for fault in faults_of_feed(feed)]
    _collect(wanted, _FEED, owner.inside(_FEED, links_of_feed(feed)))
    faults += _missing([*articles, *_own_posts(output, articles)], there)
    faults += _broken(wanted, there)
    pages = sum(path.endswith(".html") for path in there)
    return Checked(len(articles), pages, len(wanted), sorted(faults, key=lambda fault: (fault.path, fault.kind)))


@dataclass(frozen=True, slots=True)
class _Owner:
    """Which links lead into the site, and where they lead to."""

    site: Site
    config: Config

    def inside(self, path: str, links: Iterable[str]) -> Iterator[str]:
        """Of a page's links those inside the site, as places in the tree."""
        here = f"//{self._host}{self.config.baseurl}/{path}"
        hosts = {self._host, urlsplit(self.site.address).netloc, urlsplit(self.config.url).netloc}
        for link in links:
            try:
                parts = urlsplit(urljoin(here, link.strip()))
            except ValueError:
                yield link
                continue
            if parts.scheme in {"", "http", "https"} and parts.netloc in hosts:
                yield self._place(parts.path)

    @property
    def _host(self) -> str:
        return urlsplit(self.config.url).netloc or "site.invalid"

    def _place(self, path: str) -> str:
        place = unquote(path)
        if self.config.baseurl and place.startswith(f"{self.config.baseurl}/"):
            place = place.removeprefix(self.config.baseurl)
        return place.lstrip("/") + "index.html" if place.endswith("/") or not place else place.lstrip("/")


def _faults_of_page(path: str, seen: Seen, row: dict[str, str] | None) -> Iterator[Fault]:
    if not seen.has_text:
        yield Fault(Kind.EMPTY, path)
        return
    if row is None:
        if article := _ARTICLE.fullmatch(path):
            yield Fault(Kind.MISDATED, path, f"no post of {article[1]} has this address")
        return
    if "".join(seen.heading.split()) != "".join(row["title"].split()):
        yield Fault(Kind.DIFFERENT, path, f"it is headed {seen.heading[:60]!r}, and not {row['title'][:60]!r}")
    elif seen.moment != row["published_at"]:
        yield Fault(Kind.DIFFERENT, path, f"it is of {seen.moment[:40]!r}, and not of {row['published_at']}")


def _missing(paths: Iterable[str], there: set[str]) -> Iterator[Fault]:
    for path in paths:
        if urls.built(path) not in there:
            yield Fault(Kind.MISSING, urls.built(path), path)


def _own_posts(output: Path, articles: dict[str, dict[str, str]]) -> Iterator[str]:
    """The posts in `_posts` that no row is for: the user's own."""
    for path in files_of(output, "_posts"):
        if path not in articles and re.fullmatch(r"\d{4}-\d\d-\d\d-.+\.md", path.rpartition("/")[2]):
            yield path


def _collect(wanted: dict[str, set[str]], page: str, places: Iterable[str]) -> None:
    for place in places:
        pages = wanted.setdefault(place, set())
        if len(pages) < _PAGES_TOLD:
            pages.add(page)


def _broken(wanted: dict[str, set[str]], there: set[str]) -> Iterator[Fault]:
    for place, pages in wanted.items():
        if not {place, f"{place}.html", f"{place}/index.html"} & there:
            yield Fault(Kind.BROKEN, min(pages), f"/{place} does not exist; linked from {', '.join(sorted(pages))}")
