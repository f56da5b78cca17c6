"""Configuration: `finews.toml` files and environment variables, merged key by key.

A key has, in this order, the value of its option on the command line, of its environment variable, of the nearest file
that names it, and its default. The files are those of the output folder, the current folder and the user. The first two
are copied and shared, so keys that run code, send secrets or change Scrapy count only in the user's own file.
"""

import difflib
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from crawler.content.dates import is_age
from crawler.errors import UsageError

CONFIG_NAME = "finews.toml"
MASK = "********"
DEFAULT_SOURCES = ["eastmoney"]
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_SOURCE_NAME = re.compile(r"[a-z][a-z0-9]*", re.ASCII)


class Scope(StrEnum):
    """Files in which a key counts."""

    EVERYWHERE = "everywhere"
    NOT_OUTPUT = "not in the output folder"
    USER = "only in the user's own file"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of `finews.toml`, and of the environment as FINEWS_ and its name in capitals."""

    name: str
    help: str
    """The effect of the key, as one sentence."""
    example: str
    """A value in TOML."""
    default: Any = None
    is_valid: Callable[[Any], bool] = lambda value: isinstance(value, str)
    scope: Scope = Scope.EVERYWHERE
    setting: str = ""
    """The name of the Scrapy setting that the key sets; empty: none."""
    is_secret: bool = False

    @property
    def variable(self) -> str:
        """Return the name of the environment variable."""
        return f"FINEWS_{self.name.upper()}"


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_age(value: Any) -> bool:
    return isinstance(value, str) and is_age(value)


def _is_web_address(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+\S*", value) is not None


def _is_source_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(name, str) and _SOURCE_NAME.fullmatch(name) for name in value)
        and len(set(value)) == len(value)
    )


KEYS: tuple[Key, ...] = (
    Key(
        "output",
        "The output folder; a relative path begins at the folder of the file.",
        '"/srv/finews"',
        default="output",
        scope=Scope.NOT_OUTPUT,
    ),
    Key(
        "crawl",
        "The sources that `finews crawl` without a name crawls.",
        '["eastmoney", "flash"]',
        default=DEFAULT_SOURCES,
        is_valid=_is_source_list,
    ),
    Key(
        "max_age",
        "The longest time since a good crawl for which `finews status` says that all is well.",
        '"36h"',
        default="36h",
        is_valid=_is_age,
    ),
    Key(
        "ping",
        "An address that is requested after a good crawl, and its /fail after a bad one, as healthchecks.io wants it.",
        '"https://hc-ping.com/your-uuid"',
        is_valid=_is_web_address,
    ),
    Key("contact", "A page or mail address of yours, for the user agent.", '"mail@example.org"', setting="CONTACT"),
    Key("site_address", "The site that the posts link back to.", '"//news.example.org"', setting="SITE_ADDRESS"),
    Key("mirror", "An address that every request goes to.", '"http://127.0.0.1:8000"', setting="MIRROR"),
    Key(
        "keep_raw", "Store the response of each article, for `finews replay`.", "true",
        default=False, is_valid=_is_bool, setting="KEEP_RAW",
    ),
    Key(
        "retry_backoff", "Seconds before the first retry of a request.", "1.0",
        default=1.0, is_valid=_is_number, setting="RETRY_BACKOFF",
    ),
)  # fmt: skip
"""All keys but the table `[scrapy]` and the tables of commands."""
_KEY_BY_NAME = {key.name: key for key in KEYS}

SCRAPY_TABLE = "scrapy"
"""The table of Scrapy's settings, by their names in capitals; only in the user's own file."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value and where it comes from: a path, `$VARIABLE` or `default`."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Config:
    """All configuration except the command line."""

    values: Mapping[str, Value]
    """By the name of each key."""
    scrapy: Mapping[str, Value]
    """By the name of the setting."""
    commands: Mapping[str, Mapping[str, Value]]
    """Defaults of options, by command and option."""
    left_out: tuple[str, ...] = ()
    """One line for each entry of a file that does not count there."""

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key."""
        return self.values[name].value

    def is_set(self, name: str) -> bool:
        """Return whether a file or the environment sets a key."""
        return self.values[name].origin != "default"

    def settings(self) -> dict[str, Value]:
        """Return the Scrapy settings that the configuration changes, by name."""
        ours = {key.setting: self.values[key.name] for key in KEYS if key.setting and self.is_set(key.name)}
        return {**self.scrapy, **ours}


def render_example() -> str:
    """Return a `finews.toml` in which every key is a comment, with its sentence."""
    lines = [
        "# Settings of finews. Remove the # before a key to set it; `finews config` shows what counts.",
        "# The file of the output folder comes before the one of the current folder, which comes before your own,",
        "# ~/.config/finews/finews.toml. An option on the command line and the environment come before all files.",
        "",
    ]
    for key in KEYS:
        note = "" if key.scope is Scope.EVERYWHERE else f" ({key.scope})"
        lines += [f"# {key.help}{note} Also {key.variable}.", f"# {key.name} = {key.example}", ""]
    lines += [
        "# Defaults of a command's options, by their long names.",
        "# [search]",
        "# limit = 50",
        "",
        f"# Settings of Scrapy ({Scope.USER}).",
        f"# [{SCRAPY_TABLE}]",
        "# DOWNLOAD_DELAY = 2.0",
    ]
    return "\n".join(lines) + "\n"


def user_config_path(environment: Mapping[str, str]) -> Path:
    """Return the path of the user's own file."""
    base = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if Path(base).is_absolute() else Path(environment.get("HOME") or Path.home()) / ".config"
    return folder / "finews" / CONFIG_NAME


