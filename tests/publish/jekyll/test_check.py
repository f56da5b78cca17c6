"""`finews site check`: reports each kind of problem of a built site."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import CommandResult
from tests.support.published_site import FIRST_PAGE, SITE_DIR

pytestmark = pytest.mark.jekyll


SiteChange = Callable[[Path], object]


def replace_in_page(path: str, old: str, new: str) -> SiteChange:
    def apply(site_dir: Path) -> None:
        page = site_dir / path
        text = page.read_text()
        assert old in text
        page.write_text(text.replace(old, new))

    return apply


def misdate_page(site_dir: Path) -> None:
    (site_dir / FIRST_PAGE).rename(
        site_dir / FIRST_PAGE.replace("01/10/2022-01-10", "01/09/2022-01-09").replace("01/09", "01/10", 1)
    )


def test_sound_site_has_no_faults(published_output: Path, finews: Callable[..., CommandResult]) -> None:
    result = finews("site", "check", "--output", str(published_output), "--json")
    assert result.exit_code == 0
    assert result.json["faults"] == []
    assert result.json["articles"] > 40
    assert finews("site", "check", "--quiet", "--output", str(published_output)).stdout == ""


@pytest.mark.parametrize(
    ("break_site", "kind", "path"),
    [
        (lambda tree: (tree / FIRST_PAGE).unlink(), "missing", FIRST_PAGE),
        (misdate_page, "misdated", FIRST_PAGE.replace("/2022-01-10", "/2022-01-09")),
        (lambda tree: (tree / FIRST_PAGE).write_bytes(b""), "empty", FIRST_PAGE),
        (lambda tree: (tree / FIRST_PAGE).write_bytes(b"<html><body> </body></html>"), "empty", FIRST_PAGE),
        (replace_in_page(FIRST_PAGE, "<h1>山西运城", "<h1>山东运城"), "different", FIRST_PAGE),
        (replace_in_page(FIRST_PAGE, 'datetime="2022-01-10T16', 'datetime="2022-01-11T00'), "different", FIRST_PAGE),
        (replace_in_page("404.html", 'href="/search.html"', 'href="/serach.html"'), "broken link", "404.html"),
        (replace_in_page("feed.xml", "</feed>", ""), "feed", "feed.xml"),
        (replace_in_page("feed.xml", "<updated>", "<modified>"), "feed", "feed.xml"),
        (lambda tree: (tree / "feed.xml").unlink(), "feed", "feed.xml"),
        (lambda tree: (tree / "assets/site.css").unlink(), "broken link", "2021/12/08/2021-12-08-NW202112082206672930.html"),
    ],
)  # fmt: skip
def test_each_fault_is_reported(
    published_copy: Path, run_site: Callable[..., CommandResult], break_site: SiteChange, kind: str, path: str
) -> None:
    break_site(published_copy / SITE_DIR)
    result = run_site("check", "--json")
    assert result.exit_code == 1
    assert (kind, path) in [(fault["kind"], fault["path"]) for fault in json.loads(result.stdout)["faults"]]
    assert f"{kind}: {path}" in run_site("check").stdout


def test_check_of_unbuilt_site_says_how_to_build(crawled_output: Path, finews: Callable[..., CommandResult]) -> None:
    result = finews("site", "check", "--output", str(crawled_output))
    assert result.exit_code == 1
    assert "run `finews site build`" in result.stderr
