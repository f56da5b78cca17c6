"""Files of the site: whole or not at all, and written only when they change."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.publish.jekyll.files import write_chunks_if_changed, write_if_changed


def test_a_file_that_says_the_same_is_not_written_again(tmp_path: Path) -> None:
    whole, in_parts = tmp_path / "whole.json", tmp_path / "below" / "parts.json"
    for _ in range(2):
        write_if_changed(whole, b"[1, 2]")
        write_chunks_if_changed(in_parts, iter([b"[1", b", 2]"]))
    assert [whole.read_bytes(), in_parts.read_bytes()] == [b"[1, 2]"] * 2
    first = [path.stat().st_ino for path in (whole, in_parts)]
    write_if_changed(whole, b"[1, 2]")
    write_chunks_if_changed(in_parts, [b"[1, 2]"])
    assert [path.stat().st_ino for path in (whole, in_parts)] == first
    write_chunks_if_changed(in_parts, [b"[1]"])
    assert in_parts.read_bytes() == b"[1]"
    assert in_parts.stat().st_ino != first[1]


def test_what_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("no more")

    target = tmp_path / "parts.json"
    write_chunks_if_changed(target, [b"old"])
    with pytest.raises(RuntimeError):
        write_chunks_if_changed(target, parts())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"parts.json": b"old"}
