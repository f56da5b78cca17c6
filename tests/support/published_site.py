"""One output folder that holds old and new articles, crawled and built for real: made once in a process."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.commands import FAST_SETTINGS, CommandResult

FIRST_PAGE = "2022/01/10/2022-01-10-NW202201102242171631.html"
SITE_DIR = "_site"
REPRINT_CODE_SUFFIX = "7000000001"


def skip_without_jekyll() -> None:
    if shutil.which("jekyll") is None:
        pytest.skip("needs Jekyll: apt-get install jekyll")


@cache
def make_corpus() -> Corpus:
    """Return today's articles, with a reprint."""
    corpus = Corpus.sample(40, newest_at=clock.now())
    listed_articles = [article for code in corpus.codes_in_columns(["345"]) if (article := corpus.find_article(code))]
    longest_article = max(listed_articles, key=lambda article: len(article.content))
    reprint_time = longest_article.published_at + timedelta(seconds=20)
    corpus.add(
        replace(
            longest_article,
            code=f"{reprint_time:%Y%m%d}{REPRINT_CODE_SUFFIX}",
            media="智通财经",
            title="另题：本社消息",
            published_at=reprint_time,
        )
    )
    return corpus


@cache
def make_crawled_output(base_dir: Path) -> Path:
    """Import the old site's posts and crawl today's, in a folder of this process; nothing is built yet."""
    output = base_dir / "crawled" / "output"
    with SampleSite(make_corpus()) as sample_site:
        target_args = ("--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
        args: tuple[str, ...]
        for args in (("import", str(LEGACY_POSTS_DIR), "--output", str(output)), ("crawl", "eastmoney", *target_args)):
            completed = subprocess.run(
                [sys.executable, "-m", "crawler", *args], check=False, capture_output=True, text=True
            )
            assert completed.returncode in {0, 3}, completed.stderr
    return output


@cache
def make_published_output(base_dir: Path) -> Path:
    """Build the same with a hot window of 30 days."""
    skip_without_jekyll()
    output = base_dir / "published" / "output"
    shutil.copytree(make_crawled_output(base_dir), output)
    args = ("site", "build", "--keep-days", "30", "--output", str(output))
    subprocess.run([sys.executable, "-m", "crawler", *args], check=True, capture_output=True)
    return output


def run_jekyll(output: Path, destination: Path, **environment: str) -> Any:
    """`jekyll build`, as a user types it in the output folder."""
    return subprocess.run(
        ["jekyll", "build", "--destination", str(destination)],  # noqa: S607  # the one on the path
        cwd=output,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def read_site_files(folder: Path) -> dict[str, bytes]:
    """All files of a built site, by place; not the record that a build keeps of itself."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".finews.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


SiteCommand = Callable[..., CommandResult]
