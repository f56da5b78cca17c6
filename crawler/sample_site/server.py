"""Server of the sample site: a thread that serves, and one more for each connection."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from socketserver import StreamRequestHandler, TCPServer
from ssl import SSLContext, SSLError
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, overload

from crawler.sample_site.corpus import Corpus
from crawler.sample_site.faults import Fault
from crawler.sample_site.http_exchange import (
    TEXT_CONTENT_TYPE,
    Exchange,
    HttpRequest,
    HttpResponse,
    read_request,
    wants_keep_alive,
)
from crawler.sample_site.routes import requested_article_code, route_request


class RequestLog(Sequence[HttpRequest]):
    """Requests received so far, in order; safe to read while more arrive."""

    def __init__(self) -> None:
        self._requests: list[HttpRequest] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._requests)

    @overload
    def __getitem__(self, index: int) -> HttpRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[HttpRequest]: ...
    def __getitem__(self, index: int | slice) -> HttpRequest | list[HttpRequest]:
        return self._snapshot()[index]

    def __iter__(self) -> Iterator[HttpRequest]:
        return iter(self._snapshot())

    def __repr__(self) -> str:
        return f"RequestLog({[hit.target for hit in self]})"

    def append(self, request: HttpRequest) -> None:
        """Add a request."""
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._requests.clear()

    def _snapshot(self) -> list[HttpRequest]:
        with self._lock:
            return self._requests.copy()


@dataclass
class FaultRule:
    """A fault, its request pattern, and the remaining number of times; None: no limit."""

    pattern: re.Pattern[str]
    fault: Fault
    remaining: int | None


class SampleSite:
    """Server of a corpus, by default on loopback.

    with SampleSite(article_count=50) as site:
        urlopen(f"{site.url}/robots.txt")
    """

    def __init__(
        self,
        corpus: Corpus | None = None,
        *,
        article_count: int = 50,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: SSLContext | None = None,
    ) -> None:
        self.corpus = Corpus.sample(article_count) if corpus is None else corpus
        self.requests = RequestLog()
        self._fault_rules: list[FaultRule] = []
        self._rules_lock = Lock()
        self._scheme = "http" if tls is None else "https"
        self._server = _SiteServer((host, port), self, tls)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._started = False

    def __enter__(self) -> SampleSite:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Return ``http://127.0.0.1:PORT`` or ``http://[::1]:PORT``; with TLS ``https://``."""
        host, port = self._server.server_address[:2]
        is_ipv6 = self._server.address_family == socket.AF_INET6
        return f"{self._scheme}://{f'[{host!s}]' if is_ipv6 else host!s}:{port}"

    @property
    def requested_codes(self) -> list[str]:
        """Return the codes of the articles whose body was requested, in order."""
        return [code for hit in self.requests if (code := requested_article_code(hit)) is not None]

    @property
    def is_idle(self) -> bool:
        """Return whether no client is connected; then all requests so far are in the log."""
        return not self._server.open_connections

    def start(self) -> SampleSite:
        """Start to serve, in a thread of its own."""
        self._started = True
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop the server and close every open connection."""
        self._server.stop_event.set()
        if self._started:
            self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    def reset(self) -> None:
        """Remove the logged requests and the faults."""
        self.requests.clear()
        self.clear_faults()

    def add_fault(self, pattern: str, fault: Fault, times: int | None = None) -> None:
        """Apply a fault to requests whose path and query match a pattern, at most ``times`` times.

        The first matching fault that is not used up is applied.
        """
        with self._rules_lock:
            self._fault_rules.append(FaultRule(re.compile(pattern), fault, times))

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._rules_lock:
            self._fault_rules.clear()

    def handle(self, exchange: Exchange) -> None:
        """Log the request, and send the response of a fault or of the site."""
        self.requests.append(exchange.request)
        fault = self._next_fault(exchange.request)
        if fault is None:
            exchange.send_response(exchange.default_response)
        else:
            fault.apply(exchange)

    def _next_fault(self, request: HttpRequest) -> Fault | None:
        with self._rules_lock:
            for rule in self._fault_rules:
                if rule.remaining != 0 and rule.pattern.search(request.target):
                    rule.remaining = rule.remaining if rule.remaining is None else rule.remaining - 1
                    return rule.fault
        return None


class _ConnectionHandler(StreamRequestHandler):
    """One connection, request after request."""

    disable_nagle_algorithm = True
    server: _SiteServer

    def handle(self) -> None:
        site, stopping = self.server.site, self.server.stop_event
        # A client that leaves early, or does not trust the certificate, is no error of the site.
        with suppress(ConnectionError, SSLError):
            while not stopping.is_set() and (hit := read_request(self.rfile)):
                try:
                    response = route_request(site.corpus, hit)
                except Exception as error:  # A bug of the site must not look like a network error.
                    text = f"the sample site failed: {error!r}"
                    response = HttpResponse(text.encode(), TEXT_CONTENT_TYPE, 500)
                exchange = Exchange(hit, self.connection, stopping, response)
                site.handle(exchange)
                if not (exchange.keep_alive and wants_keep_alive(hit.headers)):
                    return


class _SiteServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: SampleSite, tls: SSLContext | None) -> None:
        self.site = site
        self.stop_event = Event()
        self.open_connections: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _ConnectionHandler)
        if tls is not None:
            # The handshake runs in the connection's thread, so a slow client does not delay the others.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def server_bind(self) -> None:
        """Bind without looking up the host name, which can take seconds and is not used."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open_connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open_connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close all connections: a kept-alive connection would be served even after the server stopped."""
        for connection in self.open_connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
