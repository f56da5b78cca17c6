"""Security of the web view: request checks, and response headers for browsers.

A page of another site can make a browser send requests here. That page must not read responses (no CORS header is
sent, and unknown host names are rejected: DNS rebinding), embed pages, or run SQL.
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from datasette.utils.asgi import Request

Scope = dict[str, Any]
AsgiApp = Callable[[Scope, Any, Any], Awaitable[None]]

# Our pages have no scripts, and no styles except the style sheets.
STRICT_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# URL parameters that Datasette runs as SQL.
_SQL_PARAMS = ("sql", "_where")
# Characters. Datasette searches SQL for comments in quadratic time: 0.2 s for this length.
_MAX_SQL_CHARS = 5_000
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def with_security_headers(app: AsgiApp, listen_host: str, datasette_csp: str, *, allow_sql: bool) -> AsgiApp:
    """Wrap an application in request checks and security headers; `datasette_csp` is for pages without a policy."""
    allowed_hosts = {"localhost", listen_host.lower(), socket.gethostname().lower()}

    async def guarded_app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif rejection := _find_rejection(scope, allowed_hosts, allow_sql=allow_sql):
            status, text = rejection
            headers = [(b"content-type", b"text/plain; charset=utf-8"), *_SECURITY_HEADERS.items()]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": f"{text}\n".encode()})
        else:
            await app(scope, receive, lambda message: send(_add_missing_headers(message, datasette_csp)))

    return guarded_app


def _find_rejection(scope: Scope, allowed_hosts: set[str], *, allow_sql: bool) -> tuple[int, str] | None:
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if not is_allowed_host(headers.get(b"host", ""), allowed_hosts):
        return 421, "unknown host name: open the address that `finews serve` printed"
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, "finews serve is read-only: use GET"
    is_same_origin = headers.get(b"sec-fetch-site", "none") in {"none", "same-origin"}
    if not is_same_origin and headers.get(b"sec-fetch-mode") != "navigate":
        return 403, "a page of another site may only link here: open the address yourself"
    if not is_same_origin and headers.get(b"sec-fetch-dest", "document") != "document":
        return 403, "a page of another site may not embed this page: open the address yourself"
    # Parsed as Datasette parses them.
    sql_values = [value for name in _SQL_PARAMS for value in Request(scope, None).args.getlist(name)]
    if not sql_values:
        return None
    if not allow_sql:
        return 403, "SQL of readers is off: start `finews serve --sql` to allow it"
    # Old browsers name the page that sent a request only in these headers.
    addresses = [headers[name] for name in (b"origin", b"referer") if name in headers]
    hosts = {address.partition("://")[2].partition("/")[0].lower() for address in addresses}
    if not is_same_origin or not hosts <= {headers[b"host"].lower()}:
        return 403, "a page of another site may not run SQL: open the address yourself, or type the query here"
    if sum(map(len, sql_values)) > _MAX_SQL_CHARS:
        return 400, f"the SQL is too long: use at most {_MAX_SQL_CHARS:,} characters"
    return None


def is_allowed_host(host: str, allowed_hosts: set[str]) -> bool:
    """Return whether a Host header names this machine. An IP address cannot be rebound to another machine.

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
