"""Measure the package crawler/: its size, its words, and its longest functions and files.

    python benchmarks/house.py [CHECKOUT ...]

For each checkout (by default this one) the measures are of the files below crawler/ that Git lists (`git add` new ones
first), with sample_site/ except for the search words:

- entries at the top: files and folders directly in crawler/.
- modules: files that end in .py.
- lines: a line belongs to a docstring if it is within a string that is a statement (blank lines included), else to
  comments if it has nothing else, else to code if it is not blank.
- functions: each `def`, methods and inner functions included; its length is from `def` to its end without docstring
  and decorators.
- private helpers used once: functions whose name begins with one underscore and occurs exactly once outside of its
  definitions among the names in the code of its module (not in strings and comments); share of all functions.
- docstrings: those of modules, classes and functions, not of constants; words are separated by white space.
- docstrings that begin with a question: What, How, Who, Which, Whether or Where.
- search words: lines that contain a word, in any case, without sample_site/.
"""

import ast
import io
import statistics
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

HERE = Path(__file__).parent
WORDS = (
    "crash", "paginat", "dedup", "polite", "circuit", "scrape", "idempotent", "recover", "response", "snippet",
    "bigram", "ngram", "cluster", "near-dup", "upsert", "serializ", "tracker", "bookkeeping", "extract", "highlight",
)  # fmt: skip
"""Words, or stems of words, that people search for."""
ROWS = 10
"""Length of the tables of the longest functions and files."""
QUESTIONS = ("What", "How", "Who", "Which", "Whether", "Where")
_NO_CODE = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of Python."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    @cached_property
    def functions(self) -> list[Definition]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Definition)]

    def docstring_lines(self) -> set[int]:
        """Return the numbers of the lines of strings that are statements."""
        return {line for node in ast.walk(self.tree) if is_docstring(node) for line in lines_of(node)}

    def comment_lines(self) -> set[int]:
        """Return the numbers of the lines that hold a comment and nothing else."""
        comments = {token.start[0] for token in self.tokens if token.type == tokenize.COMMENT}
        return comments - self._written_lines() - self.docstring_lines()

    def code_lines(self) -> set[int]:
        """Return the numbers of the lines of everything else that is not blank."""
        return self._written_lines() - self.docstring_lines()

    def docstrings(self) -> list[str]:
        """Return the docstrings of the module and its classes and functions."""
        owners = (node for node in ast.walk(self.tree) if isinstance(node, ast.Module | ast.ClassDef | Definition))
        return [docstring for node in owners if (docstring := ast.get_docstring(node))]

    def helpers_used_once(self) -> list[str]:
        """Return the private functions whose name occurs once besides its definitions."""
        names = Counter(token.string for token in self.tokens if token.type == tokenize.NAME)
        defined = Counter(function.name for function in self.functions)
        return [name for name in defined.elements() if is_private(name) and names[name] == defined[name] + 1]

    def _written_lines(self) -> set[int]:
        written = (token for token in self.tokens if token.type not in _NO_CODE)
        return {line for token in written for line in range(token.start[0], token.end[0] + 1)}


@dataclass(frozen=True)
class House:
    """The package of one checkout."""

    files: list[str]
    modules: list[Module]

    @classmethod
    def at(cls, checkout: Path) -> "House":
        """Read the files of a checkout that Git lists. Raises SystemExit if the folder is not a checkout."""
        words = ["git", "-C", str(checkout), "ls-files", "crawler"]
        listed = subprocess.run(words, capture_output=True, text=True)
        if listed.returncode or not listed.stdout:
            raise SystemExit(f"{checkout} is not a checkout with a folder crawler/ {listed.stderr}")
        files = [name.removeprefix("crawler/") for name in listed.stdout.splitlines() if (checkout / name).exists()]
        modules = [name for name in files if name.endswith(".py")]
        return cls(files, [Module(name, (checkout / "crawler" / name).read_text()) for name in modules])

    def entries(self) -> int:
        """Count the files and folders directly in the package."""
        return len({name.partition("/")[0] for name in self.files})

    def functions(self) -> list[tuple[str, int]]:
        """Return each function with its length, the longest first."""
        lengths = [
            (f"{module.name}: {node.name}", length(node)) for module in self.modules for node in module.functions
        ]
        return sorted(lengths, key=lambda pair: (-pair[1], pair[0]))

    def longest_files(self) -> list[tuple[str, int]]:
        """Return each module with its number of lines, the longest first."""
        lengths = [(module.name, len(module.text.splitlines())) for module in self.modules]
        return sorted(lengths, key=lambda pair: (-pair[1], pair[0]))

    def hits(self, word: str) -> int:
        """Count the lines that contain a word, in any case, without sample_site/."""
        searched = [module for module in self.modules if not module.name.startswith("sample_site/")]
        return sum(word in line for module in searched for line in module.text.lower().splitlines())


