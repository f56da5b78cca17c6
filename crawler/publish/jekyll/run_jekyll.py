"""Jekyll runner: renders a part of the site, in a stage that holds the theme's layouts and the sources to render.

Jekyll itself renders everything at each build. What it is shown here is only what has changed, in portions, since its
time grows faster than their number: 1,000 posts take seconds, 10,000 take minutes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from crawler.errors import FatalError
from crawler.publish.jekyll.files import as_output_error, copy_file
from crawler.publish.jekyll.pages import write_data_file

# By the slug of a post.
ReprintsBySlug = Mapping[str, Sequence[Mapping[str, str]]]

SOURCES_PER_RUN = 1_000

_STAGE_PREFIX = ".stage-"
_MAX_ERROR_CHARS = 400
# Not a part of any site: what Jekyll passes over, and what has a stage of its own.
_NAMES_NOT_STAGED = {"_posts", "_frozen", "_site", "_data", "node_modules", "vendor"}


@contextmanager
def render_sources(output: Path, sources: Iterable[str], reprints: ReprintsBySlug) -> Iterator[Path]:
    """The tree of pages that Jekyll makes of these sources, which goes at the end.

    Layouts, includes and data of the site are always there; `reprints` are those of the posts. Raises FatalError.
    """
    with tempfile.TemporaryDirectory(prefix=_STAGE_PREFIX, dir=output) as temp_dir:
        stage, rendered_dir = Path(temp_dir, "source"), Path(temp_dir, "tree")
        with as_output_error(stage):
            for path in (*_theme_files(output), *sources):
                _link_or_copy(output / path, stage / path)
        write_data_file(stage, "reprints", reprints)
        _run_jekyll(output, stage, rendered_dir)
        yield rendered_dir


@contextmanager
def render_whole_site(output: Path) -> Iterator[Path]:
    """The tree that Jekyll makes of the whole output folder, which goes at the end. Raises FatalError."""
    with tempfile.TemporaryDirectory(prefix=_STAGE_PREFIX, dir=output) as temp_dir:
        _run_jekyll(output, output, Path(temp_dir, "tree"))
        yield Path(temp_dir, "tree")


def remove_leftover_stages(output: Path) -> None:
    """Remove the stages that a killed build left."""
    for stage in output.glob(f"{_STAGE_PREFIX}*"):
        shutil.rmtree(stage, ignore_errors=True)


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
    """The pages at the top of the site, the theme's pages and the user's own: rendered at every build."""
    return [
        name
        for name in _list_visible_names(output)
        if not name.startswith("_") and name not in _NAMES_NOT_STAGED and not name.startswith("news.db")
    ]


def list_files(output: Path, name: str) -> list[str]:
    """A file, or all files below a folder, by their paths from the output folder."""
    root = output / name
    if not root.is_dir():
        return [name] if root.exists() else []
    prefix_length = len(str(root)) - len(name)
    return sorted(
        f"{directory}/{file_name}"[prefix_length:]
        for directory, _, file_names in os.walk(root)
        for file_name in file_names
    )


def _theme_files(output: Path) -> Iterator[str]:
    for name in (*list_theme_folders(output), "_data"):
        yield from list_files(output, name)


def _list_visible_names(output: Path) -> list[str]:
    return sorted(path.name for path in output.iterdir() if not path.name.startswith("."))


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, where the disk has such."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copy_file(source, target)


def _run_jekyll(output: Path, source: Path, destination: Path) -> None:
    """Jekyll in the output folder, whose Gemfile it uses, and in UTF-8 also where cron says nothing of it."""
    command = ["jekyll", "build", "--source", str(source.resolve()), "--destination", str(destination.resolve())]
    environment = {"JEKYLL_ENV": "production", **os.environ, "LC_ALL": "C.UTF-8"}
    try:
        process = subprocess.run(
            [*command, "--disable-disk-cache", "--quiet"],
            cwd=output,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise FatalError("there is no Jekyll here: `apt-get install jekyll`, or `gem install jekyll`") from error
    if process.returncode:
        raise FatalError(f"Jekyll cannot build the site: {_extract_error(process.stderr or process.stdout, source)}")


def _extract_error(text: str, source: Path) -> str:
    """What Jekyll says, without the frame that it draws around it and the place of the stage."""
    lines = (line.strip() for line in text.replace(f"{source.resolve()}/", "").splitlines())
    messages = [line for line in lines if line and not set(line) <= set("-= ")]
    return " ".join(messages)[:_MAX_ERROR_CHARS] or "it does not say why"
