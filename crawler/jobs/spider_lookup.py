"""Spider lookup by name, for jobs that extract what a spider once fetched."""

from functools import cache
from typing import TYPE_CHECKING

from crawler.content.markup import SourceMarkup
from crawler.spiders.eastmoney_markup import find_spider_name

if TYPE_CHECKING:
    from crawler.spiders.base import SourceSpider


@cache
def load_spider_class(name: str) -> type["SourceSpider"]:
    """Return the class of a spider. Raises KeyError for a name that no spider has."""
    # Scrapy takes a third of a second to import, and most posts can be read without.
    from scrapy.settings import Settings
    from scrapy.spiderloader import SpiderLoader

    from crawler import settings as our_settings
    from crawler.spiders.base import SourceSpider

    settings = Settings()
    settings.setmodule(our_settings)
    spider_class = SpiderLoader.from_settings(settings).load(name)
    assert issubclass(spider_class, SourceSpider)
    return spider_class


def find_markup(spider: str) -> SourceMarkup:
    """Return what the source of a spider adds to its texts. Raises KeyError for a name that no spider has."""
    return load_spider_class(spider).markup


def find_markup_by_url(article_url: str) -> SourceMarkup:
    """Return what the source of an article adds to its texts, given the article's address."""
    return find_markup(find_spider_name(article_url))
