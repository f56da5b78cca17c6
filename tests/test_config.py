"""Tests of crawler.config: the files and the environment, merged key by key."""

from pathlib import Path
from typing import Any

import pytest

from crawler.config import KEYS, Config, load_config, render_example
from crawler.errors import UsageError


class Files:
    """The three files of a made-up user, by where they are."""

    def __init__(self, folder: Path) -> None:
        self.home, self.current, self.output = folder / "home", folder / "work", folder / "work" / "out"
        self.paths = {
            "user": self.home / ".config" / "finews" / "finews.toml",
            "current": self.current / "finews.toml",
            "output": self.output / "finews.toml",
        }

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            self.paths[name].parent.mkdir(parents=True, exist_ok=True)
            self.paths[name].write_text(text, "utf-8")

    def load(self, output: Path | None = None, /, **environment: str) -> Config:
        return load_config({"HOME": str(self.home), **environment}, self.current, output, {"search", "serve"})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_without_files_all_keys_have_their_defaults(files: Files) -> None:
    config = files.load()
    assert {name: value.value for name, value in config.values.items()} == {key.name: key.default for key in KEYS}
    assert {value.origin for value in config.values.values()} == {"default"}
    assert (config.settings(), config.commands, config.left_out) == ({}, {}, ())


def test_nearest_file_wins_key_by_key(files: Files) -> None:
    files.write(
        user='contact = "user"\nkeep_raw = true\nretry_backoff = 3\noutput = "/elsewhere"',
        current='contact = "current"\nkeep_raw = false\noutput = "out"',
        output='contact = "output"',
    )
    config = files.load()
    assert (config["contact"], config["keep_raw"], config["retry_backoff"]) == ("output", False, 3)
    assert config["output"] == str(files.output)
    assert config.values["retry_backoff"].origin == str(files.paths["user"])
    assert {name: value.value for name, value in config.settings().items()} == {
        "CONTACT": "output", "KEEP_RAW": False, "RETRY_BACKOFF": 3,
    }  # fmt: skip


def test_environment_wins_over_files(files: Files) -> None:
    files.write(current='contact = "current"\ncrawl = ["flash"]\nkeep_raw = true')
    environment = {"FINEWS_CONTACT": "variable", "FINEWS_CRAWL": "eastmoney, flash", "FINEWS_KEEP_RAW": "0"}
    config = files.load(**environment, FINEWS_RETRY_BACKOFF="2.5", FINEWS_MIRROR="")
    assert (config["contact"], config["crawl"]) == ("variable", ["eastmoney", "flash"])
    assert (config["keep_raw"], config["retry_backoff"], config["mirror"]) == (False, 2.5, None)
    assert config.values["contact"].origin == "$FINEWS_CONTACT"


@pytest.mark.parametrize("place", ["option", "variable", "current", "user", "default"])
def test_file_of_the_output_folder_is_read_wherever_its_name_comes_from(files: Files, place: str) -> None:
    files.write(output='contact = "found"')
    environment = {"FINEWS_OUTPUT": "out" if place == "variable" else ""}
    if place in {"current", "user"}:
        files.write(**{place: f'output = "{files.output}"'})
    if place == "default":
        files.output = files.current / "output"
        files.paths["output"] = files.output / "finews.toml"
        files.write(output='contact = "found"')
    assert files.load(Path("out") if place == "option" else None, **environment)["contact"] == "found"


def test_xdg_config_home_names_the_folder_of_the_users_own_file(files: Files, tmp_path: Path) -> None:
    files.paths["user"] = tmp_path / "xdg" / "finews" / "finews.toml"
    files.write(user='contact = "xdg"')
    assert files.load(XDG_CONFIG_HOME=str(tmp_path / "xdg"))["contact"] == "xdg"
    assert files.load(XDG_CONFIG_HOME="relative")["contact"] is None


