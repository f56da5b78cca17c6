"""The documents: their commands run, their links resolve, and nothing is missing in them."""

import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from scrapy.settings import Settings

from crawler import settings as our_settings
from crawler.cli import COMMANDS
from crawler.cli.demo import demo
from crawler.config import KEYS, Key, load_config
from crawler.content import clock
from crawler.content.categories import bundled_categories
from crawler.jobs.demo import DEMO_SPIDERS
from crawler.sample_site import Corpus, SampleSite
from crawler.sample_site.reprints import add_reprints
from crawler.settings import SPIDER_MODULES
from crawler.spiders.choice import ChoiceSpider
from crawler.storage import Store
from tests.support.command_server import run_finews
from tests.support.commands import FAST_SETTINGS, PROJECT_ROOT, CommandResult, CommandRunner

README = (PROJECT_ROOT / "README.md").read_text()
CHANGELOG = (PROJECT_ROOT / "CHANGELOG.md").read_text()
CONFIGURATION = (PROJECT_ROOT / "docs/configuration.md").read_text()
DOCUMENTS = [*sorted(PROJECT_ROOT.glob("*.md")), *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
# The changelog names commands and options that have been renamed.
CURRENT_DOCUMENTS = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]

# Commands that do not run here, by their first words, and why. Their options and make targets are checked nevertheless.
NOT_RUN = {
    "make": "it sets up an environment, or runs these tests",
    "export": "the tests set the variable",
    "finews demo": "it is what the commands run on",
    "finews serve": "it runs until it is stopped; tests/publish/web start it",
    "finews worker": "it needs PostgreSQL and runs until it is stopped; tests/jobs/distributed start it",
    "finews crawl --distributed": "it needs PostgreSQL and workers; tests/jobs/distributed run it",
    "finews site": "it needs Jekyll; tests/publish/jekyll run it",
    "finews schedule github": "it needs a repository that holds finews; tests/jobs/test_schedule.py runs it",
    "scrapy genspider": "it writes into the checkout; tests/cli/scrapy_commands/test_scrapy_project.py runs it",
    "python -m pytest": "it runs tests, these among them",
}
# Exit codes other than 0 that commands end with here.
EXIT_CODES = {"finews verify": {0, 1}, "finews replay": {3}}
SHELL_SYNTAX = re.compile(r"[|;&<>$`]")


@dataclass(frozen=True)
class DocumentedCommand:
    """A command of a block marked `console`, and the output that is quoted below it."""

    document: Path
    text: str
    output: tuple[str, ...]

    @property
    def reason_not_run(self) -> str:
        return next((why for words, why in NOT_RUN.items() if f"{self.text} ".startswith(words)), "")


def read_blocks(document: Path, language: str) -> list[str]:
    pattern = rf"^ *```{language}\n(.*?)^ *```$"
    return re.findall(pattern, document.read_text(), re.MULTILINE | re.DOTALL)


