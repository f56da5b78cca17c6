"""Datasette plugin: the hooks that add our pages, error pages and security policy."""

import base64
import logging
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from datasette.app import Datasette
from datasette.database import QueryInterrupted
from datasette.utils.asgi import Base400, Request, Response
from datasette.views.base import DatasetteError
from jinja2 import Environment
from markupsafe import Markup
from pluggy import HookimplMarker

from crawler.content.html_text import untrusted_html_to_text
from crawler.content.stocks import is_secid
from crawler.content.unicode_text import collapse_whitespace
from crawler.errors import FinewsError, UsageError
from crawler.items import CODE_PATTERN, CODE_PREFIX
from crawler.publish.feeds import FEED_FORMATS
from crawler.publish.web import health_views, security, views
from crawler.publish.web.datasette_database import QueryTimeoutError

# Datasette's own `hookimpl` is not typed.
hookimpl = HookimplMarker("datasette")
# The server's log, which is printed on the terminal.
_server_logger = logging.getLogger("uvicorn.error")
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# Datasette's templates with inline scripts.
_TEMPLATES_WITH_SCRIPTS = ("_close_open_menus.html", "_codemirror_foot.html", "table.html")
_ROUTES = (
    (r"/$", views.show_home),
    (r"/search$", views.show_search),
    (rf"/article/(?:{CODE_PREFIX})?(?P<code>\d{{1,30}})$", views.show_article),
    (rf"/article/(?:{CODE_PREFIX})?(?P<code>\d{{1,30}})/changes/(?P<number>\d{{1,6}})$", views.show_revision_diff),
    (r"/stock$", views.show_stocks),
    (r"/stock/(?P<key>[^/]+)$", views.show_stock),
    (r"/category$", views.show_media),
    (r"/category/(?P<slug>[^/]+)$", views.show_category),
    (r"/day$", views.show_days),
    (r"/day/(?P<day>\d{4}-\d{2}-\d{2})$", views.show_day),
    (r"/healthz$", health_views.show_health),
    (r"/metrics$", health_views.show_metrics),
    (rf"/feed\.(?P<format>{'|'.join(FEED_FORMATS)})$", views.show_feed),
)


@hookimpl
def register_routes() -> Sequence[tuple[str, Any]]:
    """Return the routes of our pages."""
    return _ROUTES


@hookimpl
def prepare_jinja2_environment(env: Environment) -> None:
    """Add the filters of our templates."""
    env.filters["highlight"] = views.highlight_hits


@hookimpl
def render_cell(value: Any, column: str) -> Markup | None:
    """Link codes in tables to articles, and secids to stocks."""
    if column == "code" and isinstance(value, str) and CODE_PATTERN.fullmatch(value):
        return Markup('<a href="/article/{0}">{0}</a>').format(value)
    if column == "secid" and isinstance(value, str) and is_secid(value):
        return Markup('<a href="/stock/{0}">{0}</a>').format(value)
    return None


@hookimpl
def forbidden(datasette: Datasette, request: Request, message: str) -> Any:
    """Return our error page for a page that Datasette forbids."""
    return lambda: _build_error_response(datasette, request, 403, f"不允许：{message}")


@hookimpl
def handle_exception(datasette: Datasette, request: Request, exception: Exception) -> Any:
    """Show an error page, and log one line for an unexpected error, instead of Datasette's traceback."""

    async def respond() -> Response:
        match exception:
            case QueryTimeoutError() | QueryInterrupted():
                return await _build_error_response(
                    datasette, request, 503, "这个问题太费时间，已经停下。请加上日期、媒体或更多的词。"
                )
            case UsageError():
                return await _build_error_response(datasette, request, 400, str(exception))
            case FinewsError():
                return await _build_error_response(datasette, request, 500, str(exception))
            case DatasetteError():
                message = exception.message
                text = untrusted_html_to_text(message) if exception.message_is_html else message
                return await _build_error_response(datasette, request, exception.status, text)
            case Base400():
                return await _build_error_response(datasette, request, exception.status, str(exception.args[0]))
        _server_logger.error(
            "%s: %s: %s",
            collapse_whitespace(request.path),
            type(exception).__name__,
            collapse_whitespace(str(exception)),
        )
        return await _build_error_response(
            datasette, request, 500, f"internal error: {type(exception).__name__}: {exception}"
        )

    return respond


async def _build_error_response(datasette: Datasette, request: Request, status: int, message: str) -> Response:
    if request.path.endswith(".json"):
        return Response.json({"ok": False, "error": str(message), "status": status, "title": None}, status=status)
    context = {"status": status, "message": message}
    html = await datasette.render_template("finews/trouble.html", context, request=request)
    return Response.html(html, status=status, headers={"content-security-policy": security.STRICT_CSP})


def build_datasette_csp(datasette: Datasette) -> str:
    """Return the policy for Datasette's own pages, which allows their inline styles, and inline scripts by hash."""
    environment: Environment = datasette.jinja_env
    assert environment.loader is not None
    scripts: dict[str, None] = {}
    for template in _TEMPLATES_WITH_SCRIPTS:
        source, *_ = environment.loader.get_source(environment, f"default:{template}")
        for script in _INLINE_SCRIPT.findall(source):
            for allow_facet in ("true", "false"):
                scripts[script.replace("{{ datasette_allow_facet }}", allow_facet)] = None
    hashes = " ".join(f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
