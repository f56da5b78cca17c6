"""Configuration of the command line: each option has environment variables, and a default in a table of `finews.toml`.

`finews search --limit N` is FINEWS_SEARCH_LIMIT, or FINEWS_LIMIT for every command that has the option, or `limit` in
the table `[search]`. `crawl` is a list of sources in `finews.toml`, so `finews crawl` has no table.
"""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from crawler.config import Config, Value, load_config
from crawler.errors import UsageError

_COMMANDS_WITHOUT_TABLE = frozenset({"config", "crawl", "demo"})


def get_config(context: click.Context, output: Path | None = None) -> Config:
    """Return the configuration, loaded at most once for each output folder that an option names.

    Raises:
        UsageError: a file cannot be used.
    """
    root = context.find_root()
    if not isinstance(root.obj, Config) or output is not None:
        assert isinstance(root.command, click.Group)
        tables = set(root.command.list_commands(root)) - _COMMANDS_WITHOUT_TABLE
        root.obj = load_config(os.environ, Path.cwd(), output, tables)
    return root.obj


def option_name(option: click.Parameter) -> str:
    """Return the name of an option in `finews.toml`: its longest spelling, with underscores."""
    return max(option.opts, key=len).lstrip("-").replace("-", "_")


def iter_options(command: click.Command, name: str) -> Iterator[tuple[str, click.Option]]:
    """Yield the options of a command and of those below it, each with the words of its command."""
    if isinstance(command, click.Group):
        for below, subcommand in command.commands.items():
            yield from iter_options(subcommand, f"{name} {below}")
    yield from ((name, option) for option in command.params if isinstance(option, click.Option))


def add_variables(command: click.Command, name: str) -> None:
    """Give each option of a command its environment variables: the one of the command, then the one of all commands."""
    if name == "demo":  # a demo has a folder of its own, whatever is configured
        return
    for words, option in iter_options(command, name):
        if option.envvar is None:
            suffix = option_name(option).upper()
            option.envvar = [f"FINEWS_{words.replace(' ', '_').upper()}_{suffix}", f"FINEWS_{suffix}"]


def option_defaults(command: click.Command, name: str, table: Mapping[str, Value]) -> dict[str, Any]:
    """Return the defaults that a table gives the options of a command, as Click's `default_map` has them.

    Raises:
        UsageError: no option has the name of a key.
    """
    names = sorted({option_name(option) for _, option in iter_options(command, name)})
    for key, value in table.items():
        if key not in names:
            hint = f"did you mean {close[0]}?" if (close := get_close_matches(key, names, n=1)) else ", ".join(names)
            raise UsageError(f"{value.origin}: unknown key {key!r} in [{name}]: {hint}")
    if isinstance(command, click.Group):
        return {below: _defaults(subcommand, table) for below, subcommand in command.commands.items()}
    return _defaults(command, table)


def configure_for_output(context: click.Context, output: Path) -> None:
    """Load the file of an output folder that an option names, and give the options that are not read yet its defaults.

    Raises:
        UsageError: a file cannot be used.
    """
    config, top = get_config(context, output), context
    while top.parent is not None and top.parent.parent is not None:
        top = top.parent
    name = top.info_name or ""
    if table := config.commands.get(name):
        defaults = option_defaults(top.command, name, table)
        context.default_map = defaults if context is top else defaults[context.info_name or ""]


def _defaults(command: click.Command, table: Mapping[str, Value]) -> dict[str, Any]:
    options = {option_name(option): option for option in command.params if isinstance(option, click.Option)}
    return {options[key].name or key: value.value for key, value in table.items() if key in options}
