"""Feed exporters for `scrapy crawl -O FILE`: Scrapy's own, for text and JSON values instead of Python objects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from itemadapter import ItemAdapter, is_item
from scrapy.exporters import (
    BaseItemExporter,
    CsvItemExporter,
    JsonItemExporter,
    JsonLinesItemExporter,
    XmlItemExporter,
)
from scrapy.utils.serialize import ScrapyJSONEncoder

from crawler.content.dates import format_iso
from crawler.items import Article, Category

_CELL_ENCODER = ScrapyJSONEncoder(ensure_ascii=False)


def to_json_value(value: Any) -> Any:
    """Return a field's value as a JSON value.

    >>> to_json_value((Category("zhongguonongwang", "中国农网"),))
    ['zhongguonongwang']
    """
    if isinstance(value, datetime):
        return format_iso(value)
    if isinstance(value, Category):
        return value.slug
    if isinstance(value, list | tuple):
        return [to_json_value(part) for part in value]
    if is_item(value):
        return {name: to_json_value(part) for name, part in ItemAdapter(value).items()}
    return value


def to_csv_cell(value: Any) -> str:
    """Return a JSON value as text: strings unchanged, None as an empty string, anything else as JSON.

    >>> to_csv_cell("中国农网"), to_csv_cell(None), to_csv_cell([{"count": 2}])
    ('中国农网', '', '[{"count": 2}]')
    """
    if value is None or isinstance(value, str):
        return value or ""
    return _CELL_ENCODER.encode(value)


class _JsonValueExporter(BaseItemExporter):
    """Serialize the fields of an item as JSON values."""

    def export_item(self, item: Any) -> None:
        """Export an item; of an article all fields except its listing entry, which repeats them."""
        if isinstance(item, Article):
            item = {name: value for name, value in ItemAdapter(item).items() if name != "entry"}
        cast(Any, super()).export_item(item)  # abstract in the base class; one of Scrapy's is next in each subclass

    def serialize_field(self, field: Mapping[str, Any], name: str, value: Any) -> Any:
        """Return a field as a JSON value."""
        return to_json_value(super().serialize_field(field, name, value))


class JsonExporter(_JsonValueExporter, JsonItemExporter):
    """Write a JSON array of objects."""


class JsonLinesExporter(_JsonValueExporter, JsonLinesItemExporter):
    """Write one JSON object per line."""


class XmlExporter(_JsonValueExporter, XmlItemExporter):
    """Write an `item` element for each item."""


class CsvExporter(_JsonValueExporter, CsvItemExporter):
    """Write a header and a row for each item; Scrapy's own joins a list of texts with commas."""

    def serialize_field(self, field: Mapping[str, Any], name: str, value: Any) -> str:
        """Return a field as a cell."""
        return to_csv_cell(super().serialize_field(field, name, value))
