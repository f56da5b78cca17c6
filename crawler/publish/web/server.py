"""Web server (`finews serve`): Datasette with our plugin, behind the Host check, on a port."""

import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
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
from crawler.publish.web.http_protocol import RawAddressProtocol
from crawler.publish.web.security import with_security_headers
from crawler.storage import Store
from crawler.storage.canned_queries import CANNED_QUERIES, HIDDEN_TABLES

_WEB_DIR = Path(__file__).parent
# One style for both: the pages of the published site, and these.
_THEME_ASSETS = Path(crawler.__file__).parent / "publish/jekyll/theme/assets"
# From the signal to the end of the process.
_MAX_SHUTDOWN_SECONDS = 3
# The plugin of Datasette's that ours takes the place of: it prints a traceback for every page that is not there.
_REPLACED_PLUGIN = "datasette.handle_exception"


class _Server(uvicorn.Server):
    """uvicorn, which ends in time, whatever its threads and its pages are at: nothing of it has to be finished."""

    got_ctrl_c = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
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
) -> None:
    """Serve until SIGTERM, which is a planned end, or Ctrl-C. `on_listening` is given the address.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
        FatalError, UsageError: it cannot begin.
    """
    output = output.absolute()  # of a current folder that is removed and made again, no relative path is left
    Store.open_ro(output).close()  # there is one, or the user gets the error
    with _bind_socket(host, port) as listener:
        query_process.load_early()
        url = _format_url(host, listener.getsockname()[1])
        datasette = create_datasette(output, allow_sql=allow_sql)
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
        # Datasette writes there what SQL of a reader's went wrong, whose page shows it already.
        with Path(os.devnull).open("w") as devnull, redirect_stderr(devnull):
            server = _Server(server_config)
            server.run(sockets=[listener])
        if server.got_ctrl_c:
            raise KeyboardInterrupt  # uvicorn does, but not where a shell has it ignored, as in the background


def create_datasette(output: Path, *, allow_sql: bool) -> Datasette:
    """Datasette on the database of an output folder; `allow_sql` lets readers type questions of their own."""
    pm.set_blocked(_REPLACED_PLUGIN)
    if not pm.is_registered(plugin):
        pm.register(plugin, "finews")
    datasette = Datasette(
        template_dir=str(_WEB_DIR / "templates"),
        static_mounts=[("static", str(_WEB_DIR / "static")), ("assets", str(_THEME_ASSETS))],
        metadata=_build_metadata(),
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
    """A socket that is bound already, so that a port that is taken is reported before anything starts."""
    try:
        family, *_, socket_address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--host {host!r} is no address of this machine") from error
    is_dual_stack = (
        family is socket.AF_INET6 and socket.has_dualstack_ipv6()
    )  # `::` is every address, also those of IPv4
    try:
        return socket.create_server(socket_address, family=family, dualstack_ipv6=is_dual_stack)
    except OSError as error:
        raise FatalError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; --port names another, 0 any"
        ) from error


def _format_url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
