"""Results of commands, and the settings of every test crawl."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARTICLE_API_PATH = "/kuaixun/v2/api/article/"
PROJECT_ROOT = Path(__file__).parents[2]
# The sample site needs no politeness settings.
FAST_SETTINGS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0", "--set", "RETRY_BACKOFF=0.01")


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


CommandRunner = Callable[..., CommandResult]


def build_crawl_command(mirror: str, output: Path, *args: str) -> list[str]:
    """Return the command line of a quiet, fast `finews crawl`."""
    target_args = ("--mirror", mirror, "--output", str(output))
    return [sys.executable, "-m", "crawler", "crawl", *target_args, *FAST_SETTINGS, "--quiet", *args]
