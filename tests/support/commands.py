"""How tests run a command, and what every crawl of theirs is given."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What an article is asked for with.
ARTICLE_API_PATH = "/kuaixun/v2/api/article/"
PROJECT_ROOT = Path(__file__).parents[2]
# The sample site needs no politeness.
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


def build_crawl_command(mirror: str, output: Path, *args: str) -> list[str]:
    """Return the words of a quiet, fast `finews crawl` as a process of its own."""
    target_args = ("--mirror", mirror, "--output", str(output))
    return [sys.executable, "-m", "crawler", "crawl", *target_args, *FAST_SETTINGS, "--quiet", *args]
