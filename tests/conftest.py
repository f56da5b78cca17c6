"""What tests share: the sample site on loopback, and the real command against it."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from crawler.sample_site import Corpus, Exchange, RequestLog, SampleSite, delay_response

# Nobody's own settings: not the folder that his crawls go to, nor his way to the net or his terminal.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name in {"FINEWS_OUTPUT", "FINEWS_QUEUE", "FORCE_COLOR", "NO_COLOR"}:
        del os.environ[name]

# A machine that stands still for a moment is no fault of what is tried.
settings.register_profile("finews", deadline=None)
settings.load_profile("finews")

# What an article is asked for with.
ARTICLE_API_PATH = "/kuaixun/v2/api/article/"
PROJECT_ROOT = Path(__file__).parent.parent
# The sample site is ours, and asks for no manners.
FAST_SETTINGS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0", "--set", "RETRY_BACKOFF=0.01")


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


CommandRunner = Callable[..., CommandResult]
ConditionT = TypeVar("ConditionT")


class HeldResponses:
    """Lets the first requests pass and holds the reply to every other one back until it is opened.

    So a test knows what a crawl is doing meanwhile, however fast the machine is.
    """

    def __init__(self, sample_site: SampleSite, pattern: str, *, pass_first: int = 0) -> None:
        self.held_requests = RequestLog()
        self._site = sample_site
        self._released = Event()
        sample_site.add_fault(pattern, delay_response(0), times=pass_first)
        sample_site.add_fault(pattern, self)

    def apply(self, exchange: Exchange) -> None:
        self.held_requests.append(exchange.request)
        while not self._released.is_set() and not exchange.stop_event.is_set():
            exchange.wait(0.01)
        exchange.send_response(exchange.default_response)

    def release(self) -> None:
        self._released.set()
        self._site.clear_faults()


def wait_until(condition: Callable[[], ConditionT]) -> ConditionT:
    """What is found in the end. Time is no measure here: the bound is for what never comes."""
    deadline = time.monotonic() + 240
    while not (result := condition()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return result


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def finews(tmp_path: Path) -> CommandRunner:
    """Runs `finews WORDS…` in an empty folder, as a user does."""

    def run(*args: str, cwd: Path = tmp_path, **environment: str) -> CommandResult:
        completed = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:crawler", "-m", "crawler", *args],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)

    return run


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(Corpus.sample(12)) as served:
        yield served


@pytest.fixture
def crawl(finews: CommandRunner, sample_site: SampleSite, output: Path) -> CommandRunner:
    """Runs one crawl of the sample site into `output`; its summary is the answer's value."""

    def run(spider: str = "eastmoney", *args: str) -> CommandResult:
        target_args = ("--mirror", sample_site.url, "--output", str(output))
        return finews("crawl", spider, *target_args, *FAST_SETTINGS, "--json", *args)

    return run


@pytest.fixture
def query(output: Path) -> Callable[..., list[Any]]:
    """Asks the database with the standard library's SQLite, as any other client would."""

    def run(sql: str, *values: object) -> list[Any]:
        connection = sqlite3.connect(output / "news.db")
        try:
            rows = connection.execute(sql, values).fetchall()
        finally:
            connection.close()
        return [row[0] if len(row) == 1 else row for row in rows]

    return run
