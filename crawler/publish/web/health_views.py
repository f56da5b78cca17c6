"""Health views: `/healthz` for load balancers and containers, `/metrics` for Prometheus."""

import asyncio
from typing import Any

from datasette.app import Datasette
from datasette.utils.asgi import Response

from crawler.publish.metrics import render_metrics
from crawler.publish.status import Status, read_status
from crawler.publish.web.datasette_database import DATABASE_NAME

PLUGIN_NAME = "finews"


def health_config(max_age: str, sources: list[str] | None) -> dict[str, Any]:
    """Return the configuration that these views read: the arguments of `read_status`."""
    return {PLUGIN_NAME: {"max_age": max_age, "sources": sources}}


async def show_health(datasette: Datasette) -> Response:
    """Answer 200 when each source has a recent good crawl, else 503; the reasons are for `finews status`."""
    status = await _read_status(datasette)
    text, code = ("unhealthy", 503) if status.problems else ("ok", 200)
    return Response.text(f"{text}\n", status=code, headers={"cache-control": "no-store"})


async def show_metrics(datasette: Datasette) -> Response:
    """Answer with the metrics in the text format of Prometheus."""
    body = render_metrics(await _read_status(datasette)).decode()
    return Response(
        body, content_type="text/plain; version=0.0.4; charset=utf-8", headers={"cache-control": "no-store"}
    )


async def _read_status(datasette: Datasette) -> Status:
    """Read the status; a server may run as a user who cannot write, so the disk is not tried."""
    output = datasette.get_database(DATABASE_NAME).output
    config = datasette.plugin_config(PLUGIN_NAME)
    return await asyncio.to_thread(read_status, output, config["max_age"], config["sources"], check_disk=False)
