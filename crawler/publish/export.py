"""Articles as a file for other programs: CSV, JSON Lines or Parquet, one batch in memory at a time."""

import csv
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crawler.errors import OutputError, UsageError, extra_missing

COLUMNS = (
    "code", "title", "published_at", "media", "category", "source", "url", "summary", "body_html", "body_text",
    "post_path", "post_sha256", "first_seen_at", "changed_at", "revision", "withdrawn_at",
)  # fmt: skip
_BATCH = 500
# What a spreadsheet begins a formula with.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

Row = Mapping[str, Any]


def export(rows: Iterable[Row], file: Path) -> int:
    """Write rows into a file, by its ending; how many there were. It appears when it is whole.

    Raises UsageError for an ending that is none of ours, and OutputError.
    """
    writer = _WRITERS.get(file.suffix.lower())
    if writer is None:
        raise UsageError(f"{file.name}: end its name in {', '.join(_WRITERS)}")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
            written = writer(rows, Path(folder) / file.name)
            (Path(folder) / file.name).replace(file)
    except OSError as error:
        raise OutputError(f"cannot write {file}: {os.strerror(error.errno or 0)}") from error
    return written


def cells(row: Row, columns: Sequence[str]) -> list[object]:
    """A row for a spreadsheet: what it would take for a formula begins with an apostrophe."""
    return [_inert(row[name]) for name in columns]


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv(rows: Iterable[Row], file: Path) -> int:
    written = 0
    # With its mark, spreadsheets read it as UTF-8.
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(cells(row, COLUMNS))
            written += 1
    return written


def _json_lines(rows: Iterable[Row], file: Path) -> int:
    written = 0
    with file.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n")
            written += 1
    return written


def _parquet(rows: Iterable[Row], file: Path) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise extra_missing("Parquet needs pyarrow", "parquet") from error
    types = {"revision": arrow.int64()}
    schema = arrow.schema([(name, types.get(name, arrow.string())) for name in COLUMNS])
    written = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            columns = {name: [row[name] for row in batch] for name in COLUMNS}
            writer.write_table(arrow.table(columns, schema=schema))
            written += len(batch)
    return written


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(rows)
    while batch := list(itertools.islice(source, _BATCH)):
        yield batch


_WRITERS: dict[str, Callable[[Iterable[Row], Path], int]] = {
    ".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet,
}  # fmt: skip
