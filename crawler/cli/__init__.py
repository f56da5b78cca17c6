"""Command line of `finews`: a module per command, with its options and its output; jobs/ and others do the work."""

import errno
import os
import signal
import sys
from pkgutil import resolve_name

import click

from crawler import DISTRIBUTION
from crawler.cli.output import print_line
from crawler.cli.streams import StandardStream, set_up_streams
from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import CommandError, StoppedError, UsageError, disk_error

COMMANDS = {
    "categories": "lists:categories",
    "columns": "lists:columns",
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
    "stocks": "stocks:stocks",
    "verify": "verify:verify",
    "worker": "worker:worker",
}
"""Where each command is, by name."""

# Their purpose is not what they print: they go on where it cannot be written, and end with their own exit codes.
_WORKING_COMMANDS = frozenset({"crawl", "demo", "import", "rebuild", "replay", "serve", "site build", "worker"})
# A disk that is full, for this user or this file, is no fault of ours.
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _LazyGroup(click.Group):
    """Loads a command when it is asked for: a crawl by schedule mostly finds nothing, and pays for no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = resolve_name(f"crawler.cli.{COMMANDS[cmd_name]}")
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Raises StoppedError at Ctrl-C, for which click itself would print an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise StoppedError("stopped") from error


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name=DISTRIBUTION, prog_name="finews")
def finews() -> None:
    """Chinese financial news from Eastmoney, as Jekyll posts and a SQLite database.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some entries failed or went to quarantine,
    75 another crawl of this output is running, 130 stopped by Ctrl-C.
    """


def main() -> None:
    """Run a command. Whatever goes wrong is one line on stderr and an exit code, never a traceback."""
    stdout = set_up_streams(_is_output_needed)
    try:
        exit_code = _run_to_exit_code(stdout)
    finally:  # commands exit by themselves, too
        _print_notices()
    sys.exit(exit_code)


def _is_output_needed() -> bool:
    """Whether the purpose of the command that runs is what it prints."""
    context = click.get_current_context(silent=True)
    words = context.command_path.removeprefix(context.find_root().command_path).split() if context else []
    return _WORKING_COMMANDS.isdisjoint({" ".join(words[:count]) for count in (1, 2)})


def _run_to_exit_code(stdout: StandardStream) -> int:
    try:
        # `finews demo` has it blocked until a crawl can answer.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return finews.main(standalone_mode=False) or 0
    except SystemExit:
        if isinstance(stdout.error, BrokenPipeError):  # for which click and rich exit with 1
            return 0  # the reader has read what it wanted
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        return _print_group_usage(error.ctx)
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
            return _print_error(f"cannot write {error.filename or 'the answer'}: {error.strerror}", 1)
        if os.environ.get("FINEWS_DEBUG"):
            raise
        if isinstance(error, UnicodeEncodeError) and (words := [word for word in sys.argv if not _is_text(word)]):
            return _print_error(f"{words[0]!r} is not UTF-8, nor in the locale's encoding", UsageError.exit_code)
        if refusal := disk_error(error):
            return _print_error(str(refusal), refusal.exit_code)
        return _print_error(f"internal error: {type(error).__name__}: {error} (FINEWS_DEBUG=1 shows where)", 1)


def _is_text(word: str) -> bool:
    """Whether a word of the command line is text; Python keeps bytes that are none as half characters."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _print_notices() -> None:
    """Print what a command has met in the database; one that has not opened it has not imported it either."""
    if "crawler.storage" in sys.modules:
        from crawler.storage.notices import take_notices

        for notice in take_notices():
            _print_error(notice, 0)


def _print_group_usage(group: click.Context) -> int:
    """A group alone is wrong usage: which of its commands is wanted? Who types `finews` alone is shown all of them."""
    if group.parent is None:
        click.echo(group.get_help(), err=True)
        return UsageError.exit_code
    assert isinstance(group.command, click.Group)
    names = ", ".join(group.command.list_commands(group))
    return _print_error(f"{group.info_name} what? {names} (see `{group.command_path} --help`)", UsageError.exit_code)


def _print_error(message: str, exit_code: int) -> int:
    print_line(f"finews: {collapse_whitespace(message)}", err=True)
    return exit_code