def load_config(
    environment: Mapping[str, str],
    current_dir: Path,
    output: Path | None = None,
    commands: Collection[str] | None = None,
) -> Config:
    """Read and merge all files that exist, and the environment.

    `output` is the output folder where the command line names one; `commands` are the names that a
    table may have; None for any.

    Raises:
        UsageError: a file cannot be read or is no TOML, a key is unknown or has a value of the wrong type.
    """
    variables = _read_environment(environment)
    user_file = _read_file(user_config_path(environment), frozenset())
    current_file = _read_file(current_dir / CONFIG_NAME, frozenset({Scope.USER}))
    files = _without_repeats([current_file, user_file])
    folders = [variables["output"].value] if "output" in variables else []
    folders += [file.content["output"] for file in files if isinstance(file.content.get("output"), str)]
    folder = output or Path(*folders[:1] or [_KEY_BY_NAME["output"].default])
    output_file = _read_file(current_dir / folder / CONFIG_NAME, frozenset({Scope.USER, Scope.NOT_OUTPUT}))
    return _merge(_without_repeats([output_file, *files]), variables, commands)


@dataclass(frozen=True, slots=True)
class _File:
    """A file that exists, and the scopes that do not count in it."""

    path: Path
    content: Mapping[str, Any]
    excluded: frozenset[Scope]


def _read_file(path: Path, excluded: frozenset[Scope]) -> _File | None:
    if not path.exists():
        return None
    import tomllib  # most installations have no file

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise UsageError(f"{path} is not TOML: {error}") from error
    if isinstance(output := content.get("output"), str):
        folder = Path(output).expanduser()
        if not folder.is_absolute() and Scope.USER not in excluded:
            raise UsageError(
                f"{path}: output = {output!r} is relative: write the whole path, or one that begins with ~"
            )
        content["output"] = str(path.parent / folder)
    return _File(path, content, excluded)


def _without_repeats(files: Sequence[_File | None]) -> list[_File]:
    """Return the files that exist; one at two places counts as the one at the last of them."""
    found = [file for file in files if file is not None]
    return [
        file
        for position, file in enumerate(found)
        if not any(file.path.samefile(later.path) for later in found[position + 1 :])
    ]


def _merge(files: Sequence[_File], variables: Mapping[str, Value], commands: Collection[str] | None) -> Config:
    """Merge files, the nearest first: a key that has a value keeps it."""
    values = dict(variables)
    scrapy, tables, left_out = dict[str, Value](), dict[str, dict[str, Value]](), list[str]()
    for file in files:
        for name, value in file.content.items():
            scope = _check_entry(file.path, name, value, commands)
            if scope in file.excluded:
                allowed = "your own file" if scope is Scope.USER else "the current folder's and your own file"
                left_out.append(f"{name} in {file.path} does not count: it may only be in {allowed}")
            elif name in _KEY_BY_NAME:
                values.setdefault(name, Value(value, str(file.path)))
            else:
                table = scrapy if name == SCRAPY_TABLE else tables.setdefault(name, {})
                for option, option_value in value.items():
                    table.setdefault(option, Value(option_value, str(file.path)))
    for key in KEYS:
        if key.setting in scrapy and key.name in values:
            twice = f"{key.name} and {key.setting} in [scrapy]"
            raise UsageError(f"{scrapy[key.setting].origin}: {twice} are the same setting: remove one of them")
    defaults = {key.name: Value(key.default, "default") for key in KEYS}
    return Config({**defaults, **values}, scrapy, tables, tuple(left_out))


def _check_entry(path: Path, name: str, value: Any, commands: Collection[str] | None) -> Scope:
    """Return the scope of an entry of a file. Raises UsageError when its name or value is wrong."""
    if key := _KEY_BY_NAME.get(name):
        _check_value(f"{path}: {name}", key, value)
        if key.is_secret and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"{path}: {name} is a secret, and others can read the file: chmod 600 {path}")
        return key.scope
    if name != SCRAPY_TABLE and (not isinstance(value, Mapping) if commands is None else name not in commands):
        close = difflib.get_close_matches(name, [*_KEY_BY_NAME, SCRAPY_TABLE, *(commands or ())], n=1)
        hint = f"did you mean {close[0]}?" if close else "`finews config` lists the keys"
        raise UsageError(f"{path}: unknown key {name!r}: {hint}")
    if not isinstance(value, Mapping):
        raise UsageError(f"{path}: {name} is a table: write [{name}] on a line, and its keys below")
    return Scope.USER if name == SCRAPY_TABLE else Scope.EVERYWHERE


def _check_value(place: str, key: Key, value: Any) -> None:
    if not key.is_valid(value):
        raise UsageError(f"{place}: {value!r} is not a value of it: type {key.name} = {key.example}")


def _read_environment(environment: Mapping[str, str]) -> dict[str, Value]:
    """Return the keys that environment variables set; an empty variable sets none."""
    values = {}
    for key in KEYS:
        if text := environment.get(key.variable, ""):
            value: Any = text
            if isinstance(key.default, list):
                value = [name.strip() for name in text.split(",")]
            elif isinstance(key.default, bool):
                value = {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)
            elif isinstance(key.default, float):
                value = float(text) if _NUMBER.fullmatch(text) else text
            _check_value(f"${key.variable}", key, value)
            values[key.name] = Value(value, f"${key.variable}")
    return values
