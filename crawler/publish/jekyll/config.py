"""Site configuration: what of `_config.yml` concerns us. The file is the user's to change."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crawler.errors import FatalError
from crawler.storage.post_files import read_if_file
from crawler.storage.site_links import CONFIG_FILE

# By which Jekyll gives each page the address that links and feeds say it has.
_PERMALINK = "/:path.html"
# A hundred years: no article is older.
MAX_KEEP_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """`keep_days` is None where nothing is to be archived; `has_plugins` says that some see the whole site."""

    keep_days: int | None
    baseurl: str
    url: str
    has_plugins: bool


def load_site_config(output: Path) -> SiteConfig:
    """The configuration of a site. Raises FatalError."""
    try:
        values = yaml.safe_load(read_if_file(output / CONFIG_FILE) or b"")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FatalError(f"{output / CONFIG_FILE} is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict):
        raise FatalError(f"{output / CONFIG_FILE} is not the configuration of a site")
    keep_days = _parse_keep_days(values.get("keep_days"), output)
    _check_permalinks(values, output)
    return SiteConfig(
        keep_days=keep_days,
        baseurl=str(values.get("baseurl") or "").rstrip("/"),
        url=str(values.get("url") or ""),
        has_plugins=bool(values.get("plugins") or values.get("gems")) or (output / "_plugins").is_dir(),
    )


def _parse_keep_days(value: Any, output: Path) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_KEEP_DAYS):
        return value
    raise FatalError(
        f"{output / CONFIG_FILE}: keep_days: {str(value)[:40]!r} is not a number of days from 0 to {MAX_KEEP_DAYS}"
    )


def _check_permalinks(values: dict[str, Any], output: Path) -> None:
    """Raises FatalError for a setting by which Jekyll would put pages where no link leads."""
    for name, permalink in _find_permalinks(values):
        if permalink != _PERMALINK:
            found = "is missing" if permalink is None else f"is {str(permalink)[:40]!r}"
            raise FatalError(
                f'{output / CONFIG_FILE}: {name} {found}, but links and feeds lead to permalink: "{_PERMALINK}"; '
                f"{'write that' if name == 'permalink' else 'remove it'}"
            )


def _find_permalinks(values: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the settings that give posts and generated pages their addresses, by name."""
    yield "permalink", values.get("permalink")
    yield "permalink of collections", _nested(values, "collections", "posts", "permalink") or _PERMALINK
    defaults = values.get("defaults")
    for default in defaults if isinstance(defaults, list) else ():
        if not _nested(default, "scope", "path"):
            yield "permalink of defaults", _nested(default, "values", "permalink") or _PERMALINK


def _nested(value: Any, *keys: str) -> Any:
    """Return the member of a member; None where one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
