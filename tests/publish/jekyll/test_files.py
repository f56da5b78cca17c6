"""Files of the site: written atomically, and only when they change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.publish.jekyll.files import write_chunks_if_changed, write_if_changed


def test_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    single_file, chunked_file = tmp_path / "whole.json", tmp_path / "below" / "parts.json"
    for _ in range(2):
        write_if_changed(single_file, b"[1, 2]")
        write_chunks_if_changed(chunked_file, iter([b"[1", b", 2]"]))
    assert [single_file.read_bytes(), chunked_file.read_bytes()] == [b"[1, 2]"] * 2
    inodes = [path.stat().st_ino for path in (single_file, chunked_file)]
    write_if_changed(single_file, b"[1, 2]")
    write_chunks_if_changed(chunked_file, [b"[1, 2]"])
    assert [path.stat().st_ino for path in (single_file, chunked_file)] == inodes
    write_chunks_if_changed(chunked_file, [b"[1]"])
    assert chunked_file.read_bytes() == b"[1]"
    assert chunked_file.stat().st_ino != inodes[1]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    def failing_chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("no more")

    target = tmp_path / "parts.json"
    write_chunks_if_changed(target, [b"old"])
    with pytest.raises(RuntimeError):
        write_chunks_if_changed(target, failing_chunks())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"parts.json": b"old"}
