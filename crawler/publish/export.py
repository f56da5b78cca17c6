"""Export of articles as CSV, JSON Lines or Parquet, one batch in memory at a time."""

import codecs
import csv
import gzip
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
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
# Programs may read exports by position: append new columns.
EXPORT_COLUMNS = (*ARTICLE_COLUMNS, "stocks", "columns")
# The target name for standard output.
STDOUT = "-"
_TIME_COLUMNS = ("published_at", "first_seen_at", "changed_at", "withdrawn_at")
# A name: some readers of Parquet do not accept +08:00 as a time zone.
_TIME_ZONE = "Asia/Shanghai"
# Rows of a row group in a Parquet file, of which one is in memory.
_ROWS_PER_BATCH = 500
_GZIP_SUFFIX = ".gz"
_LIST_SEPARATOR = ";"
# Characters with which a formula begins in a spreadsheet.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Text that a spreadsheet would take for a number, a date or a time and show otherwise: it keeps 15 digits, and no
# leading or trailing zeros.
_NUMBER_OR_DATE = re.compile(r"(?![1-9]\d{0,14}\Z)[\d.,:/%Ee +-]*\d[\d.,:/%Ee +-]*", re.ASCII)

Row = Mapping[str, Any]


class ExportFormat(StrEnum):
    """Formats of exports; the value is also the ending of a file's name."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export; `excel` is CSV whose cells a spreadsheet shows unchanged and does not evaluate."""

    format: ExportFormat
    gzip: bool = False
    excel: bool = False


def parse_export_options(target: str, format_name: str | None, *, compress: bool, excel: bool) -> ExportOptions:
    """Return the options for a target: a file or `-`. `format_name` overrides the ending of the file's name.

    Raises:
        UsageError: the format is unknown, or cannot be compressed or written for a spreadsheet.
    """
    name = Path(target).name.lower()
    has_gzip_name = name.endswith(_GZIP_SUFFIX)
    export_format = format_name or Path(name.removesuffix(_GZIP_SUFFIX)).suffix.removeprefix(".")
    if target == STDOUT and not format_name:
        raise UsageError(f"{STDOUT} has no ending: choose --format {', '.join(ExportFormat)}")
    if export_format not in {*ExportFormat}:
        endings = ", ".join(f".{ending}" for ending in ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"))
        raise UsageError(f"{target}: unknown file type; use {endings}, or --format")
    if compress and target != STDOUT and not has_gzip_name:
        raise UsageError(f"{target}: end its name in {_GZIP_SUFFIX} to compress it")
    options = ExportOptions(ExportFormat(export_format), gzip=compress or has_gzip_name, excel=excel)
    if options.gzip and options.format is ExportFormat.PARQUET:
        raise UsageError("Parquet is compressed already: leave out gzip")
    if options.excel and options.format is not ExportFormat.CSV:
        raise UsageError(f"--excel is for CSV, not for {options.format}")
    return options


def export_to_file(rows: Iterable[Row], target: Path, options: ExportOptions) -> int:
    """Write rows into a file, which appears when it is complete, and return their number. Raises OutputError."""
    try:
        with unfinished_folder(target.parent) as temp_dir:
            with (temp_dir / target.name).open("wb") as stream:
                row_count = export_to_stream(rows, stream, options)
            (temp_dir / target.name).replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {os.strerror(error.errno or 0)}") from error
    return row_count


def export_to_stream(rows: Iterable[Row], stream: BinaryIO, options: ExportOptions) -> int:
    """Write rows to a stream, and return their number. Raises OSError.

    The same rows give the same bytes: neither a time nor a file name is written.
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
    """Return cells for a spreadsheet, with an apostrophe before text that it would take for a formula."""
    return [_escape_formula(row[name]) for name in columns]


def _escape_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_PREFIXES) else value


def _write_csv(rows: Iterable[Row], stream: BinaryIO, *, excel: bool) -> int:
    """Write CSV with stocks as `1.600160 巨化股份;0.000002 万科Ａ`; a semicolon in a name becomes a wide one."""
    row_count = 0
    # Spreadsheets recognise UTF-8 by its byte order mark.
    writer = csv.writer(codecs.getwriter("utf-8-sig" if excel else "utf-8")(stream))
    writer.writerow(EXPORT_COLUMNS)
    for row in rows:
        stocks = (
            f"{stock['secid']} {stock['name'].replace(_LIST_SEPARATOR, '；')}".rstrip() for stock in row["stocks"]
        )
        lists = [_LIST_SEPARATOR.join(stocks), _LIST_SEPARATOR.join(row["columns"])]
        cells = [*(row[name] for name in ARTICLE_COLUMNS), *lists]
        writer.writerow(map(_as_spreadsheet_text, cells) if excel else cells)
        row_count += 1
    return row_count


def _as_spreadsheet_text(value: object) -> object:
    """Return a cell that a spreadsheet shows unchanged: text that it would convert gets an apostrophe.

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
        remaining = iter(rows)
        while batch := list(itertools.islice(remaining, _ROWS_PER_BATCH)):
            columns = {name: [row[name] for row in batch] for name in EXPORT_COLUMNS}
            for name in _TIME_COLUMNS:
                columns[name] = [value if value is None else datetime.fromisoformat(value) for value in columns[name]]
            writer.write_table(arrow.table(columns, schema=schema))
            row_count += len(batch)
    return row_count
