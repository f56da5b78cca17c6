"""Exceptions: a tree named by what the caller does about it, with the exit codes.

FinewsError
├── CommandError              ends the command, with its exit code
│   ├── UsageError                asked for what does not exist: say what to type instead      exit 2
│   ├── OutputLockedError         another crawl holds this output folder: try later            exit 75
│   ├── StoppedError              Ctrl-C                                                       exit 130
│   └── FatalError                the work cannot be done at all                               exit 1
│       ├── StoreError                the database refuses to open, read or write
│       └── OutputError               the output folder refuses to be written
└── ItemError                 one response, row or article cannot be used; the crawl goes on
    ├── ParseError                it is not what the source's endpoint answers: quarantine
    │   └── SchemaChangedError        its fields are not those that the endpoint has: quarantine, and an alert
    ├── RejectedArticleError      it was parsed, and must not be published: quarantine
    ├── StoredRowError            another program has written its row: the row is repaired, and it is tried again
    ├── EmptyBodyError            it was parsed, and holds no text: try the next extractor
    │   └── NoArticleError            the entry is of a kind that has no text here: filtered
    └── SourceError               the source itself says no (an error shell): failed, try again
        ├── IncompleteResponseError   its response is truncated or broken: failed, try again
        └── RequestError              no response came that could be used: failed, try again
            ├── MissingArticleError       the source has no such article (any more): withdrawn, or failed
            └── RefusedError              the source refuses to answer this address or this crawler
"""

from typing import ClassVar


class FinewsError(Exception):
    """Base of all errors of ours; its text is one line for a person."""


class CommandError(FinewsError):
    """Ends the command, with its exit code."""

    exit_code: ClassVar[int] = 1


class UsageError(CommandError):
    """Wrong usage: the text says what to type instead."""

    exit_code = 2


def missing_extra_error(problem: str, extra: str) -> UsageError:
    """What an extra would bring is not here. It is installed from the checkout: no name on PyPI is ours."""
    return UsageError(f"{problem}: pip install '.[{extra}]' in the checkout of finews")


class OutputLockedError(CommandError):
    """Another crawl of this output is running."""

    exit_code = 75


class StoppedError(CommandError):
    """Ctrl-C ended the command; the exit code is the shell's for SIGINT."""

    exit_code = 130


class FatalError(CommandError):
    """The work cannot be done at all."""


class StoreError(FatalError):
    """The database refuses to be opened, read or written."""


class OutputError(FatalError):
    """The output folder refuses to be written."""


def disk_error(error: BaseException) -> OutputError | None:
    """Return the error for what the disk has refused, which is no bug wherever it turns up; else None."""
    if isinstance(error, OSError) and error.filename is not None:
        return OutputError(f"cannot read or write {error.filename}: {error.strerror}")
    return None


class ItemError(FinewsError):
    """One response, row or article cannot be used; the rest of the crawl goes on."""


class ParseError(ItemError):
    """A response or a row is not what the source's endpoint answers; `field` is the wrong field, if it is one."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class SchemaChangedError(ParseError):
    """A field is missing, or holds another type of value: the extractor has to be adapted."""


class RejectedArticleError(ItemError):
    """An article was parsed, and must not be published."""


class StoredRowError(ItemError):
    """A row of the database is not as finews writes it."""


class EmptyBodyError(ItemError):
    """A response was parsed, and holds no text."""


class NoArticleError(EmptyBodyError):
    """An entry is of a kind whose articles have no text at this source."""


class SourceError(ItemError):
    """The source itself answers with an error."""


class IncompleteResponseError(SourceError):
    """A response is truncated, or cannot be decompressed."""


class RequestError(SourceError):
    """No response came that could be used; `reason` is the code of why, one of `items.Reason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class MissingArticleError(RequestError):
    """The source answers that there is no such article (any more)."""


class RefusedError(RequestError):
    """The source refuses to answer: 403, 429, a closed connection, an empty body, a check for humans.

    `blocks_address` says that it is the address that is refused, as it seems: a closed connection, or 429.
    """

    def __init__(self, detail: str, *, blocks_address: bool = False) -> None:
        super().__init__("refused", detail)
        self.blocks_address = blocks_address
