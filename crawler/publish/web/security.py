"""Security of the web view: checks of each request, and response headers for browsers.

A page of another site can make a browser send requests here. It must neither read an answer (no CORS header is sent,
and a name that was made to lead here is refused: DNS rebinding) nor keep the database busy from afar, nor bring SQL.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from datasette.utils.asgi import Request

Scope = dict[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]

# Our pages need no script, and no style but the sheets'.
STRICT_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The parameters of an address that Datasette takes for SQL.
_SQL_PARAMS = ("sql", "_where")
# Characters. Datasette looks for comments in SQL before it runs it, in a time that grows with the square: 0.2 s.
_MAX_SQL_CHARS = 5_000
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def with_security_headers(app: AsgiApp, listen_host: str, datasette_csp: str, *, allow_sql: bool) -> AsgiApp:
    """The application behind these rules; pages that bring no policy of their own get Datasette's."""
    allowed_hosts = {"localhost", listen_host.lower(), socket.gethostname().lower()}

    async def guarded_app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif rejection := _find_rejection(scope, allowed_hosts, allow_sql=allow_sql):
            await _send_rejection(send, *rejection)
        else:
            await app(scope, receive, lambda message: send(_add_missing_headers(message, datasette_csp)))

    return guarded_app


def _find_rejection(scope: Scope, allowed_hosts: set[str], *, allow_sql: bool) -> tuple[int, str] | None:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if not is_allowed_host(headers.get(b"host", ""), allowed_hosts):
        return 421, "this address is not known here: use the one that finews serve printed"
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, "finews serve only reads"
    is_same_origin = headers.get(b"sec-fetch-site", "none") in {"none", "same-origin"}
    if not is_same_origin and headers.get(b"sec-fetch-mode") != "navigate":
        return 403, "another site's page may link here, and nothing else"
    if not is_same_origin and headers.get(b"sec-fetch-dest", "document") != "document":
        return 403, "another site's page may not show this inside itself"
    # Read as Datasette reads them.
    sql_values = [value for name in _SQL_PARAMS for value in Request(scope, None).args.getlist(name)]
    if not sql_values:
        return None
    if not allow_sql:
        return 403, "SQL of readers is off: `finews serve --sql` allows it"
    if not is_same_origin or _names_other_site(headers):
        return 403, "another site's page may not bring SQL: open the address yourself, or type the query here"
    if sum(map(len, sql_values)) > _MAX_SQL_CHARS:
        return 400, f"SQL may have {_MAX_SQL_CHARS:,} characters"
    return None


def _names_other_site(headers: dict[bytes, str]) -> bool:
    """Whether a header of a browser, old ones included, says that a page of another origin sent the request."""
    addresses = [headers[name] for name in (b"origin", b"referer") if name in headers]
    hosts = {address.partition("://")[2].partition("/")[0].lower() for address in addresses}
    return not hosts <= {headers[b"host"].lower()}


def is_allowed_host(host: str, allowed_hosts: set[str]) -> bool:
    """Whether a Host header names this machine. An address of digits cannot be made to lead elsewhere.

    >>> hosts = "localhost:8001", "[::1]:8001", "192.168.1.5", "evil.example", ""
    >>> [is_allowed_host(host, {"localhost"}) for host in hosts]
    [True, True, True, False, False]
    """
    host_name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(host_name)
    except ValueError:
        return host_name.lower() in allowed_hosts
    return True


def _add_missing_headers(message: dict[str, Any], datasette_csp: str) -> dict[str, Any]:
    if message["type"] != "http.response.start":
        return message
    headers = {bytes(name).lower(): bytes(value) for name, value in message["headers"]}
    is_page = headers.get(b"content-type", b"").startswith(b"text/html")
    csp = datasette_csp if is_page else STRICT_CSP
    default_headers = {b"content-security-policy": csp.encode(), **_SECURITY_HEADERS}
    missing_headers = [(name, value) for name, value in default_headers.items() if name not in headers]
    return {**message, "headers": [*message["headers"], *missing_headers]}


async def _send_rejection(send: Any, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_SECURITY_HEADERS.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
