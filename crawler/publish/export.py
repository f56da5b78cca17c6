"""Export of articles as CSV, JSON Lines or Parquet, one batch in memory at a time."""

import codecs
import csv
import gzip
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, cast

from crawler.errors import OutputError, UsageError, missing_extra_error
from crawler.storage.unfinished import unfinished_folder

ARTICLE_COLUMNS = (
    "code", "title", "published_at", "media", "category", "source", "url", "summary", "body_html", "body_text",
    "post_path", "post_sha256", "first_seen_at", "changed_at", "revision", "withdrawn_at",
)  # fmt: skip
# Programs read exports by position, too: a new column is the last one.
EXPORT_COLUMNS = (*ARTICLE_COLUMNS, "stocks", "columns")
# The target that is standard output.
STDOUT = "-"
_TIME_COLUMNS = ("published_at", "first_seen_at", "changed_at", "withdrawn_at")
# A name and not +08:00, which some readers of Parquet do not know as a zone.
_TIME_ZONE = "Asia/Shanghai"
_ROWS_PER_BATCH = 500
_GZIP_SUFFIX = ".gz"
_LIST_SEPARATOR = ";"
# What a spreadsheet begins a formula with.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What a spreadsheet would take for a number, a date or a time, and write otherwise: it keeps 15 digits, and no zeros
# before or after them.
_NUMBER_OR_DATE = re.compile(r"(?![1-9]\d{0,14}\Z)[\d.,:/%Ee +-]*\d[\d.,:/%Ee +-]*", re.ASCII)

Row = Mapping[str, Any]


class ExportFormat(StrEnum):
    """What articles are written as; also the ending of a file's name."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How articles are written: `excel` is CSV whose cells a spreadsheet shows as they are and computes nothing of."""

    format: ExportFormat
    gzip: bool = False
    excel: bool = False


def parse_export_options(target: str, format_name: str | None, *, compress: bool, excel: bool) -> ExportOptions:
    """Return how to write to a file, by the ending of its name, or to `-`. `format_name` goes before the ending.

    Raises:
        UsageError: the format is unknown, or cannot be compressed or be for a spreadsheet.
    """
    name = Path(target).name.lower()
    has_gzip_name = name.endswith(_GZIP_SUFFIX)
    export_format = format_name or Path(name.removesuffix(_GZIP_SUFFIX)).suffix.removeprefix(".")
    if target == STDOUT and not format_name:
        raise UsageError(f"{STDOUT} has no ending: --format {', '.join(ExportFormat)} says what to write")
    if export_format not in {*ExportFormat}:
        endings = ", ".join(f".{ending}" for ending in ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"))
        raise UsageError(f"{target}: end its name in {endings}, or name the --format")
    if compress and target != STDOUT and not has_gzip_name:
        raise UsageError(f"{target}: end its name in {_GZIP_SUFFIX} to compress it")
    options = ExportOptions(ExportFormat(export_format), gzip=compress or has_gzip_name, excel=excel)
    if options.gzip and options.format is ExportFormat.PARQUET:
        raise UsageError("Parquet is compressed inside: leave out gzip")
    if options.excel and options.format is not ExportFormat.CSV:
        raise UsageError(f"--excel is for CSV, not for {options.format}")
    return options


def export_to_file(rows: Iterable[Row], target: Path, options: ExportOptions) -> int:
    """Write rows into a file, which appears when it is whole; return how many there were. Raises OutputError."""
    try:
        with unfinished_folder(target.parent) as temp_dir:
            with (temp_dir / target.name).open("wb") as stream:
                row_count = export_to_stream(rows, stream, options)
            (temp_dir / target.name).replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {os.strerror(error.errno or 0)}") from error
    return row_count


def export_to_stream(rows: Iterable[Row], stream: BinaryIO, options: ExportOptions) -> int:
    """Write rows to a stream, which need not be a file; return how many there were. Raises OSError.

    The same rows are the same bytes: no time and no name of a file is among them.
    """
    if options.gzip:
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as compressed:
            return export_to_stream(rows, cast(BinaryIO, compressed), replace(options, gzip=False))
    match options.format:
        case ExportFormat.CSV:
            return _write_csv(rows, stream, excel=options.excel)
        case ExportFormat.JSONL:
            return _write_jsonl(rows, stream)
        case ExportFormat.PARQUET:
            return _write_parquet(rows, stream)


def to_spreadsheet_cells(row: Row, columns: Sequence[str]) -> list[object]:
    """A row for a spreadsheet: what it would take for a formula begins with an apostrophe."""
    return [_escape_formula(row[name]) for name in columns]


def _escape_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_PREFIXES) else value


def _write_csv(rows: Iterable[Row], stream: BinaryIO, *, excel: bool) -> int:
    row_count = 0
    # With its mark, spreadsheets read it as UTF-8.
    writer = csv.writer(codecs.getwriter("utf-8-sig" if excel else "utf-8")(stream))
    writer.writerow(EXPORT_COLUMNS)
    for row in rows:
        cells = [row[name] for name in ARTICLE_COLUMNS] + [_join_stocks(row), _LIST_SEPARATOR.join(row["columns"])]
        writer.writerow(map(_as_spreadsheet_text, cells) if excel else cells)
        row_count += 1
    return row_count


def _join_stocks(row: Row) -> str:
    """Return `1.600160 巨化股份;0.000002 万科Ａ`: a name can hold blanks, and a semicolon becomes a wide one."""
    stocks = (f"{stock['secid']} {stock['name'].replace(_LIST_SEPARATOR, '；')}".rstrip() for stock in row["stocks"])
    return _LIST_SEPARATOR.join(stocks)


def _as_spreadsheet_text(value: object) -> object:
    """Return a cell that a spreadsheet shows as it is; an apostrophe is before what it would take for something else.

    >>> [_as_spreadsheet_text(value) for value in ("202201102242171631", "=1+1", "2022", "1-2", "茅台", 3)]
    ["'202201102242171631", "'=1+1", '2022', "'1-2", '茅台', 3]
    """
    return f"'{value}" if isinstance(value, str) and _NUMBER_OR_DATE.fullmatch(value) else _escape_formula(value)


def _write_jsonl(rows: Iterable[Row], stream: BinaryIO) -> int:
    row_count = 0
    for row in rows:
        line = json.dumps({name: row[name] for name in EXPORT_COLUMNS}, ensure_ascii=False)
        stream.write(f"{line}\n".encode())
        row_count += 1
    return row_count


def _write_parquet(rows: Iterable[Row], stream: BinaryIO) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_extra_error("Parquet needs pyarrow", "parquet") from error
    stock_type = arrow.struct([("secid", arrow.string()), ("name", arrow.string())])
    types = {
        **dict.fromkeys(_TIME_COLUMNS, arrow.timestamp("us", tz=_TIME_ZONE)),
        "revision": arrow.int64(),
        "stocks": arrow.list_(stock_type),
        "columns": arrow.list_(arrow.string()),
    }
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in EXPORT_COLUMNS])
    row_count = 0
    with parquet.ParquetWriter(stream, schema) as writer:
        for batch in _split_batches(rows):
            columns = {name: [_to_parquet_value(name, row[name]) for row in batch] for name in EXPORT_COLUMNS}
            writer.write_table(arrow.table(columns, schema=schema))
            row_count += len(batch)
    return row_count


def _to_parquet_value(column: str, value: Any) -> object:
    return datetime.fromisoformat(value) if column in _TIME_COLUMNS and value is not None else value


def _split_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, _ROWS_PER_BATCH)):
        yield batch
