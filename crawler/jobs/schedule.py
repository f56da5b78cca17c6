"""Schedules for crawls and builds: cron, systemd or GitHub Actions, with the paths of this installation.

Schedules run only finews. The site is also built after a crawl with failed entries (exit code 3); if another crawl is
running (75), the crawl waits for the next turn.
"""

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import distribution, version
from importlib.resources import files
from pathlib import Path
from string import Template

from crawler import DISTRIBUTION
from crawler.errors import UsageError

CRAWL_INTERVAL_MINUTES = 10
_PATH_PUNCTUATION = "/:._-+"
# Files of the output folder that can be rebuilt, or belong to a running crawl.
_UNCOMMITTED_FILES = ("_site", ".crawl.lock", "news.db-wal", "news.db-shm")


@dataclass(frozen=True, slots=True)
class Installation:
    """Absolute paths of the finews program, the output folder and the folder of the Jekyll program."""

    finews_path: str
    output_path: str
    jekyll_dir: str


def detect_installation(output: Path) -> Installation:
    """Return the paths of this installation. Raises UsageError for a path that schedules cannot contain."""
    sibling = Path(sys.executable).with_name("finews")
    finews = sibling if sibling.exists() else Path(shutil.which("finews") or sibling)
    jekyll = Path(shutil.which("jekyll") or "/usr/bin/jekyll").parent
    detected = Installation(str(finews.absolute()), str(output.absolute()), str(jekyll.absolute()))
    for path in (detected.finews_path, detected.output_path, detected.jekyll_dir):
        if not all(letter.isalnum() or letter in _PATH_PUNCTUATION for letter in path):
            raise UsageError(f"a schedule cannot contain {path!r}: use a folder of letters, digits, '-', '_' and '.'")
    return detected


def render_cron(installation: Installation) -> str:
    """Return lines for `crontab -e`; nothing is printed on success, since cron mails all output."""
    return _render("crontab", installation)


def render_systemd(installation: Installation) -> str:
    """Return a service and a timer, for the systemd of a user or of the system."""
    return f"{_render('finews.service', installation)}\n{_render('finews.timer', installation)}"


def render_github_workflow(installation: Installation) -> str:
    """Return a workflow for the git repository of the output folder. Raises UsageError if it is in none."""
    output = Path(installation.output_path)
    root = next((folder for folder in (output, *output.parents) if (folder / ".git").exists()), None)
    if root is None:
        raise UsageError(f"{output} is in no git repository: `git init` there, or name another folder with --output")
    path = os.path.relpath(output, root)
    excluded = " ".join(f"':!{path}/{name}'" for name in _UNCOMMITTED_FILES)
    return _render("news.yml", installation, output=path, excluded=excluded, package=_find_package(root))


def _render(name: str, installation: Installation, **values: str) -> str:
    """Return a template of schedule_templates/ with the paths of the installation, and other values, filled in."""
    # Cron and systemd search only a few folders by default.
    search_path = dict.fromkeys([installation.jekyll_dir, "/usr/local/bin", "/usr/bin", "/bin"])
    defaults = {
        "finews": installation.finews_path,
        "output": installation.output_path,
        "search_path": ":".join(search_path),
        "minutes": str(CRAWL_INTERVAL_MINUTES),
    }
    template = files("crawler.jobs").joinpath("schedule_templates", name).read_text("utf-8")
    return Template(template).substitute({**defaults, **values})


def _find_package(root: Path) -> str:
    """Return the argument of `pip install` in a workflow of this repository.

    That is the checkout of finews, else a wheel in the repository, else the commit installed here. The package name is
    not used, since finews is not on PyPI. Raises UsageError if there is none of them.
    """
    if (root / "crawler/jobs/schedule.py").is_file():
        return "."
    wheel_name = f"{DISTRIBUTION.replace('-', '_')}-{version(DISTRIBUTION)}-py3-none-any.whl"
    wheel = next((path for folder in (".", "*") for path in root.glob(f"{folder}/{wheel_name}")), None)
    if wheel is not None and all(letter.isalnum() or letter in _PATH_PUNCTUATION for letter in str(wheel)):
        return f"./{wheel.relative_to(root)}"
    origin = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    commit = origin.get("vcs_info", {}).get("commit_id", "")
    if re.fullmatch(r"https://[\w./:-]+", origin.get("url", "")) and re.fullmatch(r"[0-9a-f]{40,64}", commit):
        return f"git+{origin['url']}@{commit}"
    raise UsageError(
        f"{root} holds no finews that a workflow could install: run `pip wheel --no-deps --wheel-dir {root} .` in the "
        f"checkout of finews, and add {wheel_name} to the repository"
    )
