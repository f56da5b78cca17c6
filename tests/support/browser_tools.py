"""What the tests with a browser need of the machine."""

import shutil
from pathlib import Path

BROWSER_DIR = Path(__file__).parent / "browser"


def missing_requirement() -> str:
    """What is missing, with what to type for it."""
    if shutil.which("chromium") is None or shutil.which("node") is None:
        return "needs Chromium and Node: apt-get install chromium nodejs npm fonts-noto-cjk"
    if not (BROWSER_DIR / "node_modules").is_dir():
        return "needs the browser's driver: npm install --no-package-lock --prefix tests/support/browser"
    return ""
