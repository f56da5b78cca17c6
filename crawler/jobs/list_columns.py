"""Column list: the columns of all spiders as one table."""

from typing import Any

from scrapy.settings import Settings
from scrapy.spiderloader import SpiderLoader

from crawler import settings as our_settings
from crawler.crawl.policy.selection import unknown_column_error


def load_columns() -> list[dict[str, Any]]:
    """Return a row per column: `spider`, `column_id`, `name` and `by_default`, True if crawled without `--column`."""
    settings = Settings()
    settings.setmodule(our_settings)
    spider_loader = SpiderLoader.from_settings(settings)
    spiders: list[Any] = [spider_loader.load(name) for name in sorted(spider_loader.list())]
    return [
        {"spider": spider.name, "column_id": column_id, "name": name, "by_default": column_id in spider.default_columns}
        for spider in spiders
        for column_id, name in spider.columns.items()
    ]


def find_column_ids(text: str) -> list[str]:
    """Return the ids of the columns with this id or name, of all spiders. Raises UsageError if there is none."""
    columns = load_columns()
    found = dict.fromkeys(column["column_id"] for column in columns if text in {column["column_id"], column["name"]})
    if not found:
        raise unknown_column_error(text, {column[key] for key in ("column_id", "name") for column in columns})
    return [*found]
