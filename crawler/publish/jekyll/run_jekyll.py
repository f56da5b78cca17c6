"""Jekyll runner: renders a part of the site, in a stage that holds the theme's layouts and the sources to render.

Jekyll itself renders everything at each build. What it is shown here is only what has changed, in portions, since its
time grows faster than their number: 1,000 posts take seconds, 10,000 take minutes.
"""

import errno
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from crawler.errors import FatalError
from crawler.publish.jekyll.files import as_output_error, copy_file, list_files, write_if_changed
from crawler.publish.jekyll.pages import write_data_file
from crawler.storage.site_links import CONFIG_FILE
from crawler.storage.unfinished import unfinished_folder

# By the slug of a post.
ReprintsBySlug = Mapping[str, Sequence[Mapping[str, str]]]

SOURCES_PER_RUN = 1_000

_MAX_ERROR_CHARS = 400
# How Ruby and Jekyll say that the disk refused something: in the words of the system.
_SYSTEM_ERRORS = "|".join(re.escape(os.strerror(number)) for number in errno.errorcode if number != errno.ENOENT)
_UNREAD = re.compile(
    rf"^.*?(?:: warning: |Error reading file |could not read file )(.*(?:{_SYSTEM_ERRORS}).*)$",
    re.MULTILINE,
)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_NO_MESSAGE = re.compile(r": warning: |^\s+from |^\s*Jekyll [\d.]+ +Please append|^\s*for any additional information")
# Not a part of any site: what Jekyll passes over, and what has a stage of its own.
_NAMES_NOT_STAGED = {"_posts", "_frozen", "_site", "_data", "node_modules", "vendor"}


@contextmanager
def render_sources(output: Path, sources: Mapping[str, Path | bytes], reprints: ReprintsBySlug) -> Iterator[Path]:
    """The tree of pages that Jekyll makes of these sources, which goes at the end.

    A source is a file or its content, by its path in the site. Layouts, includes and data of the site are always there;
    `reprints` are those of the posts. Raises FatalError.
    """
    with as_output_error(output), unfinished_folder(output) as folder:
        stage, rendered_dir = folder / "source", folder / "tree"
        for path, source in {**{path: output / path for path in _theme_files(output)}, **sources}.items():
            if isinstance(source, bytes):
                write_if_changed(stage / path, source)
            else:
                _link_or_copy(source, stage / path)
        write_data_file(stage, "reprints", reprints)
        _run_jekyll(output, stage, rendered_dir)
        yield rendered_dir


@contextmanager
def render_whole_site(output: Path) -> Iterator[Path]:
    """The tree that Jekyll makes of the whole output folder, which goes at the end. Raises FatalError."""
    with as_output_error(output), unfinished_folder(output) as folder:
        _run_jekyll(output, output, folder / "tree")
        yield folder / "tree"


def split_batches(sources: Iterable[str]) -> Iterator[list[str]]:
    """The sources in portions that Jekyll renders quickly; one empty portion when there are none."""
    remaining = iter(sources)
    yield list(islice(remaining, SOURCES_PER_RUN))
    while batch := list(islice(remaining, SOURCES_PER_RUN)):
        yield batch


def list_theme_folders(output: Path) -> list[str]:
    """The folders that Jekyll reads in addition to pages: layouts, includes, others that begin with an underscore."""
    return [name for name in _list_visible_names(output) if name.startswith("_") and name not in _NAMES_NOT_STAGED]


def list_top_level_sources(output: Path) -> list[str]:
    """The pages at the top of the site, the theme's pages and the user's own."""
    return [
        name
        for name in _list_visible_names(output)
        if not name.startswith("_") and name not in _NAMES_NOT_STAGED and not name.startswith("news.db")
    ]


def _theme_files(output: Path) -> Iterator[str]:
    for name in (*list_theme_folders(output), "_data"):
        yield from list_files(output, name)


def _list_visible_names(output: Path) -> list[str]:
    with as_output_error(output, "read"):
        return sorted(path.name for path in output.iterdir() if not path.name.startswith("."))


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, where the disk has such."""
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copy_file(source, target)


def _run_jekyll(output: Path, source: Path, destination: Path) -> None:
    """Jekyll in the output folder, whose Gemfile it uses, and in UTF-8 also where cron says nothing of it.

    What it cannot read it leaves out, and says so in a warning at most: that is an error here.
    """
    command = ["jekyll", "build", "--source", str(source.resolve()), "--destination", str(destination.resolve())]
    # By itself it takes a configuration that it cannot read for none.
    command += ["--config", str(source.resolve() / CONFIG_FILE), "--disable-disk-cache"]
    environment = {"JEKYLL_ENV": "production", **os.environ, "LC_ALL": "C.UTF-8", "JEKYLL_LOG_LEVEL": "warn"}
    # Ruby passes over folders that it cannot read, and warns of them when it warns of everything.
    environment["RUBYOPT"] = f"{os.environ.get('RUBYOPT', '')} -W2".strip()
    try:
        process = subprocess.run(
            command, cwd=output, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise FatalError("there is no Jekyll here: `apt-get install jekyll`, or `gem install jekyll`") from error
    text = _COLOUR.sub("", process.stderr or process.stdout).replace(f"{source.resolve()}/", "")
    if unread := _UNREAD.search(text):
        raise FatalError(f"Jekyll cannot read what the site is made of: {unread[1].strip()}")
    if process.returncode:
        raise FatalError(f"Jekyll cannot build the site: {_extract_error(text)}")


def _extract_error(text: str) -> str:
    """What Jekyll says, without its banner, Ruby's warnings and the places in its own code."""
    lines = (line.strip() for line in text.splitlines() if not _NO_MESSAGE.search(line))
    messages = [line for line in lines if line and not set(line) <= set("-= ")]
    return " ".join(messages)[:_MAX_ERROR_CHARS] or "it does not say why"
