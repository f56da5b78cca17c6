"""What of the site's `_config.yml` concerns us. The file is the user's to change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crawler.errors import Failed
from crawler.publish.jekyll.files import content_of
from crawler.storage.site_links import CONFIG_FILE

# A hundred years: no article is older.
MOST_DAYS = 36_500


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
        values = yaml.safe_load(content_of(output / CONFIG_FILE) or b"")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Failed(f"{output / CONFIG_FILE} is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict):
        raise Failed(f"{output / CONFIG_FILE} is not the configuration of a site")
    return Config(
        keep_days=_keep_days(values.get("keep_days"), output),
        baseurl=str(values.get("baseurl") or "").rstrip("/"),
        url=str(values.get("url") or ""),
        plugins=bool(values.get("plugins") or values.get("gems")) or (output / "_plugins").is_dir(),
    )


def _keep_days(value: Any, output: Path) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DAYS):
        return value
    raise Failed(
        f"{output / CONFIG_FILE}: keep_days: {str(value)[:40]!r} is not a number of days from 0 to {MOST_DAYS}"
    )
