"""`finews site check`: each thing that can be wrong with a built site is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Answer
from tests.published.conftest import FIRST, TREE

Harm = Callable[[Path], object]


def _replace(place: str, old: str, new: str) -> Harm:
    def harm(tree: Path) -> None:
        page = tree / place
        text = page.read_text()
        assert old in text
        page.write_text(text.replace(old, new))

    return harm


def _move(tree: Path) -> None:
    (tree / FIRST).rename(tree / FIRST.replace("01/10/2022-01-10", "01/09/2022-01-09").replace("01/09", "01/10", 1))


def test_a_good_site_has_no_faults(published: Path, finews: Callable[..., Answer]) -> None:
    answer = finews("site", "check", "--output", str(published), "--json")
    assert answer.code == 0
    assert answer.value["faults"] == []
    assert answer.value["articles"] > 40
    assert finews("site", "check", "--quiet", "--output", str(published)).out == ""


@pytest.mark.parametrize(
    ("harm", "kind", "path"),
    [
        (lambda tree: (tree / FIRST).unlink(), "missing", FIRST),
        (_move, "misdated", FIRST.replace("/2022-01-10", "/2022-01-09")),
        (lambda tree: (tree / FIRST).write_bytes(b""), "empty", FIRST),
        (lambda tree: (tree / FIRST).write_bytes(b"<html><body> </body></html>"), "empty", FIRST),
        (_replace(FIRST, "<h1>山西运城", "<h1>山东运城"), "different", FIRST),
        (_replace(FIRST, 'datetime="2022-01-10T16', 'datetime="2022-01-11T00'), "different", FIRST),
        (_replace("404.html", 'href="/search.html"', 'href="/serach.html"'), "broken link", "404.html"),
        (_replace("feed.xml", "</feed>", ""), "feed", "feed.xml"),
        (_replace("feed.xml", "<updated>", "<modified>"), "feed", "feed.xml"),
        (lambda tree: (tree / "feed.xml").unlink(), "feed", "feed.xml"),
        (lambda tree: (tree / "assets/site.css").unlink(), "broken link", "2021/12/08/2021-12-08-NW202112082206672930.html"),
    ],
)  # fmt: skip
def test_each_fault_is_named(built: Path, publish: Callable[..., Answer], harm: Harm, kind: str, path: str) -> None:
    harm(built / TREE)
    answer = publish("check", "--json")
    assert answer.code == 1
    assert (kind, path) in [(fault["kind"], fault["path"]) for fault in json.loads(answer.out)["faults"]]
    assert f"{kind}: {path}" in publish("check").out


def test_a_site_that_is_not_built_is_told(crawled: Path, finews: Callable[..., Answer]) -> None:
    answer = finews("site", "check", "--output", str(crawled))
    assert answer.code == 1
    assert "`finews site build` makes it" in answer.err
