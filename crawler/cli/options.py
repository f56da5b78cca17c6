"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from crawler.storage.output_dir import resolve_output_dir

Command = TypeVar("Command", bound=Callable[..., Any])


def _folder(_context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    if value == "":
        raise click.BadParameter("it is empty: name a folder, or leave the option out", param_hint="--output")
    return resolve_output_dir(value)


_HELP = "The output folder.  [default: output/ where one stands, else $FINEWS_OUTPUT]"

output: Callable[[Command], Command] = click.option("--output", metavar="DIR", callback=_folder, help=_HELP)
as_json: Callable[[Command], Command] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON value on stdout, and nothing else."
)


def _digits(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    code = value.strip()
    return code[2:] if code[:2].upper() == "NW" else code


code = click.argument("code", callback=_digits)


site_option = click.option(
    "--site",
    "address",
    default="",
    metavar="ADDRESS",
    help="The site that the posts link back to, e.g. //news.example.org.  [default: the output folder's own]",
)
