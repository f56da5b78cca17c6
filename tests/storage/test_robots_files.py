"""robots.txt files: kept from crawl to crawl."""

from datetime import datetime, timedelta
from pathlib import Path

from crawler.content.dates import CHINA_TZ
from crawler.storage import Store
from crawler.storage.robots_files import RobotsFile

NOON = datetime(2026, 9, 18, 12, 0, tzinfo=CHINA_TZ)


def test_last_robots_txt_of_an_origin_is_kept(tmp_path: Path) -> None:
    with Store.open_rw(tmp_path) as store:
        assert store.robots_files.get("https://a.cn:443") is None
        store.robots_files.save("https://a.cn:443", RobotsFile(b"old", NOON - timedelta(days=1)))
        store.robots_files.save("https://a.cn:443", RobotsFile(b"\xff\x00", NOON))
        store.robots_files.save("https://b.cn:443", RobotsFile(b"", NOON))
    with Store.open_ro(tmp_path) as store:
        assert store.robots_files.get("https://a.cn:443") == RobotsFile(b"\xff\x00", NOON)
        assert store.robots_files.get("https://b.cn:443") == RobotsFile(b"", NOON)
