"""Tests that commands, options, links and targets in the README exist."""

import re

import pytest

from crawler.cli import COMMANDS
from crawler.cli.demo import demo
from crawler.content.categories import bundled_categories
from crawler.settings import SPIDER_MODULES
from tests.support.commands import PROJECT_ROOT, CommandRunner

README = (PROJECT_ROOT / "README.md").read_text()
CHANGELOG = (PROJECT_ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_mentions_every_command(command: str) -> None:
    assert re.search(rf"(?:finews|make) {command}", README)


def test_commands_and_options_in_readme_exist(finews: CommandRunner) -> None:
    for command, options in set(re.findall(r"(?:`|\$ |&& )finews ([a-z]+)((?: --?[a-z]+)*)", README)):
        help_text = finews(command, "--help").stdout
        assert help_text, command
        for option in re.findall(r"--[a-z]+", options):
            assert option in help_text, f"finews {command} {option}"


def test_files_linked_in_readme_exist() -> None:
    for target in re.findall(r"\]\(((?!//)[^):]+)\)", README):
        assert (PROJECT_ROOT / target).exists(), target


def test_make_targets_in_readme_exist() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    for target in re.findall(r"\$ make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_folder_of_the_demo_is_documented_and_not_tracked() -> None:
    (folder,) = (option.default for option in demo.params if option.name == "output")
    assert f"{folder}/" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()
    assert f"--output {folder}" in README
    assert f"into {folder}/" in (PROJECT_ROOT / "Makefile").read_text()


def test_changelog_has_the_number_of_shipped_categories() -> None:
    assert f"{len(bundled_categories())} papers" in CHANGELOG


def test_every_own_setting_has_a_comment() -> None:
    lines = (PROJECT_ROOT / "crawler/settings.py").read_text().splitlines()
    first_line = next(number for number, line in enumerate(lines) if line.startswith("OUTPUT_DIR"))
    last_line = next(number for number, line in enumerate(lines) if line.startswith("BOT_NAME"))
    setting_lines = [number for number in range(first_line, last_line) if re.match(r"[A-Z_]+ =", lines[number])]
    assert 5 <= len(setting_lines) <= 8
    assert all(lines[number - 1].startswith("#") for number in setting_lines)
    assert SPIDER_MODULES == ["crawler.spiders"]
