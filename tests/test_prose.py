"""Plain English in Python and Markdown: phrases to avoid, and first words that no docstring has.

`make lint` runs this file, and codespell with .ci/codespell.txt for single words.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import PROJECT_ROOT

_PHRASES = ("so many", "so that", "for ever", "none of ours", "stand in", "stands in", "in the mean")
# A phrase may go on in the next line, after the mark of a comment.
_BAD_PHRASE = re.compile(rf"\b(?:{'|'.join(_PHRASES)})\b".replace(" ", r"[\s#>]+"), re.IGNORECASE)
_BAD_OPENING = re.compile(r'"""(?:What|How|Who|Which|Whether|Where)\b')
_FOLDERS = ("benchmarks", "crawler", "docs", "tests")
_SKIPPED = {
    "node_modules",  # installed programs
    "sites",  # articles as they were crawled
    "posts",  # articles of the sample site
    Path(__file__).name,  # names the phrases
}


def find_prose_files() -> Iterator[Path]:
    """Yield the Python and Markdown files of the checkout, without installed programs and texts of articles."""
    yield from PROJECT_ROOT.glob("*.md")
    for folder in _FOLDERS:
        files = (path for suffix in (".py", ".md") for path in (PROJECT_ROOT / folder).rglob(f"*{suffix}"))
        yield from (path for path in files if not _SKIPPED.intersection(path.relative_to(PROJECT_ROOT).parts))


def find_bad_prose(text: str) -> list[str]:
    """Return `line: words` for each phrase or opening to avoid."""
    matches = [match for pattern in (_BAD_PHRASE, _BAD_OPENING) for match in pattern.finditer(text)]
    return [f"{text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())}" for match in matches]


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("It waits so\n    # that it ends.", ["1: so # that"]),
        ("\nOf so many", ["2: so many"]),
        ('def f():\n    """Whether it ends."""', ['2: """Whether']),
        ('    """Return whether it ends."""', []),
    ],
)
def test_bad_prose_is_found(text: str, findings: list[str]) -> None:
    assert find_bad_prose(text) == findings


def test_prose_is_plain() -> None:
    texts = {path.relative_to(PROJECT_ROOT): path.read_text() for path in find_prose_files()}
    assert len(texts) > 300, "the checkout was not found"
    findings = [f"{path}:{finding}" for path, text in texts.items() for finding in find_bad_prose(text)]
    assert findings == [], "\n" + "\n".join(findings)
