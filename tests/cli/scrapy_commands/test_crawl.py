"""`scrapy crawl`, `list` and `check`: the same articles and exit codes as `finews crawl`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.sample_site import SampleSite
from tests.support.commands import PROJECT_ROOT
from tests.support.database import Query


def run_scrapy(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scrapy", *args]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_scrapy_lists_the_spiders() -> None:
    assert run_scrapy("list").stdout.split() == ["choice", "eastmoney", "flash"]


def test_scrapy_check_passes() -> None:
    assert run_scrapy("check").returncode == 0


def test_scrapy_crawl_saves_the_same_articles(sample_site: SampleSite, output: Path, query: Query) -> None:
    settings = (f"OUTPUT_DIR={output}", f"MIRROR={sample_site.url}", "DOWNLOAD_DELAY=0")
    args = [word for setting in settings for word in ("-s", setting)]
    completed = run_scrapy("crawl", "eastmoney", "-a", "category=zhongguonongwang", *args)
    assert completed.returncode == 0, completed.stderr
    assert "WARNING" not in completed.stderr
    assert query("SELECT DISTINCT category FROM articles") == ["zhongguonongwang"]
    arguments = query("SELECT arguments FROM runs")[0]
    assert json.loads(arguments) == {"category": "zhongguonongwang"}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("-a", "category=zhongguonongwan"), 2),
        (("-a", "catgory=zhongguonongwang"), 2),
        (("-s", "MIRROR=http://127.0.0.1:9"), 1),
    ],
    ids=["an unknown category", "an unknown argument", "a source that is down"],
)
def test_scrapy_crawl_uses_finews_exit_codes(output: Path, args: tuple[str, ...], code: int) -> None:
    completed = run_scrapy("crawl", "eastmoney", "-s", f"OUTPUT_DIR={output}", "-s", "RETRY_BACKOFF=0", *args)
    assert completed.returncode == code
    assert "Traceback" not in completed.stderr


def test_scrapy_crawl_reads_the_configuration(
    sample_site: SampleSite, output: Path, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "xdg" / "finews" / "finews.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f'mirror = "{sample_site.url}"\nkeep_raw = true\n[scrapy]\nDOWNLOAD_DELAY = 5\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    completed = run_scrapy("crawl", "flash", "-s", f"OUTPUT_DIR={output}", "-s", "DOWNLOAD_DELAY=0")
    assert completed.returncode == 0, completed.stderr
    assert query("SELECT count(*) FROM raw_replies") == query("SELECT count(*) FROM articles")
    own.write_text("[scrapy]\nDOWNLOAD_DELY = 5\n")
    completed = run_scrapy("crawl", "flash", "-s", f"OUTPUT_DIR={output}")
    assert (completed.returncode, "DOWNLOAD_DELAY" in completed.stdout + completed.stderr) == (2, True)
