"""The sample site as a server: a thread that serves, and one more for each connection."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from socketserver import StreamRequestHandler, TCPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, overload

from crawler.sample_site.corpus import Corpus
from crawler.sample_site.faults import Fault
from crawler.sample_site.http import TEXT, Exchange, Hit, Reply, read_hit, wants_to_stay
from crawler.sample_site.routes import answer, article_code


class Hits(Sequence[Hit]):
    """The requests so far, in order; safe to read while more come in."""

    def __init__(self) -> None:
        self._hits: list[Hit] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> list[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | list[Hit]:
        return self._copy()[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._copy())

    def __repr__(self) -> str:
        return f"Hits({[hit.target for hit in self]})"

    def add(self, hit: Hit) -> None:
        """One more."""
        with self._lock:
            self._hits.append(hit)

    def reset(self) -> None:
        """Forgets them."""
        with self._lock:
            self._hits.clear()

    def _copy(self) -> list[Hit]:
        with self._lock:
            return self._hits.copy()


@dataclass
class Rule:
    """A fault, the requests that it strikes, and how often it still does."""

    pattern: re.Pattern[str]
    fault: Fault
    times: int | None


class SampleSite:
    """Serves a corpus on loopback.

    with SampleSite(articles=50) as site:
        urlopen(f"{site.url}/robots.txt")
    """

    def __init__(
        self, corpus: Corpus | None = None, *, articles: int = 50, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.corpus = Corpus.sample(articles) if corpus is None else corpus
        self.requests = Hits()
        self._rules: list[Rule] = []
        self._rules_lock = Lock()
        self._server = _Server((host, port), self)
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
        """``http://127.0.0.1:PORT``."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def article_requests(self) -> list[str]:
        """The codes of the articles whose body was asked for, in order."""
        return [code for hit in self.requests if (code := article_code(hit)) is not None]

    @property
    def idle(self) -> bool:
        """Whether nobody is connected: whatever was asked so far is among the requests."""
        return not self._server.open

    def start(self) -> SampleSite:
        """Serves from now on, from a thread of its own."""
        self._started = True
        self._thread.start()
        return self

    def close(self) -> None:
        """Stops, and ends every open connection."""
        self._server.stopping.set()
        if self._started:
            self._server.shutdown()
        self._server.server_close()
        self._server.hang_up_all()

    def reset(self) -> None:
        """Forgets the requests and the faults."""
        self.requests.reset()
        self.heal()

    def fail(self, pattern: str, fault: Fault, times: int | None = None) -> None:
        """From now on (``times`` times) a request whose path and query match meets this fault.

        The first fault that matches strikes, so faults with ``times`` come one after the other.
        """
        with self._rules_lock:
            self._rules.append(Rule(re.compile(pattern), fault, times))

    def heal(self) -> None:
        """No more faults."""
        with self._rules_lock:
            self._rules.clear()

    def handle(self, exchange: Exchange) -> None:
        """Notes the request, and lets a fault or the site answer it."""
        self.requests.add(exchange.hit)
        fault = self._fault_for(exchange.hit)
        if fault is None:
            exchange.answer(exchange.reply)
        else:
            fault.apply(exchange)

    def _fault_for(self, hit: Hit) -> Fault | None:
        with self._rules_lock:
            for rule in self._rules:
                if rule.times != 0 and rule.pattern.search(hit.target):
                    rule.times = rule.times if rule.times is None else rule.times - 1
                    return rule.fault
        return None


class _Connection(StreamRequestHandler):
    """One connection, request after request."""

    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        site, stopping = self.server.site, self.server.stopping
        # A client that leaves early is no fault of the site's.
        with suppress(ConnectionError):
            while not stopping.is_set() and (hit := read_hit(self.rfile)):
                exchange = Exchange(hit, self.connection, stopping, _reply(site.corpus, hit))
                site.handle(exchange)
                if not (exchange.keep_alive and wants_to_stay(hit.headers)):
                    return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: SampleSite) -> None:
        self.site = site
        self.stopping = Event()
        self.open: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Without looking up the host's name, which can take seconds and nobody reads."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def hang_up_all(self) -> None:
        """A connection that is kept would otherwise be served even after the end."""
        for connection in self.open.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _reply(corpus: Corpus, hit: Hit) -> Reply:
    """An error in the site itself must not look like a fault of the wire."""
    try:
        return answer(corpus, hit)
    except Exception as error:
        return Reply(f"the sample site failed: {error!r}".encode(), TEXT, 500)
