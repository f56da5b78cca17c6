"""Spider lookup by name, for jobs that parse stored responses and posts."""

from functools import cache
from typing import TYPE_CHECKING

from crawler.content.markup import SourceMarkup
from crawler.spiders.eastmoney_markup import find_spider_name

if TYPE_CHECKING:
    from crawler.spiders.base import SourceSpider


@cache
def load_spider_class(name: str) -> type["SourceSpider"]:
    """Return the class of a spider. Raises KeyError for an unknown name."""
    # Scrapy is slow to import, and most posts can be parsed without it.
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
    """Return the markup of the source of a spider. Raises KeyError for an unknown name."""
    return load_spider_class(spider).markup


def find_markup_by_url(article_url: str) -> SourceMarkup:
    """Return the markup of the source of an article, given by its address."""
    return find_markup(find_spider_name(article_url))
