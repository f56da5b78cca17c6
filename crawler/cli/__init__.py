"""Command line of `finews`: a module per command with its options and output; jobs/ and other packages do the work."""

import errno
import os
import re
import signal
import sys
from pkgutil import resolve_name

import click

from crawler import DISTRIBUTION
from crawler.cli.configuration import add_variables, get_config, option_defaults
from crawler.cli.output import print_line
from crawler.cli.streams import StandardStream, set_up_streams
from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import CommandError, StoppedError, UsageError, disk_error

COMMANDS = {
    "categories": "lists:categories",
    "columns": "lists:columns",
    "config": "config:config",
    "crawl": "crawl:crawl",
    "demo": "demo:demo",
    "diff": "diff:diff",
    "explain": "explain:explain",
    "export": "export:export",
    "feed": "feed:feed",
    "import": "import_posts:import_posts",
    "rebuild": "rebuild:rebuild",
    "replay": "replay:replay",
    "runs": "runs:runs",
    "schedule": "schedule:schedule",
    "search": "search:search",
    "serve": "serve:serve",
    "show": "show:show",
    "site": "site:site",
    "status": "status:status",
    "stocks": "stocks:stocks",
    "verify": "verify:verify",
    "worker": "worker:worker",
}
"""Module and function of each command, by its name."""

# These commands do more than print: if stdout cannot be written, they continue and end with their own exit codes.
_WORKING_COMMANDS = frozenset({"crawl", "demo", "import", "rebuild", "replay", "serve", "site build", "worker"})
# Errors of a full disk, quota or file size limit are no bugs.
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _LazyGroup(click.Group):
    """Group that imports only the command it runs: scheduled crawls are short, so imports dominate their run time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command = resolve_name(f"crawler.cli.{COMMANDS[cmd_name]}")
        assert isinstance(command, click.Command)
        add_variables(command, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is to run, and give its options the defaults of `finews.toml`."""
        name, command, args_left = super().resolve_command(ctx, args)
        if name and command and (table := get_config(ctx).commands.get(name)):
            ctx.default_map = {name: option_defaults(command, name, table)}
        return name, command, args_left

    def invoke(self, ctx: click.Context) -> object:
        """Run the command.

        Raises StoppedError at Ctrl-C, where click itself would print an empty line.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError("stopped") from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name=DISTRIBUTION, prog_name="finews")
def finews() -> None:
    """Crawl Chinese financial news from Eastmoney into Jekyll posts and a SQLite database.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some entries failed or were quarantined,
    4 not healthy (`finews status`), 75 another crawl of this output is running, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run a command; print any error as one line on stderr, without a traceback, and exit with its code."""
    stdout = set_up_streams(_is_output_needed)
    try:
        exit_code = _run_to_exit_code(stdout)
    finally:  # a command may raise SystemExit itself
        if "crawler.storage" in sys.modules:  # otherwise the command has not opened a database
            from crawler.storage.notices import take_notices

            for notice in take_notices():
                _print_error(notice, 0)
    sys.exit(exit_code)


def _is_output_needed() -> bool:
    """Return whether the running command has no purpose but its output."""
    context = click.get_current_context(silent=True)
    words = context.command_path.removeprefix(context.find_root().command_path).split() if context else []
    return _WORKING_COMMANDS.isdisjoint({" ".join(words[:count]) for count in (1, 2)})


def _run_to_exit_code(stdout: StandardStream) -> int:
    """Run the command named by the arguments and return its exit code."""
    try:
        # `finews demo` starts its crawls with SIGINT blocked until they can handle it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return finews.main(standalone_mode=False) or 0
    except SystemExit:
        if isinstance(stdout.error, BrokenPipeError):  # for which click and rich exit with 1
            return 0  # the reader closed the pipe on purpose, as `head` does
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        group = error.ctx
        if group.parent is None:
            click.echo(group.get_help(), err=True)
            return UsageError.exit_code
        assert isinstance(group.command, click.Group)
        names = ", ".join(group.command.list_commands(group))
        usage = f"missing subcommand: use one of {names} (see `{group.command_path} --help`)"
        return _print_error(usage, UsageError.exit_code)
    except click.UsageError as error:
        help_hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _print_error(f"{error.format_message()}{help_hint}", UsageError.exit_code)
    except click.ClickException as error:
        return _print_error(error.format_message(), 1)
    except CommandError as error:
        return _print_error(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _print_error("stopped", StoppedError.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and (error is stdout.error or error.errno in _DISK_FULL_ERRNOS):
            return _print_error(f"cannot write {error.filename or 'the output'}: {error.strerror}", 1)
        if os.environ.get("FINEWS_DEBUG"):
            raise
        # Python decodes invalid bytes of an argument to surrogates, which no encoding can write.
        if isinstance(error, UnicodeEncodeError) and (
            words := [*filter(re.compile("[\ud800-\udfff]").search, sys.argv)]
        ):
            return _print_error(f"{words[0]!r} is not UTF-8, nor in the locale's encoding", UsageError.exit_code)
        if refusal := disk_error(error):
            return _print_error(str(refusal), refusal.exit_code)
        return _print_error(f"internal error: {type(error).__name__}: {error} (FINEWS_DEBUG=1 shows where)", 1)


def _print_error(message: str, exit_code: int) -> int:
    """Print a message as one line on stderr and return the exit code."""
    print_line(f"finews: {collapse_whitespace(message)}", err=True)
    return exit_code
