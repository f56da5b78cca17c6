"""What the tests of the site share: one output folder that holds old and new articles, crawled and built for real."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler import sample_site
from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.conftest import NO_MANNERS, Answer, Finews

OLD_POSTS = Path(sample_site.__file__).parent / "posts"
FIRST = "2022/01/10/2022-01-10-NW202201102242171631.html"
TREE = "_site"
REPRINT = "7000000001"


@pytest.fixture(scope="session", autouse=True)
def _jekyll() -> None:
    if shutil.which("jekyll") is None:
        pytest.skip("needs Jekyll: apt-get install jekyll")


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old site's posts, imported, and a crawl of today's with a reprint; nothing built yet. Tests take a copy."""
    output = tmp_path_factory.mktemp("crawled") / "output"
    corpus = Corpus.sample(40, newest_at=clock.now())
    listed = [article for code in corpus.codes_in_columns(["345"]) if (article := corpus.find_article(code))]
    first = max(listed, key=lambda article: len(article.content))
    later = first.published_at + timedelta(seconds=20)
    corpus.add(
        replace(first, code=f"{later:%Y%m%d}{REPRINT}", media="智通财经", title="另题：本社消息", published_at=later)
    )
    with SampleSite(corpus) as site:
        where = ("--mirror", site.url, "--output", str(output), *NO_MANNERS, "--quiet")
        words: tuple[str, ...]
        for words in (("import", str(OLD_POSTS), "--output", str(output)), ("crawl", "eastmoney", *where)):
            done = subprocess.run(
                [sys.executable, "-m", "crawler", *words], check=False, capture_output=True, text=True
            )
            assert done.returncode in {0, 3}, done.stderr
    return output


@pytest.fixture(scope="session")
def published(crawled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, built with a hot window of 30 days. Tests take a copy."""
    output = tmp_path_factory.mktemp("published") / "output"
    shutil.copytree(crawled, output)
    words = ("site", "build", "--keep-days", "30", "--output", str(output))
    subprocess.run([sys.executable, "-m", "crawler", *words], check=True, capture_output=True)
    return output


@pytest.fixture
def built(published: Path, output: Path) -> Path:
    """A copy of the published site, to be changed."""
    shutil.copytree(published, output)
    return output


@pytest.fixture
def publish(finews: Finews, output: Path) -> Callable[..., Answer]:
    """Runs `finews site WORDS…` on the output folder."""

    def run(*words: str, **environment: str) -> Answer:
        return finews("site", *words, "--output", str(output), **environment)

    return run


def jekyll(output: Path, destination: Path, **environment: str) -> Any:
    """`jekyll build`, as a user types it in the output folder."""
    return subprocess.run(
        ["jekyll", "build", "--destination", str(destination)],  # noqa: S607  # the one on the path
        cwd=output,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a built site, by place; not the record that a build keeps of itself."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".finews.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
