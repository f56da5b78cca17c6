"""Programs that some tests need: a marker for each, and the reason to skip its tests on a machine without it."""

import shutil
from collections.abc import Callable
from pathlib import Path

BROWSER_DRIVER_DIR = Path(__file__).parent / "browser"
POSTGRESQL_BIN_DIR = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def explain_missing_browser() -> str:
    """Return the missing part of Chromium and its driver, with the command that installs it."""
    if shutil.which("chromium") is None or shutil.which("node") is None:
        return "needs Chromium and Node: apt-get install chromium nodejs npm fonts-noto-cjk"
    if not (BROWSER_DRIVER_DIR / "node_modules").is_dir():
        return "needs the browser's driver: npm install --no-package-lock --prefix tests/support/browser"
    return ""


def explain_missing_jekyll() -> str:
    """Return the command that installs Jekyll; an empty string if it is installed."""
    return "" if shutil.which("jekyll") else "needs Jekyll: apt-get install jekyll"


def explain_missing_postgresql() -> str:
    """Return the command that installs PostgreSQL; an empty string if it is installed."""
    return "" if POSTGRESQL_BIN_DIR else "needs PostgreSQL: apt-get install postgresql"


# Reason to skip by marker.
MISSING_PROGRAMS: dict[str, Callable[[], str]] = {
    "browser": explain_missing_browser,
    "jekyll": explain_missing_jekyll,
    "postgresql": explain_missing_postgresql,
}
# Fixtures that start a program: their tests get the marker.
MARKERS_OF_FIXTURES = {"published_output": "jekyll", "postgres": "postgresql", "finews": "slow"}
