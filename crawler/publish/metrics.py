"""Metrics: the status of an output folder in the text format of Prometheus."""

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest, write_to_textfile

from crawler.errors import OutputError
from crawler.items import RunOutcome
from crawler.publish.status import Status


def render_metrics(status: Status) -> bytes:
    """Return the metrics as an answer to a scrape."""
    return generate_latest(build_registry(status))


def write_metrics(status: Status, path: Path) -> None:
    """Write the metrics into a file, whole or not at all, for the textfile collector of node_exporter.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        write_to_textfile(str(path), build_registry(status))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def build_registry(status: Status) -> CollectorRegistry:
    """Return a registry that holds the metrics; times are in seconds since 1970, sizes in bytes."""
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, value: float) -> None:
        Gauge(f"finews_{name}", meaning, registry=registry).set(value)

    def gauge_by_source(name: str, meaning: str) -> Gauge:
        return Gauge(f"finews_{name}", meaning, ["source"], registry=registry)

    last_good = gauge_by_source("last_good_crawl_timestamp_seconds", "End of the last good crawl.")
    last_failed = gauge_by_source("last_crawl_failed", "1 if the last crawl failed, else 0.")
    failing = gauge_by_source("failing_entries", "Entries that failed the last time they were fetched.")
    gaps = gauge_by_source("gaps", "Spans of listings that crawls of the last 30 days have missed.")
    conditions = gauge_by_source("conditions", "Lasting conditions of the source, such as closed endpoints.")
    for state in status.sources:
        if state.last_good_at is not None:
            last_good.labels(state.source).set(state.last_good_at.timestamp())
        last_failed.labels(state.source).set(state.last_outcome == RunOutcome.FAILED)
        failing.labels(state.source).set(state.failing_entries)
        gaps.labels(state.source).set(state.gaps)
        conditions.labels(state.source).set(len(state.conditions))
    gauge("healthy", "1 if `finews status` exits 0, else 0.", not status.problems)
    gauge("articles", "Articles in the database.", status.articles)
    gauge("posts_owed", "Articles whose post is not written.", status.posts_owed)
    gauge("quarantined", "Responses and rows in quarantine.", status.quarantined)
    gauge("database_bytes", "Size of the database.", status.database_bytes)
    gauge("disk_free_bytes", "Free space of the disk of the output folder.", status.free_bytes)
    if status.built_at is not None:
        gauge("site_built_timestamp_seconds", "End of the last build of the site.", status.built_at.timestamp())
    return registry
