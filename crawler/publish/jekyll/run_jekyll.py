"""Jekyll runner: renders a part of the site from a temporary folder with the theme and the sources to render.

Jekyll renders everything in its source folder at each build. It gets only the changed sources, in batches, since its
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

# The reprints of posts, by the slug of the post.
ReprintsBySlug = Mapping[str, Sequence[Mapping[str, str]]]

SOURCES_PER_RUN = 1_000

_MAX_ERROR_CHARS = 400
# Messages of the operating system with which Ruby and Jekyll report a file that they could not read.
_SYSTEM_ERRORS = "|".join(re.escape(os.strerror(number)) for number in errno.errorcode if number != errno.ENOENT)
_UNREAD = re.compile(
    rf"^.*?(?:: warning: |Error reading file |could not read file )(.*(?:{_SYSTEM_ERRORS}).*)$",
    re.MULTILINE,
)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_NO_MESSAGE = re.compile(r": warning: |^\s+from |^\s*Jekyll [\d.]+ +Please append|^\s*for any additional information")
# Names that are not theme or pages: Jekyll ignores them, or they are staged separately.
_NAMES_NOT_STAGED = {"_posts", "_frozen", "_site", "_data", "node_modules", "vendor"}


@contextmanager
def render_sources(output: Path, sources: Mapping[str, Path | bytes], reprints: ReprintsBySlug) -> Iterator[Path]:
    """Render these sources, with the layouts, includes and data of the site, and yield the folder of pages.

    `sources` are files or their content, by path in the site. The folder is removed at the end. Raises FatalError.
    """
    with as_output_error(output), unfinished_folder(output) as folder:
        stage, rendered_dir = folder / "source", folder / "tree"
        theme_files = [path for name in (*list_theme_folders(output), "_data") for path in list_files(output, name)]
        for path, source in {**{path: output / path for path in theme_files}, **sources}.items():
            if isinstance(source, bytes):
                write_if_changed(stage / path, source)
            else:
                _link_or_copy(source, stage / path)
        write_data_file(stage, "reprints", reprints)
        _run_jekyll(output, stage, rendered_dir)
        yield rendered_dir


@contextmanager
def render_whole_site(output: Path) -> Iterator[Path]:
    """Render the whole output folder, and yield the folder of pages, which is removed at the end. Raises FatalError."""
    with as_output_error(output), unfinished_folder(output) as folder:
        _run_jekyll(output, output, folder / "tree")
        yield folder / "tree"


def split_batches(sources: Iterable[str]) -> Iterator[list[str]]:
    """Yield the sources in batches that Jekyll renders quickly; one empty batch if there are none."""
    remaining = iter(sources)
    yield list(islice(remaining, SOURCES_PER_RUN))
    while batch := list(islice(remaining, SOURCES_PER_RUN)):
        yield batch


def list_theme_folders(output: Path) -> list[str]:
    """Return the names with an underscore that Jekyll reads: configuration, layouts, includes, plugins, collections."""
    return [name for name in _list_visible_names(output) if name.startswith("_") and name not in _NAMES_NOT_STAGED]


def list_top_level_sources(output: Path) -> list[str]:
    """Return the files and folders at the top of the site that hold pages of finews, the theme or the user."""
    return [
        name
        for name in _list_visible_names(output)
        if not name.startswith("_") and name not in _NAMES_NOT_STAGED and not name.startswith("news.db")
    ]


def _list_visible_names(output: Path) -> list[str]:
    with as_output_error(output, "read"):
        return sorted(path.name for path in output.iterdir() if not path.name.startswith("."))


def _link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link to a file, or a copy where the file system has no hard links."""
    with as_output_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copy_file(source, target)


def _run_jekyll(output: Path, source: Path, destination: Path) -> None:
    """Run `jekyll build` in the output folder, so its Gemfile is used, and in UTF-8, which cron does not set.

    Jekyll skips files that it cannot read, with a warning at most. Raises FatalError for such a warning too.
    """
    command = ["jekyll", "build", "--source", str(source.resolve()), "--destination", str(destination.resolve())]
    # Without --config, an unreadable configuration counts as missing.
    command += ["--config", str(source.resolve() / CONFIG_FILE), "--disable-disk-cache"]
    environment = {"JEKYLL_ENV": "production", **os.environ, "LC_ALL": "C.UTF-8", "JEKYLL_LOG_LEVEL": "warn"}
    # Ruby skips unreadable folders, and warns about them only at this level.
    environment["RUBYOPT"] = f"{os.environ.get('RUBYOPT', '')} -W2".strip()
    try:
        process = subprocess.run(
            command, cwd=output, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise FatalError("Jekyll is not installed: run `apt-get install jekyll` or `gem install jekyll`") from error
    text = _COLOUR.sub("", process.stderr or process.stdout).replace(f"{source.resolve()}/", "")
    if unread := _UNREAD.search(text):
        raise FatalError(f"Jekyll cannot read a source of the site: {unread[1].strip()}")
    if process.returncode:
        raise FatalError(f"Jekyll cannot build the site: {_extract_error(text)}")


def _extract_error(text: str) -> str:
    """Return Jekyll's error message, without its banner, Ruby's warnings and the traceback."""
    lines = (line.strip() for line in text.splitlines() if not _NO_MESSAGE.search(line))
    messages = [line for line in lines if line and not set(line) <= set("-= ")]
    return " ".join(messages)[:_MAX_ERROR_CHARS] or "it prints no reason"
