"""What the README says is so."""

import re

import pytest

from crawler.cli import COMMANDS
from crawler.content.categories import bundled_categories
from crawler.settings import SPIDER_MODULES
from tests.conftest import CHECKOUT, Finews

README = (CHECKOUT / "README.md").read_text()
CHANGELOG = (CHECKOUT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    assert re.search(rf"(?:finews|make) {command}", README)


def test_every_command_and_option_that_the_readme_names_exists(finews: Finews) -> None:
    for command, words in set(re.findall(r"(?:`|\$ |&& )finews ([a-z]+)((?: --?[a-z]+)*)", README)):
        help_text = finews(command, "--help").out
        assert help_text, command
        for option in re.findall(r"--[a-z]+", words):
            assert option in help_text, f"finews {command} {option}"


def test_every_file_that_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(((?!//)[^):]+)\)", README):
        assert (CHECKOUT / target).exists(), target


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for target in re.findall(r"\$ make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_changelog_counts_the_papers_that_are_shipped() -> None:
    assert f"{len(bundled_categories())} papers" in CHANGELOG


def test_every_setting_of_ours_has_its_sentence() -> None:
    lines = (CHECKOUT / "crawler/settings.py").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("OUTPUT_DIR"))
    last = next(number for number, line in enumerate(lines) if line.startswith("BOT_NAME"))
    names = [number for number in range(first, last) if re.match(r"[A-Z_]+ =", lines[number])]
    assert 5 <= len(names) <= 8
    assert all(lines[number - 1].startswith("#") for number in names)
    assert SPIDER_MODULES == ["crawler.spiders"]