def read_commands(document: Path) -> Iterator[DocumentedCommand]:
    for block in read_blocks(document, "console"):
        for part in re.split(r"^ *\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip().splitlines()
            yield DocumentedCommand(document, re.sub(r"\s+# .*", "", command), tuple(line.strip() for line in output))


def documented_commands(document: Path) -> list[DocumentedCommand]:
    return [command for command in read_commands(document) if not command.reason_not_run]


RUNNABLE_DOCUMENTS = [document for document in CURRENT_DOCUMENTS if documented_commands(document)]


@pytest.fixture(scope="module")
def documented_site() -> Iterator[SampleSite]:
    """Serve the sample site of `finews demo`."""
    now = clock.now()
    corpus = Corpus.sample(40, newest_at=now)
    add_reprints(corpus, newest_at=now)
    with SampleSite(corpus) as served:
        yield served


@pytest.fixture(scope="module")
def demo_folder(documented_site: SampleSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with the output folder of a demo, which FINEWS_OUTPUT names."""
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINEWS_OUTPUT", "output-demo")
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        for spider in DEMO_SPIDERS:
            result = run_finews("crawl", spider, "--mirror", documented_site.url, *FAST_SETTINGS, cwd=folder)
            assert result.exit_code in {0, 3}, result.stderr  # a row of the sample site is blank
        yield folder


def run_documented(command: DocumentedCommand, folder: Path, site: SampleSite) -> CommandResult:
    """Run a command as a shell does, a crawl against the sample site."""
    if SHELL_SYNTAX.search(command.text) or not command.text.startswith("finews "):
        cwd = PROJECT_ROOT if command.text.startswith("scrapy ") else folder
        completed = subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", command.text],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return CommandResult(completed.returncode, completed.stdout, completed.stderr)
    words = shlex.split(command.text)[1:]
    if words[0] == "crawl":
        words += ["--mirror", site.url, *FAST_SETTINGS]
    return run_finews(*words, cwd=folder)


def without_digits(text: str) -> str:
    return re.sub(r"\d+", "0", text)


@pytest.mark.parametrize("document", RUNNABLE_DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_commands_run(document: Path, demo_folder: Path, documented_site: SampleSite) -> None:
    problems = []
    for command in documented_commands(document):
        result = run_documented(command, demo_folder, documented_site)
        expected = next((codes for words, codes in EXIT_CODES.items() if command.text.startswith(words)), {0})
        if result.exit_code not in expected:
            problems.append(f"$ {command.text}: exit code {result.exit_code}: {result.stderr or result.stdout}")
        printed = without_digits(result.stdout + result.stderr)
        problems += [
            f"$ {command.text}: does not print {line!r}, but {printed[:500]!r}"
            for line in command.output
            if line != "…" and without_digits(line) not in printed
        ]
    assert not problems, "\n".join(problems)


def test_sql_runs(demo_folder: Path) -> None:
    with Store.open_ro(demo_folder / "output-demo") as store:
        for document in CURRENT_DOCUMENTS:
            for statement in ";".join(read_blocks(document, "sql")).split(";"):
                if statement.strip():
                    assert store.connection.execute(statement).fetchall(), statement


def test_commands_not_run_are_documented() -> None:
    texts = [command.text for document in CURRENT_DOCUMENTS for command in read_commands(document)]
    unused = [words for words in NOT_RUN if not any(f"{text} ".startswith(words) for text in texts)]
    assert not unused, f"remove {unused} from NOT_RUN: no document has such a command"


@pytest.mark.parametrize("document", CURRENT_DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_commands_and_options_exist(document: Path, finews: CommandRunner) -> None:
    groups = {"rebuild", "site", "schedule"}
    pattern = r"(?:`|\$ |&& )finews ([a-z]+)((?: [a-z]+)?)([^`\n|]*)"
    for command, subcommand, words in set(re.findall(pattern, document.read_text())):
        path = [command, *(subcommand.split() if command in groups else [])]
        help_text = finews(*path, "--help").stdout
        assert help_text, f"finews {' '.join(path)}"
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", words):
            assert option in help_text, f"finews {' '.join(path)} {option}"


def test_make_targets_exist() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    for document in CURRENT_DOCUMENTS:
        for target in re.findall(r"(?:\$ |`)make ([a-z-]+)", document.read_text()):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document}: make {target}"


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_mentions_every_command(command: str) -> None:
    assert f"`finews {command}" in README, f"add `finews {command}` to the commands in README.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_guide_mentions_every_command(command: str) -> None:
    guide = (PROJECT_ROOT / "docs/usage.md").read_text() + (PROJECT_ROOT / "docs/scale.md").read_text()
    assert f"finews {command}" in guide, f"add an example of `finews {command}` to docs/usage.md"


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    text = re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_links_resolve(document: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(((?!//|https?:)[^)]+)\)", text):
        name, _, anchor = target.partition("#")
        path = document.parent / name if name else document
        assert path.exists(), f"{document.name}: {target}"
        if anchor:
            assert anchor in anchors_of(path), f"{document.name}: {target}"


def test_every_decision_is_in_the_index() -> None:
    folder = PROJECT_ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [int(path.name[:4]) for path in pages] == [*range(1, len(pages) + 1)]
    for page in pages:
        assert f"]({page.name})" in index, f"add {page.name} to docs/decisions/README.md"
        for heading in ("Context", "Decision", "Consequences"):
            assert f"\n## {heading}\n" in page.read_text(), f"{page.name}: no section {heading}"


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def setting_rows() -> dict[str, str]:
    """Return the default of each setting as docs/configuration.md has it."""
    return dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \| [^|]+ \| [^|]+ \|$", CONFIGURATION, re.MULTILINE))


@pytest.mark.parametrize("name", [name for name in dir(our_settings) if name.isupper()])
def test_configuration_has_every_setting(name: str) -> None:
    value = getattr(our_settings, name)
    default = "empty" if value == "" else f"`{value}`"
    remedy = f"add a row to docs/configuration.md: | `{name}` | {default} | UNIT | EFFECT |"
    assert name in setting_rows(), f"crawler/settings.py has {name}, the document has not: {remedy}"
    if value is None or (isinstance(value, bool | int | float | str) and str(PROJECT_ROOT) not in str(value)):
        assert setting_rows()[name] == default, f"crawler/settings.py has another default of {name}: {remedy}"


def test_settings_in_configuration_exist() -> None:
    known = {name for name in dir(our_settings) if name.isupper()} | {*(ChoiceSpider.custom_settings or {})}
    assert set(setting_rows()) <= known, "remove the rows of docs/configuration.md whose setting does not exist"


def test_settings_that_are_no_own_ones_are_scrapys() -> None:
    own = CONFIGURATION.partition("## Settings of the spider choice")[0]
    scrapy_settings = Settings()
    for name in (name for name in dir(our_settings) if name.isupper()):
        assert (name in scrapy_settings) != (f"| `{name}` |" in own), (
            f"{name}: settings of finews have a row below 'Settings of finews' in docs/configuration.md, others do not"
        )


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_configuration_has_every_key(key: Key) -> None:
    assert f"| `{key.name} = {key.example}` | {key.help}" in CONFIGURATION, (
        f"add a row to the keys of finews.toml in docs/configuration.md: "
        f"| `{key.name}` | DEFAULT | `{key.name} = {key.example}` | {key.help} |"
    )


def test_toml_is_valid(tmp_path: Path) -> None:
    for block in read_blocks(PROJECT_ROOT / "docs/configuration.md", "toml"):
        (tmp_path / "finews.toml").write_text(block)
        load_config({"HOME": str(tmp_path)}, tmp_path, commands=COMMANDS)


def test_environment_variables_are_documented() -> None:
    contributing = (PROJECT_ROOT / "CONTRIBUTING.md").read_text()
    tests = "".join(path.read_text() for path in (PROJECT_ROOT / "tests").rglob("*.py"))
    for path in (PROJECT_ROOT / "crawler").rglob("*.py"):
        for name in re.findall(r"\bFINEWS_[A-Z]+\b", path.read_text()):
            assert f"| `{name}` |" in CONFIGURATION, f"add {name} to the environment variables in docs/configuration.md"
    for name in re.findall(r"environ(?:\.get\(|\[)\"(FINEWS_[A-Z]+)", tests):
        assert f"`{name}`" in contributing + CONFIGURATION, f"add {name} to CONTRIBUTING.md"


def test_architecture_has_every_table_and_view(demo_folder: Path) -> None:
    architecture = (PROJECT_ROOT / "docs/architecture.md").read_text()
    schema = architecture.partition("## The schema")[2].partition("## Glossary")[0]
    connection = sqlite3.connect(demo_folder / "output-demo/news.db")
    names = connection.execute("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    connection.close()
    for kind, name in names:
        if not name.startswith(("sqlite_", "search_pairs_")):
            entry = f"| view `{name}` |" if kind == "view" else f"`{name}`"
            assert entry in schema, f"add {kind} {name} to the schema in docs/architecture.md"


def test_architecture_has_every_package() -> None:
    tree = (PROJECT_ROOT / "docs/architecture.md").read_text().partition("## An article's life")[0]
    for path in (PROJECT_ROOT / "crawler").iterdir():
        if path.name[0] not in "_." and path.name != "py.typed":
            assert f"─ {path.name}" in tree, f"add {path.name} to the tree in docs/architecture.md"


def test_extras_in_documents_exist() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    for document in CURRENT_DOCUMENTS:
        for extra in re.findall(r"pip install '\.\[([a-z]+)\]'", document.read_text()):
            assert extra in project["optional-dependencies"], f"{document.name}: {extra}"


def test_folder_of_the_demo_is_documented_and_not_tracked() -> None:
    (folder,) = (option.default for option in demo.params if option.name == "output")
    assert f"{folder}/" in (PROJECT_ROOT / ".gitignore").read_text().splitlines()
    assert f"FINEWS_OUTPUT={folder}" in README
    assert f"into {folder}/" in (PROJECT_ROOT / "Makefile").read_text()


def test_changelog_has_the_number_of_shipped_categories() -> None:
    assert f"{len(bundled_categories())} papers" in CHANGELOG


def test_every_own_setting_has_a_comment() -> None:
    lines = (PROJECT_ROOT / "crawler/settings.py").read_text().splitlines()
    first_line = next(number for number, line in enumerate(lines) if line.startswith("OUTPUT_DIR"))
    last_line = next(number for number, line in enumerate(lines) if line.startswith("BOT_NAME"))
    setting_lines = [number for number in range(first_line, last_line) if re.match(r"[A-Z_]+ =", lines[number])]
    assert len(setting_lines) >= 5
    assert all(lines[number - 1].startswith("#") for number in setting_lines)
    assert SPIDER_MODULES == ["crawler.spiders"]
