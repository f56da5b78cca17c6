"""Web server (`finews serve`): Datasette with our plugin and request checks, on a port."""

import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from datasette.app import Datasette
from datasette.plugins import pm

import crawler
from crawler.errors import FatalError, StoppedError, UsageError
from crawler.publish.web import plugin, query_process
from crawler.publish.web.datasette_database import DATABASE_NAME, FinewsDatabase
from crawler.publish.web.health_views import health_config
from crawler.publish.web.http_protocol import RawAddressProtocol
from crawler.publish.web.security import with_security_headers
from crawler.storage import Store
from crawler.storage.canned_queries import CANNED_QUERIES, HIDDEN_TABLES

_WEB_DIR = Path(__file__).parent
# The published site and the web view share one style sheet.
_THEME_ASSETS = Path(crawler.__file__).parent / "publish/jekyll/theme/assets"
# Seconds from the signal to the end of the process.
_MAX_SHUTDOWN_SECONDS = 3
# Datasette's plugin that ours replaces: it prints a traceback for every missing page.
_REPLACED_PLUGIN = "datasette.handle_exception"


DEFAULT_PLUGINS = health_config("36h", None)


class _Server(uvicorn.Server):
    """uvicorn with a deadline for its end: no response or query needs to be completed."""

    got_ctrl_c = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and end the process after `_MAX_SHUTDOWN_SECONDS`."""
        self.got_ctrl_c = self.got_ctrl_c or sig == signal.SIGINT
        exit_code = StoppedError.exit_code if self.got_ctrl_c else 0
        deadline = threading.Timer(_MAX_SHUTDOWN_SECONDS, os._exit, [exit_code])
        deadline.daemon = True
        deadline.start()
        super().handle_exit(sig, frame)


def serve(
    output: Path,
    host: str,
    port: int,
    on_listening: Callable[[str], None],
    *,
    open_browser: bool,
    allow_sql: bool,
    plugins: Mapping[str, Any],
) -> None:
    """Serve until SIGTERM or Ctrl-C. `on_listening` gets the URL.

    Raises:
        KeyboardInterrupt: Ctrl-C ended the server.
        FatalError, UsageError: the server cannot start.
    """
    output = output.absolute()  # a relative path is lost when the current folder is replaced
    Store.open_ro(output).close()  # raises the error of a missing database
    with _bind_socket(host, port) as listener:
        query_process.load_early()
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
        datasette = create_datasette(output, allow_sql=allow_sql, plugins=plugins)
        app = with_security_headers(datasette.app(), host, plugin.build_datasette_csp(datasette), allow_sql=allow_sql)
        server_config = uvicorn.Config(
            app,
            http=RawAddressProtocol,
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        on_listening(url)
        if open_browser:
            webbrowser.open(url)
        # uvicorn sends a signal again when it has ended.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        # Datasette prints errors in SQL of readers, which the page shows already.
        with Path(os.devnull).open("w") as devnull, redirect_stderr(devnull):
            server = _Server(server_config)
            server.run(sockets=[listener])
        if server.got_ctrl_c:
            raise KeyboardInterrupt  # uvicorn does not raise it where the shell ignores SIGINT, as in the background


def create_datasette(output: Path, *, allow_sql: bool, plugins: Mapping[str, Any] = DEFAULT_PLUGINS) -> Datasette:
    """Return Datasette on the database of an output folder; `allow_sql` lets readers run their own SQL."""
    pm.set_blocked(_REPLACED_PLUGIN)
    if not pm.is_registered(plugin):
        pm.register(plugin, "finews")
    datasette = Datasette(
        template_dir=str(_WEB_DIR / "templates"),
        static_mounts=[("static", str(_WEB_DIR / "static")), ("assets", str(_THEME_ASSETS))],
        metadata={**_build_metadata(), "plugins": plugins},
        settings={
            "default_allow_sql": allow_sql,
            "allow_download": False,
            "num_sql_threads": 4,
            "default_cache_ttl": 0,
        },
        memory=False,
    )
    datasette.remove_database("_memory")
    datasette.add_database(FinewsDatabase(datasette, output), name=DATABASE_NAME)
    return datasette


def _build_metadata() -> dict[str, Any]:
    tables: dict[str, Any] = {name: {"hidden": True} for name in HIDDEN_TABLES}
    tables["articles"] = {"facets": ["media"], "sort_desc": "published_at", "label_column": "title", "size": 20}
    tables["articles_per_day"] = {"facets": ["day", "media"]}
    tables["mentions"] = {"facets": ["name", "kind"]}
    queries = {query.name: {"title": query.title, "sql": query.sql} for query in CANNED_QUERIES}
    return {
        "title": "财经新闻",
        "extra_css_urls": ["/static/data.css"],
        "databases": {DATABASE_NAME: {"tables": tables, "queries": queries}},
    }


def _bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket: an unavailable port is reported before anything else starts."""
    try:
        family, *_, socket_address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host!r} is not an address of this machine") from error
    # `::` means all addresses, those of IPv4 too.
    is_dual_stack = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(socket_address, family=family, dualstack_ipv6=is_dual_stack)
    except OSError as error:
        raise FatalError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose another --port, or 0 for any"
        ) from error