def is_docstring(node: ast.AST) -> bool:
    """Return whether a node is a string as a statement: of a module, class or function, or of the name above it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def lines_of(node: ast.AST) -> range:
    """Return the numbers of the lines of a statement."""
    assert isinstance(node, ast.stmt)
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def length(function: Definition) -> int:
    """Count the lines of a function without its docstring and decorators."""
    first = function.body[0]
    return len(lines_of(function)) - (len(lines_of(first)) if is_docstring(first) else 0)


def sums(house: House) -> Iterator[tuple[str, str]]:
    """Yield the rows of the first table."""
    functions = house.functions()
    used_once = sum(len(module.helpers_used_once()) for module in house.modules)
    docstrings = [docstring for module in house.modules for docstring in module.docstrings()]
    words = sum(len(docstring.split()) for docstring in docstrings)
    yield "entries at the top", f"{house.entries()}"
    yield "modules", f"{len(house.modules)}"
    yield "lines", f"{sum(lines for _, lines in house.longest_files()):,}"
    yield "of code", f"{sum(len(module.code_lines()) for module in house.modules):,}"
    yield "of comments", f"{sum(len(module.comment_lines()) for module in house.modules):,}"
    yield "of docstrings", f"{sum(len(module.docstring_lines()) for module in house.modules):,}"
    yield "functions", f"{len(functions):,}"
    yield "median length", f"{statistics.median(lines for _, lines in functions):g}"
    yield "private helpers used once", f"{used_once} ({used_once / len(functions):.1%})"
    yield "docstrings", f"{len(docstrings):,}"
    yield "words per docstring", f"{words / len(docstrings):.1f}"
    yield "docstrings that begin with a question", f"{sum(text.split()[0] in QUESTIONS for text in docstrings)}"


def word_hits(house: House) -> Iterator[tuple[str, str]]:
    """Yield the rows of the second table."""
    hits = {word: house.hits(word) for word in WORDS}
    yield from ((word, f"{count}") for word, count in hits.items())
    yield "words with a hit", f"{sum(map(bool, hits.values()))} of {len(WORDS)}"


def longest(lengths: list[tuple[str, int]]) -> list[tuple[str, str]]:
    """Return the rows of a table of the longest, by their place."""
    return [(f"{place}", f"{lines}, {name}") for place, (name, lines) in enumerate(lengths[:ROWS], 1)]


def print_table(title: str, checkouts: list[str], columns: list[list[tuple[str, str]]]) -> None:
    """Print a row for each measure and a column for each checkout."""
    print(f"\n| {title} | {' | '.join(checkouts)} |\n|---|{'--:|' * len(checkouts)}")
    for row in zip_longest(*columns, fillvalue=("", "")):
        print(f"| {next(name for name, _ in row if name)} | {' | '.join(value for _, value in row)} |")


def main() -> None:
    checkouts = sys.argv[1:] or [str(HERE.parent)]
    houses = [House.at(Path(checkout)) for checkout in checkouts]
    print_table("crawler/", checkouts, [list(sums(house)) for house in houses])
    print_table("lines with", checkouts, [list(word_hits(house)) for house in houses])
    print_table("longest functions", checkouts, [longest(house.functions()) for house in houses])
    print_table("longest files", checkouts, [longest(house.longest_files()) for house in houses])


if __name__ == "__main__":
    main()
