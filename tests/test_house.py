"""The plan of the house, checked: imports point down, each library has its room, only the clock reads the time."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler

PACKAGE = Path(crawler.__file__).parent

# From the ground up. A module may import its own room and the rooms below it.
FLOORS = (
    ("items", "errors", "codes", "gathering", "garbage"),
    ("text", "origins", "retry_after"),
    ("clock", "whole", "media", "output_folder", "sample_site", "troubles", "walk"),
    ("posts",),
    ("normalise",),
    ("selection", "store", "verdict", "cleaning"),
    ("triage", "site", "recorder"),
    ("plan",),
    ("outlook",),
    ("extensions", "resolver"),
    ("middlewares", "pipelines", "spiders", "settings"),
    ("run", "columns", "demo", "agreement", "old_site"),
    ("machines",),
    ("rebuild", "importing", "exporting", "feeds", "publishing", "replay", "schedule"),
    ("web",),
    ("commands", "cli"),
    ("__main__",),
)
# Where a library, or what it stands for, may be imported.
ROOMS = {
    "sqlite_utils": {"store"},
    "sqlite3": {"store", "web"},
    "frontmatter": {"posts"},
    "yaml": {"posts", "site"},
    "click": {"cli"},
    "rich": {"cli", "extensions"},
    "nh3": {"text"},
    "lxml": {"text"},
    "pypinyin": {"text"},
    "rensa": {"text"},
    "pyarrow": {"exporting"},
    "feedgen": {"feeds"},
    "filelock": {"output_folder", "extensions"},
    "datasette": {"web"},
    "pygal": {"web"},
    "uvicorn": {"web"},
    "procrastinate": {"machines"},
    "psycopg": {"machines"},
    "psycopg_pool": {"machines"},
    "scrapy": {
        "extensions",
        "resolver",
        "middlewares",
        "pipelines",
        "spiders",
        "machines",
        "run",
        "columns",
        "commands",
        "replay",
    },
    "twisted": {"extensions", "resolver", "spiders", "run"},
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(height for height, rooms in enumerate(FLOORS) if room in rooms)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "not by where a module lies"
            assert not node.level, "not by where a module lies"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] == "crawler" and len(parts) > 1 and parts[1] != room:
            known = [name for rooms in FLOORS for name in rooms]
            if parts[1] in known:
                assert floor_of(parts[1]) < floor_of(room), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_library_has_its_room(path: Path) -> None:
    for module in imports_of(path):
        library = module.split(".")[0]
        assert room_of(path) in ROOMS.get(library, {room_of(path)}), f"{name_of(path)} imports {library}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room_of(path) not in {"clock", "sample_site"}], ids=name_of
)
def test_only_the_clock_reads_the_time(path: Path) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    readers = {
        call for call in calls if re.fullmatch(r".+\.(now|today|utcnow)|time\.(time(_ns)?|localtime|gmtime)", call)
    }
    assert readers <= {"clock.now"}
    assert "time" not in {module.partition(".")[0] for module in imports_of(path) if module != "time"}


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in MODULES} - {"data"}
    assert rooms == {room for rooms in FLOORS for room in rooms}


def test_the_sample_site_shares_nothing_with_the_code_it_tests() -> None:
    for path in (PACKAGE / "sample_site").glob("*.py"):
        theirs = {module for module in imports_of(path) if module.startswith("crawler.")}
        assert all(module.startswith("crawler.sample_site") for module in theirs), path
