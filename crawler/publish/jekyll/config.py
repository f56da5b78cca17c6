"""Site configuration: the settings of `_config.yml` that finews obeys. Users may change the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crawler.errors import FatalError
from crawler.storage.post_files import read_if_file
from crawler.storage.site_links import CONFIG_FILE

# With this setting Jekyll renders each page at the path that links and feeds have.
_PERMALINK = "/:path.html"
# days; a hundred years, longer than any article is old
MAX_KEEP_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """Settings of a site; `keep_days` is None to archive nothing, and with plugins Jekyll must see the whole site."""

    keep_days: int | None
    baseurl: str
    url: str
    has_plugins: bool


def load_site_config(output: Path) -> SiteConfig:
    """Return the configuration of a site. Raises FatalError when the file or a setting of it is invalid."""
    file = output / CONFIG_FILE
    try:
        values = yaml.safe_load(read_if_file(file) or b"")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FatalError(f"{file} is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(values, dict):
        raise FatalError(f"{file} is not the configuration of a site")
    keep_days = values.get("keep_days")
    is_number = isinstance(keep_days, int) and not isinstance(keep_days, bool) and 0 <= keep_days <= MAX_KEEP_DAYS
    if keep_days is not None and not is_number:
        raise FatalError(
            f"{file}: keep_days: {str(keep_days)[:40]!r} is not a number of days from 0 to {MAX_KEEP_DAYS}"
        )
    _check_permalinks(values, file)
    return SiteConfig(
        keep_days=keep_days,
        baseurl=str(values.get("baseurl") or "").rstrip("/"),
        url=str(values.get("url") or ""),
        has_plugins=bool(values.get("plugins") or values.get("gems")) or (output / "_plugins").is_dir(),
    )


def _check_permalinks(values: dict[str, Any], file: Path) -> None:
    """Raise FatalError for a setting with which Jekyll would render pages at paths where no link leads."""
    permalinks: list[tuple[str, object]] = [
        ("permalink", values.get("permalink")),
        ("permalink of collections", _nested(values, "collections", "posts", "permalink") or _PERMALINK),
    ]
    defaults = values.get("defaults")
    permalinks += [
        ("permalink of defaults", _nested(default, "values", "permalink") or _PERMALINK)
        for default in (defaults if isinstance(defaults, list) else ())
        if not _nested(default, "scope", "path")
    ]
    for name, permalink in permalinks:
        if permalink != _PERMALINK:
            found = "is missing" if permalink is None else f"is {str(permalink)[:40]!r}"
            raise FatalError(
                f'{file}: {name} {found}, but links and feeds lead to permalink: "{_PERMALINK}"; '
                f"{'write that' if name == 'permalink' else 'remove it'}"
            )


def _nested(value: Any, *keys: str) -> Any:
    """Return the value at a path of nested keys, or None if a key is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
