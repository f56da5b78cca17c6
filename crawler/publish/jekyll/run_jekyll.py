"""Jekyll, run on a part of the site: a stage that holds the frame's layouts and the sources that are to be rendered.

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

from crawler.errors import Failed
from crawler.publish.jekyll.files import copy, errors_told
from crawler.publish.jekyll.pages import write_data

# By the slug of a post.
Reprints = Mapping[str, Sequence[Mapping[str, str]]]

PORTION = 1_000

_STAGE = ".stage-"
_LONGEST_COMPLAINT = 400
# Not a part of any site: what Jekyll passes over, and what has a stage of its own.
_NOT_STAGED = {"_posts", "_frozen", "_site", "_data", "node_modules", "vendor"}


@contextmanager
def rendered(output: Path, sources: Iterable[str], reprints: Reprints) -> Iterator[Path]:
    """The tree of pages that Jekyll makes of these sources, which goes at the end.

    Layouts, includes and data of the site are always there; `reprints` are those of the posts. Raises Failed.
    """
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=output) as folder:
        stage, tree = Path(folder, "source"), Path(folder, "tree")
        with errors_told(stage):
            for path in (*_skeleton(output), *sources):
                _show(output / path, stage / path)
        write_data(stage, "reprints", reprints)
        _run(output, stage, tree)
        yield tree


@contextmanager
def rendered_whole(output: Path) -> Iterator[Path]:
    """The tree that Jekyll makes of all that stands in the output folder, which goes at the end. Raises Failed."""
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=output) as folder:
        _run(output, output, Path(folder, "tree"))
        yield Path(folder, "tree")


def sweep(output: Path) -> None:
    """Remove the stages that a killed build left."""
    for left in output.glob(f"{_STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)


def portions(sources: Iterable[str]) -> Iterator[list[str]]:
    """The sources in portions that Jekyll renders quickly; one empty portion when there are none."""
    rest = iter(sources)
    yield list(islice(rest, PORTION))
    while portion := list(islice(rest, PORTION)):
        yield portion


def skeleton_folders(output: Path) -> list[str]:
    """The folders that Jekyll reads beside pages: layouts, includes, and whatever else begins with an underscore."""
    return [name for name in _names(output) if name.startswith("_") and name not in _NOT_STAGED]


def fixed_sources(output: Path) -> list[str]:
    """What stands at the top of the site, the frame's pages and the user's own: rendered at every build."""
    return [
        name
        for name in _names(output)
        if not name.startswith("_") and name not in _NOT_STAGED and not name.startswith("news.db")
    ]


def files_of(output: Path, name: str) -> list[str]:
    """A file, or all files below a folder, by their paths from the output folder."""
    top = output / name
    if not top.is_dir():
        return [name] if top.exists() else []
    skip = len(str(top)) - len(name)
    return sorted(f"{parent}/{each}"[skip:] for parent, _, names in os.walk(top) for each in names)


def _skeleton(output: Path) -> Iterator[str]:
    for name in (*skeleton_folders(output), "_data"):
        yield from files_of(output, name)


def _names(output: Path) -> list[str]:
    return sorted(path.name for path in output.iterdir() if not path.name.startswith("."))


def _show(source: Path, target: Path) -> None:
    """A second name for a file, where the disk has such."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        copy(source, target)


def _run(output: Path, stage: Path, tree: Path) -> None:
    """Jekyll in the output folder, whose Gemfile it heeds, and in UTF-8 also where cron says nothing of it."""
    words = ["jekyll", "build", "--source", str(stage.resolve()), "--destination", str(tree.resolve())]
    environment = {"JEKYLL_ENV": "production", **os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [*words, "--disable-disk-cache", "--quiet"],
            cwd=output,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed("there is no Jekyll here: `apt-get install jekyll`, or `gem install jekyll`") from error
    if done.returncode:
        raise Failed(f"Jekyll cannot build the site: {_complaint(done.stderr or done.stdout, stage)}")


def _complaint(text: str, stage: Path) -> str:
    """What Jekyll says, without the frame that it draws around it and the place of the stage."""
    lines = (line.strip() for line in text.replace(f"{stage.resolve()}/", "").splitlines())
    told = [line for line in lines if line and not set(line) <= set("-= ")]
    return " ".join(told)[:_LONGEST_COMPLAINT] or "it does not say why"
