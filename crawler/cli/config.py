"""Command `finews config`: the settings in force, and a `finews.toml` to begin with."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from crawler.cli import options
from crawler.cli.configuration import get_config, iter_options, option_defaults, option_name
from crawler.cli.output import print_json, print_line, print_table
from crawler.config import CONFIG_NAME, KEYS, MASK, Config, Value, render_example
from crawler.errors import UsageError

# Read by other programs of a crawl, or for those who look for a bug.
_OTHER_VARIABLES = ("FINEWS_QUEUE", "FINEWS_DEBUG")


@click.command()
@click.option("--write", is_flag=True, help=f"Write a commented {CONFIG_NAME} into the current folder.")
@options.output
@options.as_json
@click.pass_context
def config(context: click.Context, write: bool, output: Path, as_json: bool) -> None:
    """Print each setting in force, what it does, and where it comes from.

    An option on the command line comes first, then the environment (FINEWS_LIMIT, or FINEWS_SEARCH_LIMIT for one
    command), then finews.toml of the output folder, of the current folder and of ~/.config/finews, then the default.
    """
    if write:
        write_example(Path(CONFIG_NAME))
        return
    configuration = get_config(context)
    rows = [
        *_key_rows(configuration, output if is_named_on_command_line(context, "output") else None),
        *_scrapy_rows(configuration),
        *_option_rows(context, configuration),
    ]
    if as_json:
        print_json({"settings": rows, "left_out": configuration.left_out})
        return
    print_table([{**row, "value": _as_text(row["value"])} for row in rows], ("name", "value", "from", "meaning"))
    for line in [*configuration.left_out, *_unknown_variables(context)]:
        print_line(f"finews: {line}", err=True)


def write_example(path: Path) -> None:
    """Write the example, and print what to do next. Raises UsageError when the file exists."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(render_example())
    except FileExistsError:
        raise UsageError(f"{path.absolute()} exists already: edit it, or move it away") from None
    except OSError as error:
        raise UsageError(f"cannot write {path.absolute()}: {error.strerror}") from error
    print_line(f"{path}: remove the # before a key to set it; `finews config` shows what counts")


def is_named_on_command_line(context: click.Context, option: str) -> bool:
    """Return whether an option of the command that runs was typed."""
    return context.get_parameter_source(option) is ParameterSource.COMMANDLINE


def _key_rows(configuration: Config, output: Path | None) -> Iterator[dict[str, Any]]:
    for key in KEYS:
        value = configuration.values[key.name]
        if key.name == "output" and output:
            value = Value(str(output), "--output")
        is_hidden = key.is_secret and value.value is not None
        yield {
            "name": key.name,
            "value": MASK if is_hidden else _without_password(value.value),
            "from": value.origin,
            "meaning": key.help,
        }


def _scrapy_rows(configuration: Config) -> Iterator[dict[str, Any]]:
    if configuration.scrapy:
        from crawler.crawl import runner  # Scrapy takes a third of a second to import

        runner.build_settings({}, show_progress=False, configured=configuration.settings())  # it finds wrong names
    for name, value in configuration.scrapy.items():
        shown = MASK if any(word in name for word in ("PASS", "SECRET", "TOKEN", "KEY")) else value.value
        yield {
            "name": f"scrapy.{name}",
            "value": _without_password(shown),
            "from": value.origin,
            "meaning": "A setting of Scrapy.",
        }


def _option_rows(context: click.Context, configuration: Config) -> Iterator[dict[str, Any]]:
    """Yield the defaults of options that a file or the environment sets."""
    for name, command in _commands(context):
        option_defaults(command, name, configuration.commands.get(name, {}))  # it finds wrong names
        seen = set[str]()
        for words, option in iter_options(command, name):
            variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
            variable = next((variable for variable in variables if os.environ.get(variable)), None)
            value = configuration.commands.get(name, {}).get(option_name(option))
            if option_name(option) in {"output", *seen} or (variable is None and value is None):
                continue
            seen.add(option_name(option))
            yield {
                "name": f"{words.replace(' ', '.')}.{option_name(option)}",
                "value": os.environ[variable] if variable else value and value.value,
                "from": f"${variable}" if variable else value and value.origin,
                "meaning": option.help or "",
            }


def _unknown_variables(context: click.Context) -> Iterator[str]:
    """Yield a line for each variable whose name looks like one of finews and is none."""
    known = {key.variable for key in KEYS}.union(_OTHER_VARIABLES)
    for name, command in _commands(context):
        for _, option in iter_options(command, name):
            known.update([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    for variable in sorted(os.environ):
        if variable.startswith("FINEWS_") and variable not in known:
            close = get_close_matches(variable, known, n=1)
            yield f"no setting has the variable {variable}" + (f": did you mean {close[0]}?" if close else "")


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    for name in root.command.list_commands(root):
        command = root.command.get_command(root, name)
        assert command is not None
        yield name, command


def _as_text(value: Any) -> Any:
    return "yes" if value is True else "no" if value is False else "-" if value == "" else value


def _without_password(value: Any) -> Any:
    """Return an address without its password, and any other value as it is."""
    if isinstance(value, str) and "://" in value and (password := urlsplit(value).password):
        return value.replace(f":{password}@", f":{MASK}@")
    return value
