"""Exceptions, ordered by their consequences, with exit codes.

FinewsError
├── CommandError              ends the command, with its exit code
│   ├── UsageError                wrong usage: the message says what to type instead       exit 2
│   ├── OutputLockedError         another crawl of the output folder is running            exit 75
│   ├── StoppedError              Ctrl-C                                                   exit 130
│   └── FatalError                the command cannot be completed                          exit 1
│       ├── StoreError                the database cannot be opened, read or written
│       └── OutputError               the output folder cannot be written
└── ItemError                 one response, row or article cannot be used; the crawl goes on
    ├── ParseError                invalid response or row: quarantine
    │   └── SchemaChangedError        the fields of the endpoint have changed: quarantine, and an alert
    ├── RejectedArticleError      parsed, but must not be published: quarantine
    ├── StoredRowError            row damaged by another program: repaired, and tried again
    ├── EmptyBodyError            parsed, but without text: try the next extractor
    │   └── NoArticleError            a kind of entry without text at this source: filtered
    └── SourceError               the source reports an error: failed, the next crawl tries again
        ├── IncompleteResponseError   truncated or broken response: failed, the next crawl tries again
        └── RequestError              no usable response: failed, the next crawl tries again
            ├── MissingArticleError       the source does not have the article: withdrawn, or failed
            └── RefusedError              the source refuses this address or this crawler
"""

from typing import ClassVar


class FinewsError(Exception):
    """Base of all finews exceptions; the message is one line for the user."""


class CommandError(FinewsError):
    """Ends the command, with its exit code."""

    exit_code: ClassVar[int] = 1


class UsageError(CommandError):
    """Wrong usage; the message says what to type instead."""

    exit_code = 2


def missing_extra_error(problem: str, extra: str) -> UsageError:
    """Return the error for a missing extra, which is installed from the checkout: finews is not on PyPI."""
    return UsageError(f"{problem}: pip install '.[{extra}]' in the checkout of finews")


class OutputLockedError(CommandError):
    """Another crawl of this output folder is running."""

    exit_code = 75


class StoppedError(CommandError):
    """Ctrl-C ended the command; the exit code is the shell's for SIGINT."""

    exit_code = 130


class FatalError(CommandError):
    """The command cannot be completed."""


class StoreError(FatalError):
    """The database cannot be opened, read or written."""


class OutputError(FatalError):
    """The output folder cannot be written."""


def disk_error(error: BaseException) -> OutputError | None:
    """Return the error for a failed file operation, which is no bug; None for any other exception."""
    if isinstance(error, OSError) and error.filename is not None:
        return OutputError(f"cannot read or write {error.filename}: {error.strerror}")
    return None


class ItemError(FinewsError):
    """One response, row or article cannot be used; the rest of the crawl goes on."""


class ParseError(ItemError):
    """An invalid response or row; `field` is the name of the wrong field, if any."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class SchemaChangedError(ParseError):
    """A missing field, or one of another type: the extractor has to be adapted."""


class RejectedArticleError(ItemError):
    """A parsed article that must not be published."""


class StoredRowError(ItemError):
    """A database row that finews did not write in this form."""


class EmptyBodyError(ItemError):
    """A parsed response without text."""


class NoArticleError(EmptyBodyError):
    """An entry of a kind without text at this source."""


class SourceError(ItemError):
    """An error that the source reports."""


class IncompleteResponseError(SourceError):
    """A response that is truncated, or cannot be decompressed."""


class RequestError(SourceError):
    """A request without a usable response; `reason` is a code of `items.Reason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class MissingArticleError(RequestError):
    """An article that the source does not have, or has removed."""


class RefusedError(RequestError):
    """A refusal of the source: 403, 429, a closed connection, an empty body, a check for humans.

    `blocks_address` says that the source seems to refuse this address: a closed connection, or 429.
    """

    def __init__(self, detail: str, *, blocks_address: bool = False) -> None:
        super().__init__("refused", detail)
        self.blocks_address = blocks_address
