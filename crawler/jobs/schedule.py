"""Schedules for crawls and builds: cron, systemd or GitHub Actions, with the real paths of this installation.

Each calls finews and nothing else. A crawl that found trouble with some entries (3) does not keep the site from being
built; one that another crawl is ahead of (75) comes back at the next turn.
"""

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

from crawler import DISTRIBUTION
from crawler.errors import UsageError

CRAWL_INTERVAL_MINUTES = 10
_PATH_PUNCTUATION = "/:._-+"
# What can be rebuilt, or belongs to a running crawl.
_UNCOMMITTED_FILES = ("_site", ".crawl.lock", "news.db-wal", "news.db-shm")

# Actions by commit, which cannot be moved as a tag can be; the release next to it is for people.
_CHECKOUT_ACTION = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683  # v4.2.2"
_SETUP_PYTHON_ACTION = "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065  # v5.6.0"
_UPLOAD_PAGES_ACTION = "actions/upload-pages-artifact@56afc609e74202658d3ffba0e8f6dda462b719fa  # v3.0.1"
_DEPLOY_PAGES_ACTION = "actions/deploy-pages@d6db90164ac5ed86f2b6aed7e0febac5b3c0c03e  # v4.0.5"


@dataclass(frozen=True, slots=True)
class Installation:
    """Where finews lies, the output folder, and the folder where Jekyll lies; all of them absolute."""

    finews_path: str
    output_path: str
    jekyll_dir: str


def detect_installation(output: Path) -> Installation:
    """This one. A path that a schedule could not hold is refused: UsageError."""
    sibling = Path(sys.executable).with_name("finews")
    finews = sibling if sibling.exists() else Path(shutil.which("finews") or sibling)
    jekyll = Path(shutil.which("jekyll") or "/usr/bin/jekyll").parent
    detected = Installation(str(finews.absolute()), str(output.absolute()), str(jekyll.absolute()))
    for path in (detected.finews_path, detected.output_path, detected.jekyll_dir):
        if not all(letter.isalnum() or letter in _PATH_PUNCTUATION for letter in path):
            raise UsageError(f"{path!r} cannot stand in a schedule: name a folder of letters, digits, '-', '_' and '.'")
    return detected


def render_cron(installation: Installation) -> str:
    """Lines for `crontab -e`. What is printed there becomes mail, so that silence is success."""
    finews, output = installation.finews_path, installation.output_path
    minutes = CRAWL_INTERVAL_MINUTES
    crawl, build = f"crawl --quiet --since 2d --output {output}", f"site build --quiet --output {output}"
    return f"""\
# finews: crawl every {minutes} minutes, then bring the site in {output}/_site up to date. Add with `crontab -e`.
PATH={_search_path(installation)}
*/{minutes} * * * * {finews} {crawl}; {finews} {build}
17 4 * * * {finews} site check --quiet --output {output}
"""


def render_systemd(installation: Installation) -> str:
    """A service and a timer; a person's own or the system's."""
    finews, output = installation.finews_path, installation.output_path
    return f"""\
# ~/.config/systemd/user/finews.service, or /etc/systemd/system/finews.service with a line User=
[Unit]
Description=Crawl financial news and build the site
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
Environment=PATH={_search_path(installation)}
ExecStart={finews} crawl --quiet --since 2d --output {output}
ExecStart={finews} site build --quiet --output {output}
# 3: some entries failed, and are tried again; 75: another crawl is at work.
SuccessExitStatus=3 75
TimeoutStartSec=30min
NoNewPrivileges=true
PrivateTmp=true

# finews.timer, beside it. Then: systemctl --user daemon-reload && systemctl --user enable --now finews.timer
[Unit]
Description=Crawl financial news every {CRAWL_INTERVAL_MINUTES} minutes

[Timer]
OnCalendar=*:0/{CRAWL_INTERVAL_MINUTES}
RandomizedDelaySec=60
Persistent=true

[Install]
WantedBy=timers.target
"""


def render_github_workflow(installation: Installation) -> str:
    """A workflow for the repository that the output folder belongs to. Raises UsageError where it belongs to none."""
    root = _find_repository(Path(installation.output_path))
    output = os.path.relpath(installation.output_path, root)
    excluded = " ".join(f"':!{output}/{name}'" for name in _UNCOMMITTED_FILES)
    package = _find_package(root)
    return f"""\
# .github/workflows/news.yml. In the repository's settings, Pages is to be built by GitHub Actions.
name: news
on:
  schedule:
    - cron: "7,37 * * * *"
  workflow_dispatch:
# One at a time: a second one waits, and none is cut off between the crawl and the push.
concurrency:
  group: news
  cancel-in-progress: false
permissions:
  contents: write
  pages: write
  id-token: write
jobs:
  news:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    environment:
      name: github-pages
    steps:
      - uses: {_CHECKOUT_ACTION}
      - uses: {_SETUP_PYTHON_ACTION}
        with:
          python-version: "3.11"
      - name: Install
        run: |
          sudo apt-get update
          sudo apt-get install --yes --no-install-recommends jekyll
          pip install {package}
      - name: Crawl
        run: finews crawl --quiet --since 2d --output {output} || [ $? -eq 3 ]
      - name: Build
        run: |
          finews site build --output {output}
          finews site check --output {output}
      - name: Commit what has changed
        run: |
          git add --all --force -- {output} {excluded}
          if ! git diff --cached --quiet -- {output} ':!{output}/news.db'; then
            git -c user.name=finews -c user.email=finews@users.noreply.github.com commit --quiet --message "News"
            git push --quiet
          fi
      - uses: {_UPLOAD_PAGES_ACTION}
        with:
          path: {output}/_site
      - uses: {_DEPLOY_PAGES_ACTION}
"""


def _find_package(root: Path) -> str:
    """Return what a workflow in this repository installs: finews is on no index, where another could take its name.

    That is the checkout, where this is one; else a wheel that lies in the repository; else the commit that was
    installed here. Raises UsageError where there is none of these.
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


def _search_path(installation: Installation) -> str:
    """What cron and systemd find programs by: little, by themselves."""
    return ":".join(dict.fromkeys([installation.jekyll_dir, "/usr/local/bin", "/usr/bin", "/bin"]))


def _find_repository(output: Path) -> Path:
    roots = (folder for folder in (output, *output.parents) if (folder / ".git").exists())
    root = next(roots, None)
    if root is None:
        raise UsageError(f"{output} is in no git repository: `git init` there, or name another folder with --output")
    return root
