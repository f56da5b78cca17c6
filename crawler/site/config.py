"""What of the site's `_config.yml` concerns us. The file is the user's to change."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crawler import posts
from crawler.errors import Failed, OutputError
from crawler.posts import Site
from crawler.site.files import content_of

_NAME = "_config.yml"
# A hundred years: no article is older.
MOST_DAYS = 36_500
_DEFAULT_ADDRESS = "//finews.withounder.com"
# A line of its own, which needs no YAML: a file that is broken elsewhere still says what its posts link back to.
_ADDRESS = re.compile(r"""^address:[ \t]*(["']?)((?:https?:)?//[\w.:%~/-]+)\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Config:
    """`keep_days` is None where nothing is to be frozen; `plugins` says that some see the whole site."""

    keep_days: int | None
    baseurl: str
    url: str
    plugins: bool


def read(output: Path) -> Config:
    """The configuration of a site. Raises Failed."""
    try:
        values = yaml.safe_load(content_of(output / _NAME) or b"")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Failed(f"{output / _NAME} is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict):
        raise Failed(f"{output / _NAME} is not the configuration of a site")
    return Config(
        keep_days=_keep_days(values.get("keep_days"), output),
        baseurl=str(values.get("baseurl") or "").rstrip("/"),
        url=str(values.get("url") or ""),
        plugins=bool(values.get("plugins") or values.get("gems")) or (output / "_plugins").is_dir(),
    )


def site_of(output: Path, given: str = "") -> Site:
    """The site that an output folder's posts link back to: the address that is given, else its own, else the default.

    A folder's own is the one that it was last crawled or built with, or that the user wrote into `_config.yml`.
    """
    return Site(given or _own_address(output) or _DEFAULT_ADDRESS)


def _own_address(output: Path) -> str:
    """Empty where there is none that could stand in a post, whatever has become of the file."""
    content = None
    with suppress(OutputError):
        content = posts.content(output / _NAME, _LARGEST)
    found = _ADDRESS.search((content or b"").decode("utf-8", "replace"))
    return found[2] if found else ""


def _keep_days(value: Any, output: Path) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DAYS):
        return value
    raise Failed(f"{output / _NAME}: keep_days: {str(value)[:40]!r} is not a number of days from 0 to {MOST_DAYS}")
