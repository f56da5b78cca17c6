"""How tests run a command, and what every crawl of theirs is given."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What an article is asked for with.
ARTICLE_API_PATH = "/kuaixun/v2/api/article/"
PROJECT_ROOT = Path(__file__).parents[2]
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
