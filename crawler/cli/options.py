"""Options and arguments that several commands share."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from crawler.cli.configuration import configure_for_output, get_config
from crawler.content.dates import AGE_EXAMPLES, is_age
from crawler.items import CODE_PREFIX

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


def _parse_output_dir(context: click.Context, _option: click.Parameter, value: str | None) -> Path:
    """Return the output folder, from the option or the configuration. Raises BadParameter for an empty text."""
    if value == "":
        raise click.BadParameter("it is empty: name a folder, or leave the option out", param_hint="--output")
    if value is None:
        return Path(get_config(context)["output"])
    configure_for_output(context, Path(value))
    return Path(value)


_OUTPUT_HELP = "Output folder.  [default: $FINEWS_OUTPUT, else output of finews.toml, else output/]"

output: Callable[[CommandFunction], CommandFunction] = click.option(
    # Eager: the options that come after it may have defaults in the folder's finews.toml.
    "--output",
    metavar="DIR",
    callback=_parse_output_dir,
    is_eager=True,
    help=_OUTPUT_HELP,
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


def parse_age_option(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return an age as it was typed. Raises BadParameter for any other text."""
    if value is not None and not is_age(value):
        raise click.BadParameter(f"{value!r} is not an age: type {AGE_EXAMPLES}")
    return value


_CODE_PREFIX = re.compile(f"^{CODE_PREFIX}", re.IGNORECASE)
code_argument = click.argument("code", callback=lambda _context, _argument, value: _CODE_PREFIX.sub("", value.strip()))
site_address = click.option(
    "--site",
    "address",
    default="",
    metavar="ADDRESS",
    help="Site address for the back links of posts, e.g. //news.example.org.  [default: that of the output folder]",
)
