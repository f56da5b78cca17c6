"""Export of articles as CSV, JSON Lines or Parquet files, one batch in memory at a time."""

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crawler.errors import OutputError, UsageError, missing_extra_error
from crawler.storage.unfinished import unfinished_folder

EXPORT_COLUMNS = (
    "code", "title", "published_at", "media", "category", "source", "url", "summary", "body_html", "body_text",
    "post_path", "post_sha256", "first_seen_at", "changed_at", "revision", "withdrawn_at",
)  # fmt: skip
_ROWS_PER_BATCH = 500
# What a spreadsheet begins a formula with.
_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

Row = Mapping[str, Any]


def export_articles(rows: Iterable[Row], target: Path) -> int:
    """Write rows into a file, by its ending; how many there were. It appears when it is whole.

    Raises UsageError for an unknown ending, and OutputError.
    """
    write_format = _WRITERS_BY_SUFFIX.get(target.suffix.lower())
    if write_format is None:
        raise UsageError(f"{target.name}: end its name in {', '.join(_WRITERS_BY_SUFFIX)}")
    try:
        with unfinished_folder(target.parent) as temp_dir:
            row_count = write_format(rows, temp_dir / target.name)
            (temp_dir / target.name).replace(target)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {os.strerror(error.errno or 0)}") from error
    return row_count


def to_spreadsheet_cells(row: Row, columns: Sequence[str]) -> list[object]:
    """A row for a spreadsheet: what it would take for a formula begins with an apostrophe."""
    return [_escape_formula(row[name]) for name in columns]


def _escape_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_PREFIXES) else value


def _write_csv(rows: Iterable[Row], target: Path) -> int:
    row_count = 0
    # With its mark, spreadsheets read it as UTF-8.
    with target.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(EXPORT_COLUMNS)
        for row in rows:
            writer.writerow(to_spreadsheet_cells(row, EXPORT_COLUMNS))
            row_count += 1
    return row_count


def _write_jsonl(rows: Iterable[Row], target: Path) -> int:
    row_count = 0
    with target.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps({name: row[name] for name in EXPORT_COLUMNS}, ensure_ascii=False) + "\n")
            row_count += 1
    return row_count


def _write_parquet(rows: Iterable[Row], target: Path) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_extra_error("Parquet needs pyarrow", "parquet") from error
    types = {"revision": arrow.int64()}
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in EXPORT_COLUMNS])
    row_count = 0
    with parquet.ParquetWriter(target, schema) as writer:
        for batch in _split_batches(rows):
            columns = {name: [row[name] for row in batch] for name in EXPORT_COLUMNS}
            writer.write_table(arrow.table(columns, schema=schema))
            row_count += len(batch)
    return row_count


def _split_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, _ROWS_PER_BATCH)):
        yield batch


_WRITERS_BY_SUFFIX: dict[str, Callable[[Iterable[Row], Path], int]] = {
    ".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet,
}  # fmt: skip