def test_what_does_not_count_in_a_file_is_left_out_and_named(files: Files) -> None:
    files.write(
        user="[scrapy]\nDOWNLOAD_DELAY = 3",
        current='output = "out"\n[scrapy]\nDOWNLOAD_DELAY = 0',
        output='output = "/elsewhere"\n[scrapy]\nUSER_AGENT = "x"',
    )
    config = files.load()
    assert {name: value.value for name, value in config.settings().items()} == {"DOWNLOAD_DELAY": 3}
    assert config["output"] == str(files.output)
    assert config.left_out == (
        f"output in {files.paths['output']} does not count: it may only be in the current folder's and your own file",
        f"scrapy in {files.paths['output']} does not count: it may only be in your own file",
        f"scrapy in {files.paths['current']} does not count: it may only be in your own file",
    )


def test_file_that_is_at_two_places_counts_where_more_is_allowed(files: Files) -> None:
    files.current = files.home / ".config" / "finews"
    files.write(user="[scrapy]\nDOWNLOAD_DELAY = 3")
    config = files.load(Path())
    assert config.settings()["DOWNLOAD_DELAY"].value == 3
    assert config.left_out == ()


def test_tables_of_commands_are_merged_key_by_key(files: Files) -> None:
    files.write(user="[search]\nlimit = 5\nsort = 'time'\n[serve]\nport = 80", current="[search]\nlimit = 9")
    commands = files.load().commands
    assert {name: {key: value.value for key, value in table.items()} for name, table in commands.items()} == {
        "search": {"limit": 9, "sort": "time"}, "serve": {"port": 80},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contact = ", "is not TOML: "),
        ("contct = 'x'", "unknown key 'contct': did you mean contact?"),
        ("seerch = {}", "unknown key 'seerch': did you mean search?"),
        ("zzz = 1", "unknown key 'zzz': `finews config` lists the keys"),
        ("search = 5", "search is a table: write [search] on a line, and its keys below"),
        ("contact = 5", 'contact: 5 is not a value of it: type contact = "mail@example.org"'),
        ("keep_raw = 'yes'", "keep_raw: 'yes' is not a value of it: type keep_raw = true"),
        ("retry_backoff = -1", "retry_backoff: -1 is not a value of it: type retry_backoff = 1.0"),
        ("crawl = []", 'crawl: [] is not a value of it: type crawl = ["eastmoney", "flash"]'),
        ("crawl = ['flash', 'flash']", "crawl: ['flash', 'flash'] is not a value of it"),
        ("crawl = 'flash'", "crawl: 'flash' is not a value of it"),
        ("output = 'out'", "output = 'out' is relative: write the whole path, or one that begins with ~"),
        ("contact = 'a'\n[scrapy]\nCONTACT = 'b'", "contact and CONTACT in [scrapy] are the same setting"),
    ],
)
def test_wrong_file_is_an_error_that_names_file_and_key(files: Files, text: str, message: str) -> None:
    files.write(user=text)
    with pytest.raises(UsageError) as caught:
        files.load()
    assert str(caught.value).startswith(str(files.paths["user"]))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_variable_is_an_error_that_names_it(files: Files) -> None:
    with pytest.raises(UsageError, match=r"^\$FINEWS_KEEP_RAW: 'maybe' is not a value of it: type keep_raw = true$"):
        files.load(FINEWS_KEEP_RAW="maybe")


@pytest.mark.parametrize("content", [b"contact = '\xff'", None], ids=["not UTF-8", "a folder"])
def test_file_that_cannot_be_read_is_an_error(files: Files, content: bytes | None) -> None:
    path = files.paths["current"]
    path.parent.mkdir(parents=True)
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UsageError, match=r"finews\.toml"):
        files.load()


def test_example_is_a_file_of_comments_that_works_without_its_marks(files: Files) -> None:
    example = render_example()
    files.write(user=example)
    assert files.load().settings() == {}
    lines = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# ") and " = " in line]
    tables = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# [")]
    values: list[Any] = [line for line in lines if line.split(" = ")[0] in {key.name for key in KEYS}]
    files.write(user="\n".join(values))
    assert files.load().values.keys() == {key.name for key in KEYS}
    assert tables == ["[search]", "[scrapy]"]
