"""Column list: all columns of all spiders, as one table."""

from typing import Any

from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings


def load_columns() -> list[dict[str, Any]]:
    """Each column: `spider`, `column_id`, `name`, and whether it is crawled `by_default`."""
    settings = Settings()
    settings.setmodule(our_settings)
    spider_loader = SpiderLoader.from_settings(settings)
    spiders: list[Any] = [spider_loader.load(name) for name in sorted(spider_loader.list())]
    return [
        {"spider": spider.name, "column_id": column_id, "name": name, "by_default": column_id in spider.default_columns}
        for spider in spiders
        for column_id, name in spider.columns.items()
    ]
