"""No printed or documented command installs a package by name: names on an index may belong to other projects."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from crawler import DISTRIBUTION
from tests.support.commands import PROJECT_ROOT, CommandRunner

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
# Up to the end of a command.
_INSTALL_COMMAND = re.compile(
    r"\b(?:pip3?|pipx|uv|uv tool|uv pip|uvx|poetry|pdm|conda|easy_install)\s+"
    r"(?:install|run|add|download|wheel|upgrade)\b([^`\n|;&]*)"
)
_PROSE = {"in", "on", "puts", "which"}
_OPTIONS_WITH_VALUE = {"--requirement", "-r", "--wheel-dir", "-w", "--prefix", "--target"}
# A path or a commit; `finews schedule` fills in `${package}`, and tests below check its values.
_OWN_SOURCE = re.compile(
    r"\.(?:\[[a-z,]+\]|\{?\[\{extra\}\]\}?)?|\.{0,2}/\S+|git\+https://\S+@[0-9a-f]{40,64}|\$\{package\}"
)
_NAME_ON_AN_INDEX = re.compile(r"\bfinews(?:[-_.]crawler)?\s*(?:[=<>~!]=|\[)")


def foreign_installs(text: str) -> list[str]:
    """Return the packages that commands in a text would install from an index."""
    found = []
    for command in _INSTALL_COMMAND.finditer(text):
        words = [word.strip("'\",:)(") for word in command[1].split()]
        while words:
            word = words.pop(0)
            if word in _PROSE:  # the sentence goes on
                break
            if word in _OPTIONS_WITH_VALUE:
                words = words[1:]
            elif not word.startswith("-") and not _OWN_SOURCE.fullmatch(word):
                found.append(f"{command[0]}: {word}")
    return found


def run_git(*words: str, cwd: Path) -> str:
    return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout  # noqa: S607  # the user's git


def tracked_texts() -> list[Path]:
    names = run_git("ls-files", "-z", cwd=PROJECT_ROOT).split("\0")
    paths = [PROJECT_ROOT / name for name in names if name and not name.startswith("tests/")]
    return [path for path in paths if path.is_file() and path.suffix not in {".png", ".ico"}]


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("pip install finews==0.1.0", True),
        ("`pip install finews-crawler`", True),
        ("pip install 'finews[serve]'", True),
        ("uv tool install finews", True),
        ("pipx install finews", True),
        ("pip install --quiet requests", True),
        ("pip install .", False),
        ("`pip install '.[serve]'`, which `make demo` has done", False),
        ("pip install --quiet --editable '.[test]'", False),
        ("pip install --requirement benchmarks/peers.txt", False),
        ("pip install ./wheels/finews_crawler-0.1.0-py3-none-any.whl", False),
        (f"pip install git+https://git.example/a.git@{'a' * 40}", False),
        ("pip install git+https://git.example/a.git@main", True),
    ],
)
def test_foreign_installs_are_recognised(text: str, *, foreign: bool) -> None:
    assert bool(foreign_installs(text)) is foreign


def test_no_text_or_template_installs_a_name_of_an_index() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in tracked_texts()}
    assert sum("pip install" in text for text in texts.values()) >= 5
    assert {path: found for path, text in texts.items() if (found := foreign_installs(text))} == {}
    named = {path: match[0] for path, text in texts.items() if (match := _NAME_ON_AN_INDEX.search(text))}
    assert named == {PROJECT_ROOT / "pyproject.toml": f"{DISTRIBUTION}["}, "only an extra of our own names us"


@pytest.mark.parametrize("kind", ["cron", "systemd", "github"])
def test_no_schedule_installs_a_name_of_an_index(finews: CommandRunner, tmp_path: Path, kind: str) -> None:
    run_git("init", "--quiet", cwd=tmp_path)
    (tmp_path / f"{DISTRIBUTION.replace('-', '_')}-{PROJECT['version']}-py3-none-any.whl").touch()
    result = finews("schedule", kind, "--output", str(tmp_path / "output"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert foreign_installs(result.stdout) == []
    assert ("pip install ./" in result.stdout) is (kind == "github")


def test_name_of_the_package_is_not_that_of_another_project() -> None:
    assert PROJECT["name"] == DISTRIBUTION != "finews"
    assert PROJECT["scripts"] == {"finews": "crawler.cli:main"}


def test_version_is_that_of_our_package(finews: CommandRunner) -> None:
    assert finews("--version").stdout == f"finews, version {PROJECT['version']}\n"


def test_package_holds_every_file_of_the_checkout() -> None:
    """Check the patterns of package data; `make package-test` installs the package."""
    patterns = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "crawler"
    ]
    packed = {path for pattern in patterns for path in (PROJECT_ROOT / "crawler").glob(pattern)}
    tracked = {PROJECT_ROOT / name for name in run_git("ls-files", "crawler", cwd=PROJECT_ROOT).splitlines()}
    assert {path for path in tracked if path.suffix != ".py"} - packed == set()
