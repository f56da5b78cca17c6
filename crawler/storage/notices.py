"""Notices: what a command has to say of the database in addition to its answer, once each and in order."""

# More lines than these are not read.
_MAX_NOTICES = 20
_MORE = "and more in news.db that finews cannot use: `finews verify` names all"
_pending: dict[str, None] = {}


def add_notice(text: str) -> None:
    """Add a line for the end of the command."""
    if len(_pending) < _MAX_NOTICES:
        _pending.setdefault(text)
    elif text not in _pending:
        _pending.setdefault(_MORE)


def take_notices() -> list[str]:
    """Return the lines that were added since the last call."""
    notices = list(_pending)
    _pending.clear()
    return notices
