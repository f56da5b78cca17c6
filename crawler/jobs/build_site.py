"""The published site of an output folder: built, and checked."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from crawler.content import clock
from crawler.content.post_format import Site
from crawler.publish.jekyll import config, pages, theme_installer
from crawler.publish.jekyll.build import Built, build
from crawler.publish.jekyll.check import Checked, check
from crawler.storage import Store
from crawler.storage.output_dir import hold, prepare
from crawler.storage.recovery import finish_what_was_left


@dataclass(frozen=True, slots=True)
class Published:
    """A build, and the files of the frame that the user has changed."""

    built: Built
    kept: list[str]


def build_site(output: Path, site: Site, keep_days: int | None, *, everything: bool) -> Published:
    """Bring frame, pages and `_site` up to date; `keep_days` goes before that of `_config.yml`.

    Raises Busy while a crawl runs, and Failed.
    """
    Store.reading(output).close()  # there is one, or the reader is told
    prepare(output)
    with hold(output), Store.writing(output) as store:
        finish_what_was_left(output, store, site, clock.now())
        store.stories.catch_up()
        kept = theme_installer.install(output, site)
        pages.keep_current(output, store)
        told = config.read(output)
        days = told.keep_days if keep_days is None else keep_days
        before = None if days is None else (clock.now() - timedelta(days=days)).date()
        return Published(build(output, store, told, before, everything=everything), kept)


def check_site(output: Path, site: Site) -> Checked:
    """Is the built site what it should be? Changes nothing. Raises Failed."""
    with Store.reading(output) as store:
        return check(output, store, site, config.read(output))
