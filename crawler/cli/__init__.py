"""The command `finews`: words in, words out. Each command is a few lines; what it does lives in the package."""

import os
import sys

import click

from crawler.cli import tell
from crawler.cli.crawl import crawl
from crawler.cli.demo import demo
from crawler.cli.feed import feed
from crawler.cli.history import diff, explain
from crawler.cli.machines import fetch, record
from crawler.cli.questions import categories, columns, runs, show
from crawler.cli.replay import replay
from crawler.cli.schedule import schedule
from crawler.cli.search import export, search, stocks
from crawler.cli.serve import serve
from crawler.cli.site import site
from crawler.cli.upkeep import import_posts, rebuild, verify
from crawler.errors import Ending, UsageError
from crawler.text.characters import one_line


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="finews")
def finews() -> None:
    """Chinese financial news from Eastmoney, as Jekyll posts and a SQLite database.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some entries failed or went to quarantine,
    75 another crawl of this output is running.
    """


for command in (
    crawl, demo, search, show, stocks, categories, columns, diff, explain, runs, serve, export, feed, replay, rebuild,
    verify, import_posts, site, schedule, fetch, record,
):  # fmt: skip
    finews.add_command(command)


def main() -> None:
    """Run a command. Whatever goes wrong is one line on stderr and an exit code, never a traceback."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        return finews.main(standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        return 0
    except click.UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _told(f"{error.format_message()}{where}", UsageError.exit_code)
    except click.ClickException as error:
        return _told(error.format_message(), 1)
    except Ending as error:
        return _told(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _told("stopped", 1)
    except Exception as error:
        if os.environ.get("FINEWS_DEBUG"):
            raise
        return _told(f"internal error: {type(error).__name__}: {error} (FINEWS_DEBUG=1 shows where)", 1)


def _told(message: str, exit_code: int) -> int:
    tell.line(f"finews: {one_line(message)}", err=True)
    return exit_code
