"""Tests of `/healthz` and `/metrics` of the real server."""

import shutil
from pathlib import Path

from tests.publish.web.conftest import WebServer, run_web_server
from tests.support.database import execute_sql


def test_health_and_metrics_of_a_recent_crawl(web_server: WebServer, crawled_output: Path) -> None:
    health = web_server.get("/healthz")
    assert (health.status, health.text, health.headers["cache-control"]) == (200, "ok\n", "no-store")
    metrics = web_server.get("/metrics")
    assert (metrics.status, metrics.headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert "finews_healthy 1.0\n" in metrics.text
    assert 'finews_last_crawl_failed{source="eastmoney"} 0.0\n' in metrics.text
    assert str(crawled_output) not in metrics.text + health.text


def test_stale_crawl_is_503_without_details(output: Path, crawled_output: Path) -> None:
    shutil.copytree(crawled_output, output)
    execute_sql(output, "UPDATE runs SET finished_at = '2026-01-01T00:00:00+08:00'")
    with run_web_server(output) as server:
        health = server.get("/healthz")
        assert (health.status, health.text) == (503, "unhealthy\n")
        assert "finews_healthy 0.0\n" in server.get("/metrics").text
