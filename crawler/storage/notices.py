"""Notices: lines about the database that a command prints in addition to its output, each once and in order."""

# Lines; more would hide the command's output.
_MAX_NOTICES = 20
_MORE = "more rows of news.db cannot be used: run `finews verify` to list all"
_pending: dict[str, None] = {}


def add_notice(text: str) -> None:
    """Add a line to print at the end of the command."""
    if len(_pending) < _MAX_NOTICES:
        _pending.setdefault(text)
    elif text not in _pending:
        _pending.setdefault(_MORE)


def take_notices() -> list[str]:
    """Return the notices added since the last call."""
    notices = list(_pending)
    _pending.clear()
    return notices
