"""Options and arguments that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from crawler.items import CODE_PREFIX
from crawler.storage.output_dir import resolve_output_dir

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


def _parse_output_dir(_context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    """Return the output folder, from the option or its default. Raises BadParameter for an empty text."""
    if value == "":
        raise click.BadParameter("it is empty: name a folder, or leave the option out", param_hint="--output")
    return resolve_output_dir(value)


_OUTPUT_HELP = "Output folder.  [default: output/ if it exists, else $FINEWS_OUTPUT]"

output: Callable[[CommandFunction], CommandFunction] = click.option(
    "--output", metavar="DIR", callback=_parse_output_dir, help=_OUTPUT_HELP
)
demo_output: Callable[[CommandFunction], CommandFunction] = click.option(
    "--output",
    metavar="DIR",
    default="output-demo",
    show_default=True,
    callback=_parse_output_dir,
    help="Output folder, used only by demos.",
)
as_json: Callable[[CommandFunction], CommandFunction] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON value on stdout and nothing else."
)
mirror: Callable[[CommandFunction], CommandFunction] = click.option(
    "--mirror", metavar="URL", help="Send every request to URL instead, path and query unchanged."
)
set_: Callable[[CommandFunction], CommandFunction] = click.option(
    "--set",
    "setting_overrides",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a Scrapy or finews setting. Repeatable.",
)
since: Callable[[CommandFunction], CommandFunction] = click.option(
    "--since", metavar="DATE", help="Start date: 2022-01-10, '2022-01-10 16:20', or an age such as 2d."
)
until: Callable[[CommandFunction], CommandFunction] = click.option(
    "--until", metavar="DATE", help="End date, as for --since; the day or minute itself is included."
)


_CODE_PREFIX = re.compile(f"^{CODE_PREFIX}", re.IGNORECASE)
code_argument = click.argument("code", callback=lambda _context, _argument, value: _CODE_PREFIX.sub("", value.strip()))
site_address = click.option(
    "--site",
    "address",
    default="",
    metavar="ADDRESS",
    help="Site address for the back links of posts, e.g. //news.example.org.  [default: that of the output folder]",
)
