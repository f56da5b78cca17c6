"""Who may ask, and what a browser may do with the answers.

A page of another site can make a browser send requests here. It must neither read an answer (no CORS header is sent,
and a name that was made to lead here is refused: DNS rebinding) nor keep the database busy from afar.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

# Our pages need no script, and no style but the sheets'.
STRICT = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def guarded(app: App, host: str, datasettes_policy: str) -> App:
    """The application behind these rules; pages that bring no policy of their own get Datasette's."""
    names = {"localhost", host.lower(), socket.gethostname().lower()}

    async def asgi(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif refusal := _refusal(scope, names):
            await _refuse(send, *refusal)
        else:
            await app(scope, receive, lambda message: send(_with_headers(message, datasettes_policy)))

    return asgi


def _refusal(scope: Scope, names: set[str]) -> tuple[int, str] | None:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if not is_ours(headers.get(b"host", ""), names):
        return 421, "this address is not known here: use the one that finews serve printed"
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, "finews serve only reads"
    here = headers.get(b"sec-fetch-site", "none") in {"none", "same-origin"}
    if not here and headers.get(b"sec-fetch-mode") != "navigate":
        return 403, "another site's page may link here, and nothing else"
    if not here and headers.get(b"sec-fetch-dest", "document") != "document":
        return 403, "another site's page may not show this inside itself"
    return None


def is_ours(host: str, names: set[str]) -> bool:
    """Whether a Host header names this machine. An address of digits cannot be made to lead elsewhere.

    >>> [is_ours(host, {"localhost"}) for host in ("localhost:8001", "[::1]:8001", "192.168.1.5", "evil.example", "")]
    [True, True, True, False, False]
    """
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() in names
    return True


def _with_headers(message: dict[str, Any], datasettes_policy: str) -> dict[str, Any]:
    if message["type"] != "http.response.start":
        return message
    headers = {bytes(name).lower(): bytes(value) for name, value in message["headers"]}
    is_page = headers.get(b"content-type", b"").startswith(b"text/html")
    policy = datasettes_policy if is_page else STRICT
    added = {b"content-security-policy": policy.encode(), **_HEADERS}
    missing = [(name, value) for name, value in added.items() if name not in headers]
    return {**message, "headers": [*message["headers"], *missing]}


async def _refuse(send: Any, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
