"""Recorded responses of each site, and the expected posts: one folder per case, in tests/sites/<spider>."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from scrapy.crawler import Crawler
from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings
from crawler.content.categories import CategoryRegistry
from crawler.content.dates import CHINA_TZ
from crawler.content.normalise import normalise_article
from crawler.content.post_format import SiteLinks, render_post
from crawler.errors import EmptyBodyError
from crawler.items import Article, ListingEntry, Post, RawArticle, RawResponse
from crawler.spiders.base import SourceSpider

CASES_DIR = Path(__file__).parents[1] / "sites"
FETCHED_AT = datetime(2026, 11, 24, 12, 0, tzinfo=CHINA_TZ)


def project_settings() -> Settings:
    settings = Settings()
    settings.setmodule(our_settings)
    return settings


SPIDERS = sorted(SpiderLoader.from_settings(project_settings()).list())


@dataclass(frozen=True)
class Case:
    """One folder: the listing, the article responses in the order of their requests, and the post."""

    folder: Path

    @property
    def spider(self) -> SourceSpider:
        loader = SpiderLoader.from_settings(project_settings())
        spider_class = loader.load(self.folder.parent.name)
        spider = spider_class.from_crawler(Crawler(spider_class, project_settings()))
        assert isinstance(spider, SourceSpider)
        return spider

    @property
    def metadata(self) -> dict[str, str]:
        return tomllib.loads((self.folder / "case.toml").read_text())

    def parse_entry(self) -> ListingEntry:
        spider, column = self.spider, self.metadata["column"]
        body = (self.folder / "listing.json").read_bytes()
        listing = spider.extract_listing(body.decode(), spider.first_cursor)
        entries = [spider.parse_row(row, column) for row in listing.rows]
        return next(entry for entry in entries if entry.code == self.metadata["code"])

    def extract_article(self, entry: ListingEntry) -> RawArticle:
        if self.spider.is_row_whole(entry) or not self._response_names():
            return self.spider.extract_row(entry, FETCHED_AT)
        for number, name in enumerate(sorted(self._response_names())):
            content_type = "text/html" if name.endswith(".html") else "application/json"
            response = RawResponse(
                entry.url, f"{content_type}; charset=utf-8", (self.folder / name).read_bytes(), number
            )
            try:
                return self.spider.extract_article(response, entry, FETCHED_AT)
            except EmptyBodyError:
                continue
        raise AssertionError("no response of this case has a text")

    def normalise_article(self) -> Article:
        entry = self.parse_entry()
        return normalise_article(self.extract_article(entry), CategoryRegistry().get_or_create, self.spider.markup)

    def _response_names(self) -> list[str]:
        return [path.name for path in self.folder.glob("response-*")]


CASES = [Case(folder) for spider in SPIDERS for folder in sorted((CASES_DIR / spider).glob("*"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder.parent.name}/{case.folder.name}")
def test_recorded_responses_become_their_post(case: Case) -> None:
    article = case.normalise_article()
    post = Post(
        code=article.code,
        title=article.title,
        published_at=article.published_at,
        category=article.category.slug,
        media=article.media,
        body_html=article.body_html,
        url=article.url,
    )
    expected = (case.folder / "post.md").read_text()
    assert render_post(post, SiteLinks("//finews.withounder.com")) == expected


@pytest.mark.parametrize("spider", SPIDERS)
def test_every_spider_has_a_recorded_case(spider: str) -> None:
    assert [case for case in CASES if case.folder.parent.name == spider], f"record a case in tests/sites/{spider}/"


def test_every_case_folder_has_a_spider() -> None:
    assert {folder.name for folder in CASES_DIR.iterdir()} <= set(SPIDERS)
