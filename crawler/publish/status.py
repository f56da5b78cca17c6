"""Status: the health of an output folder, and the problems that need a person."""

import os
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from crawler.content import clock
from crawler.content.dates import format_duration, format_iso, subtract_age
from crawler.errors import OutputError, OutputLockedError, StoreError
from crawler.items import RunOutcome
from crawler.publish.jekyll.build import last_build_at
from crawler.storage import Store
from crawler.storage.connection import DATABASE_FILE_NAME, check_writable
from crawler.storage.health import SourceState
from crawler.storage.output_dir import OutputDir

UNHEALTHY_EXIT_CODE = 4
# Gaps of crawls that began longer ago are history.
_GAP_AGE = timedelta(days=30)
# Bytes; with less, the next crawl may end in the middle.
_MIN_FREE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """The health of an output folder at a moment; `problems` are one line each."""

    output: str
    checked_at: datetime
    crawling: bool
    sources: tuple[SourceState, ...]
    articles: int
    posts_owed: int
    quarantined: int
    database_bytes: int
    free_bytes: int
    built_at: datetime | None
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 0 when all is well, else 4."""
        return UNHEALTHY_EXIT_CODE if self.problems else 0


def read_status(output: Path, max_age: str, sources: Collection[str] | None, *, check_disk: bool = True) -> Status:
    """Read the status of an output folder; `sources` are those that scheduled crawls name, None for all.

    Raises:
        StoreError: there is no database, or it cannot be read.
        ValueError: `max_age` is no age.
    """
    now = clock.now()
    oldest_good = subtract_age(now, max_age)
    with Store.open_ro(output) as store:
        states = tuple(store.health.source_states(format_iso(now - _GAP_AGE)))
        articles, posts_owed = store.health.count_articles(), store.health.count_unwritten_posts()
        quarantined = store.health.count_quarantined()
    crawling = OutputDir.is_locked(output)
    watched = [state for state in states if sources is None or state.source in sources]
    free_bytes = shutil.disk_usage(output).free
    problems = [problem for state in watched for problem in find_crawl_problems(state, oldest_good, now)]
    if posts_owed and not crawling:
        problems.append(f"{posts_owed} posts are not written: the next crawl writes them, or `finews verify --repair`")
    problems += find_disk_problems(output, free_bytes) if check_disk else []
    files = [output / f"{DATABASE_FILE_NAME}{suffix}" for suffix in ("", "-wal")]
    database_bytes = sum(file.stat().st_size for file in files if file.exists())
    return Status(
        str(output), now, crawling, states, articles, posts_owed, quarantined, database_bytes, free_bytes,
        last_build_at(output), tuple(problems),
    )  # fmt: skip


def find_crawl_problems(state: SourceState, oldest_good: datetime, now: datetime) -> list[str]:
    """Return the problems of one source: its last crawl failed, or its last good one is too long ago."""
    problems = []
    if state.last_outcome == RunOutcome.FAILED:
        problems.append(f"{state.source}: the last crawl failed: {state.last_detail or 'see finews runs'}")
    if state.last_good_at is None:
        problems.append(f"{state.source}: no crawl was good yet")
    elif state.last_good_at < oldest_good:
        age = format_duration(int((now - state.last_good_at).total_seconds()))
        problems.append(f"{state.source}: the last good crawl ended {age} ago: is the schedule running?")
    return problems


def find_disk_problems(output: Path, free_bytes: int) -> list[str]:
    """Return why the next crawl could not write the folder or its database, if it could not."""
    problems = []
    if free_bytes < _MIN_FREE_BYTES:
        problems.append(f"the disk of {output} has {free_bytes // 2**20} MiB left")
    try:
        with tempfile.TemporaryFile(dir=output) as file:
            file.write(b"x")
    except OSError as error:
        problems.append(f"{output} cannot be written: {os.strerror(error.errno or 0)}")
    try:
        check_writable(output)
    except (StoreError, OutputError, OutputLockedError) as error:
        problems.append(f"the database cannot be written: {error}")
    return problems
