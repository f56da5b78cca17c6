"""Output folder: opening and closing."""

from datetime import datetime
from pathlib import Path

import pytest

from crawler.errors import OutputLockedError, StoreError
from crawler.storage import Store
from crawler.storage.output_dir import OutputDir

NOW = datetime.fromisoformat("2022-01-10T16:20:36+08:00")


def is_locked(path: Path) -> bool:
    try:
        with OutputDir.lock(path):
            return False
    except OutputLockedError:
        return True


def test_output_dir_is_created_and_locked_until_closed(tmp_path: Path) -> None:
    path = tmp_path / "new"
    out = OutputDir.open_for_writing(path, address="//news.example")
    assert (out.path, out.links.address, out.db.articles.count()) == (path, "//news.example", 0)
    assert is_locked(path)
    with pytest.raises(OutputLockedError, match="another crawl of"):
        OutputDir.open_for_writing(path)
    out.close()
    out.close()
    assert not is_locked(path)


def test_required_output_dir_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no finews database"):
        OutputDir.open_for_writing(tmp_path / "none", must_exist=True)
    assert not (tmp_path / "none").exists()


def test_error_while_opening_releases_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_out: OutputDir, _now: datetime) -> None:
        raise StoreError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr("crawler.storage.output_dir.recover_interrupted_crawl", fail)
        with pytest.raises(StoreError, match="disk I/O error"):
            OutputDir.open_for_writing(tmp_path)
    assert not is_locked(tmp_path)
    (tmp_path / "news.db").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError):
        OutputDir.open_for_writing(tmp_path)
    assert not is_locked(tmp_path)


def test_opening_recovers_an_interrupted_crawl_unless_told_not_to(tmp_path: Path) -> None:
    with OutputDir.open_for_writing(tmp_path) as out:
        run_id = out.db.runs.start("eastmoney", {}, NOW)
    with OutputDir.open_for_writing(tmp_path, recover=False) as out:
        assert out.db.runs.open_run_ids() == [run_id]
    with OutputDir.lock(tmp_path), OutputDir.open_for_writing(tmp_path, already_locked=True) as out:
        assert out.db.runs.open_run_ids() == []
        assert is_locked(tmp_path)


def test_reader_takes_no_lock(tmp_path: Path) -> None:
    Store.open_rw(tmp_path).close()
    with OutputDir.lock(tmp_path), OutputDir.open_for_reading(tmp_path, address="//news.example") as out:
        assert (out.db.articles.count(), out.links.address) == (0, "//news.example")
