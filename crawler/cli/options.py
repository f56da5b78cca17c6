"""Options and arguments that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from crawler.items import CODE_PREFIX
from crawler.storage.output_dir import resolve_output_dir

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


def _parse_output_dir(_context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    if value == "":
        raise click.BadParameter("it is empty: name a folder, or leave the option out", param_hint="--output")
    return resolve_output_dir(value)


_OUTPUT_HELP = "The output folder.  [default: output/ where one stands, else $FINEWS_OUTPUT]"

output: Callable[[CommandFunction], CommandFunction] = click.option(
    "--output", metavar="DIR", callback=_parse_output_dir, help=_OUTPUT_HELP
)
demo_output: Callable[[CommandFunction], CommandFunction] = click.option(
    "--output",
    metavar="DIR",
    default="output-demo",
    show_default=True,
    callback=_parse_output_dir,
    help="The output folder, of demos alone.",
)
as_json: Callable[[CommandFunction], CommandFunction] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON value on stdout, and nothing else."
)
mirror: Callable[[CommandFunction], CommandFunction] = click.option(
    "--mirror", metavar="URL", help="Send every request there instead, path and query unchanged."
)
set_: Callable[[CommandFunction], CommandFunction] = click.option(
    "--set", "setting_overrides", multiple=True, metavar="NAME=VALUE", help="Any Scrapy setting, or one of ours."
)


def _parse_code(_context: click.Context, _argument: click.Parameter, value: str) -> str:
    code = value.strip()
    return code[len(CODE_PREFIX) :] if code.upper().startswith(CODE_PREFIX) else code


code_argument = click.argument("code", callback=_parse_code)


site_address = click.option(
    "--site",
    "address",
    default="",
    metavar="ADDRESS",
    help="The site that the posts link back to, e.g. //news.example.org.  [default: the output folder's own]",
)
