"""One output folder with old and new articles, crawled and built: created once for each test process."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from crawler.content import clock
from crawler.sample_site import Corpus, SampleSite
from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, CommandResult

FIRST_PAGE = "2022/01/10/2022-01-10-NW202201102242171631.html"
SITE_DIR = "_site"
REPRINT_CODE_SUFFIX = "7000000001"


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
    """Import the old site's posts and crawl today's articles; the site is not built."""
    output = base_dir / "crawled" / "output"
    with SampleSite(make_corpus()) as sample_site:
        target_args = ("--mirror", sample_site.url, "--output", str(output), *FAST_SETTINGS, "--quiet")
        args: tuple[str, ...]
        for args in (("import", str(LEGACY_POSTS_DIR), "--output", str(output)), ("crawl", "eastmoney", *target_args)):
            result = run_finews(*args)
            assert result.exit_code in {0, 3}, result.stderr
    return output


@cache
def make_published_output(base_dir: Path) -> Path:
    """Build the site of the crawled output with the posts of 30 days; older months are archived."""
    output = base_dir / "published" / "output"
    shutil.copytree(make_crawled_output(base_dir), output)
    result = run_finews("site", "build", "--keep-days", "30", "--output", str(output))
    assert result.exit_code == 0, result.stderr
    return output


def run_jekyll(output: Path, destination: Path, **environment: str) -> Any:
    """Run `jekyll build` in the output folder, as a user does."""
    return subprocess.run(
        ["jekyll", "build", "--destination", str(destination)],  # noqa: S607  # the one on the path
        cwd=output,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def read_site_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a built site by path, without the record of the build."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".finews.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


SiteCommand = Callable[..., CommandResult]
