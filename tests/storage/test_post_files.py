"""Post files: their paths, and atomic writing."""

import os
import stat
from datetime import datetime
from pathlib import Path

import pytest

from crawler.content.dates import CHINA_TZ
from crawler.content.post_format import make_post_path
from crawler.errors import OutputError
from crawler.storage.post_files import write_posts
from tests.support.articles import create_post
from tests.support.stored_articles import POST_PATH

POST_NAME = Path(POST_PATH).name


@pytest.mark.parametrize(
    ("code", "moment", "expected"),
    [
        (
            "202201102242171631",
            datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ),
            "_posts/2022/01/10/2022-01-10-NW202201102242171631.md",
        ),
        (
            "202609183878840472",
            datetime(2026, 9, 19, 1, 9, 8, tzinfo=CHINA_TZ),
            "_posts/2026/09/19/2026-09-19-NW202609183878840472.md",
        ),
        (
            "20260702101113747001360",
            datetime(2026, 7, 2, 0, 0, tzinfo=CHINA_TZ),
            "_posts/2026/07/02/2026-07-02-NW20260702101113747001360.md",
        ),
    ],
    ids=["first post", "dated after the day of its code", "blog post"],
)
def test_post_path_has_day_and_code(code: str, moment: datetime, expected: str) -> None:
    assert make_post_path(create_post(code=code, published_at=moment)) == expected


def file_names(folder: Path) -> list[str]:
    """Return the names of all files, hidden ones included."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "output"


def test_write_post_creates_folders(folder: Path) -> None:
    write_posts(folder, {POST_PATH: "正文\r\n\ud7ff"})
    assert (folder / POST_PATH).read_bytes() == "正文\r\n\ud7ff".encode()
    assert file_names((folder / POST_PATH).parent) == [POST_NAME]


def test_write_post_replaces_the_old_post(folder: Path) -> None:
    write_posts(folder, {POST_PATH: "old and much longer"})
    write_posts(folder, {POST_PATH: "new"})
    assert (folder / POST_PATH).read_text("utf-8") == "new"
    assert file_names((folder / POST_PATH).parent) == [POST_NAME]


def test_open_reader_keeps_reading_the_old_post(folder: Path) -> None:
    write_posts(folder, {POST_PATH: "old"})
    with (folder / POST_PATH).open(encoding="utf-8") as reader:
        write_posts(folder, {POST_PATH: "new"})
        assert reader.read() == "old"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002, 0o027])
def test_post_file_has_the_permissions_of_the_umask(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_posts(folder, {POST_PATH: "x"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / POST_PATH).stat().st_mode) == 0o666 & ~umask


def test_symbolic_link_is_replaced_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    (folder / POST_PATH).parent.mkdir(parents=True)
    (folder / POST_PATH).symlink_to(elsewhere)
    write_posts(folder, {POST_PATH: "x"})
    assert elsewhere.read_text() == "untouched"
    assert not (folder / POST_PATH).is_symlink()
    assert (folder / POST_PATH).read_text() == "x"


def test_file_in_place_of_folder_is_an_output_error(folder: Path) -> None:
    folder.mkdir()
    (folder / "_posts").write_text("a file")
    with pytest.raises(OutputError, match=rf"^cannot write .*{POST_NAME}: "):
        write_posts(folder, {POST_PATH: "x"})
    assert (folder / "_posts").read_text() == "a file"


def test_folder_in_place_of_post_is_an_output_error(folder: Path) -> None:
    (folder / POST_PATH / "b").mkdir(parents=True)
    with pytest.raises(OutputError, match=rf"^cannot write .*{POST_NAME}: "):
        write_posts(folder, {POST_PATH: "x"})
    assert file_names((folder / POST_PATH).parent) == [POST_NAME]


@pytest.mark.parametrize(
    "path",
    ["news.db", "../x.md", "_posts/../x.md", f"{POST_PATH}/x", POST_PATH.replace("_posts", "posts"), "_posts/a.md", ""],
)
def test_nothing_but_posts_is_written(folder: Path, path: str) -> None:
    with pytest.raises(OutputError, match="not the path of a post"):
        write_posts(folder, {POST_PATH: "x", path: "x"})
    assert not folder.exists()


def test_unencodable_text_leaves_the_old_post(folder: Path) -> None:
    write_posts(folder, {POST_PATH: "old"})
    with pytest.raises(UnicodeEncodeError):
        write_posts(folder, {POST_PATH: "half a character \ud83d"})
    assert (folder / POST_PATH).read_text() == "old"
    assert file_names((folder / POST_PATH).parent) == [POST_NAME]
