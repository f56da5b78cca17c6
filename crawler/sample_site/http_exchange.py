"""HTTP exchange over one connection: requests in, responses out, each response in one write.

The standard library's HTTP handler reads headers with the mail parser, which takes longer than everything else
here together; a benchmark needs a sample site that is faster than the crawler.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import responses
from io import BufferedIOBase
from threading import Event
from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

HTML_CONTENT_TYPE = "text/html; charset=utf-8"
JSON_CONTENT_TYPE = "application/json; charset=utf-8"
SCRIPT_CONTENT_TYPE = "application/javascript; charset=utf-8"
TEXT_CONTENT_TYPE = "text/plain; charset=utf-8"

_MAX_LINE_BYTES = 1 << 16
# Scheme and host, which a client that uses the site as a proxy sends before the path.
_ABSOLUTE_FORM = re.compile(r"^http://[^/]*", re.ASCII | re.IGNORECASE)


class HttpRequest(NamedTuple):
    """A request as received; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str = ""
    """Path and query as sent."""
    received_at: float = 0.0
    """Seconds on the monotonic clock."""


class HttpResponse(NamedTuple):
    """A whole response; ``headers`` are sent in addition to the type and the length."""

    body: bytes
    content_type: str = HTML_CONTENT_TYPE
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()

    def encode_head(self, length: int) -> bytes:
        """Return status line and headers, with this ``Content-Length`` in bytes."""
        lines = [
            f"HTTP/1.1 {self.status} {responses.get(self.status, 'Unknown')}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join((*lines, "", "")).encode("utf-8")


@dataclass
class Exchange:
    """A request and its connection: all that a fault needs."""

    request: HttpRequest
    connection: socket.socket
    stop_event: Event
    default_response: HttpResponse
    """The site's own response."""
    keep_alive: bool = True

    def send_response(self, response: HttpResponse, length: int | None = None) -> None:
        """Send a response; ``length`` in bytes replaces the declared length."""
        head = response.encode_head(len(response.body) if length is None else length)
        self.send_bytes(head if self.request.method == "HEAD" else head + response.body)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes in one write."""
        self.connection.sendall(data)

    def wait(self, seconds: float) -> None:
        """Wait, at most until the site stops."""
        self.stop_event.wait(seconds)

    def disable_keep_alive(self) -> None:
        """Close the connection after this exchange."""
        self.keep_alive = False

    def reset_connection(self) -> None:
        """Reset the connection at once: the client sees RST, not FIN."""
        self.disable_keep_alive()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Reading keeps a copy of the file descriptor open; only closing that itself sends the reset.
        socket.close(self.connection.detach())


def read_request(stream: BufferedIOBase) -> HttpRequest | None:
    """Read the next request; return None when the client has left or does not speak HTTP."""
    request_line = stream.readline(_MAX_LINE_BYTES).split()
    if len(request_line) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline(_MAX_LINE_BYTES)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if (length := headers.get("content-length", "")).isdecimal():
        stream.read(int(length))
    method, target = request_line[0].decode("latin-1"), request_line[1].decode("latin-1")
    target = _ABSOLUTE_FORM.sub("", target, 1)
    path, _, query_string = target.partition("?")
    query = dict(parse_qsl(query_string, keep_blank_values=True)) if query_string else {}
    if request_line[2] == b"HTTP/1.0":
        headers.setdefault("connection", "close")
    return HttpRequest(method, unquote(path), query, headers, target, monotonic())


def wants_keep_alive(headers: Mapping[str, str]) -> bool:
    """Return whether the client keeps the connection open."""
    return headers.get("connection", "").lower() != "close"
