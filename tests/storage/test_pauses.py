"""Pauses: kept from crawl to crawl, and deleted when they are over."""

from datetime import datetime, timedelta
from pathlib import Path

from crawler.content.dates import CHINA_TZ
from crawler.items import RunOutcome
from crawler.storage import Store

DONE, FAILED, INTERRUPTED = RunOutcome.DONE, RunOutcome.FAILED, RunOutcome.INTERRUPTED
A_DAY = timedelta(days=1)
NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)


def test_pause_outlives_the_crawl_and_expires(tmp_path: Path) -> None:
    with Store.open_rw(tmp_path) as store:
        store.pauses.pause("https://a.cn:443", NOON)
        store.pauses.pause("https://b.cn:443", NOON + timedelta(hours=1))
        store.pauses.pause("https://a.cn:443", NOON + timedelta(minutes=1))
    with Store.open_rw(tmp_path) as store:
        assert store.pauses.get_active(NOON, A_DAY) == {
            "https://a.cn:443": NOON + timedelta(minutes=1),
            "https://b.cn:443": NOON + timedelta(hours=1),
        }
        assert list(store.pauses.get_active(NOON + timedelta(minutes=1), A_DAY)) == ["https://b.cn:443"]
        assert store.pauses.get_active(NOON + timedelta(hours=1), A_DAY) == {}


def test_pause_longer_than_there_is_was_stored_by_another_clock(tmp_path: Path) -> None:
    """Delete a pause of a month, as a clock that ran ahead and was set back leaves it."""
    with Store.open_rw(tmp_path) as store:
        store.pauses.pause("eastmoney", NOON + timedelta(days=30))
        assert store.pauses.get_active(NOON, A_DAY) == {}


def test_failing_since_is_the_first_of_consecutive_failures(tmp_path: Path) -> None:
    with Store.open_rw(tmp_path) as store:
        for hour, outcome in enumerate([FAILED, DONE, FAILED, INTERRUPTED, FAILED]):
            started_at = NOON + timedelta(hours=hour)
            store.runs.finish(store.runs.start("flash", {}, started_at), outcome, started_at)
        store.runs.finish(store.runs.start("eastmoney", {}, NOON), DONE, NOON)
        store.runs.start("flash", {}, NOON + timedelta(hours=9))
        assert store.runs.failing_since("flash") == NOON + timedelta(hours=2)
