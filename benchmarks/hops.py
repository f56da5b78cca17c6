"""Count the calls, functions and files on the way of one article, from the listing into the database.

    python benchmarks/hops.py [--list] [CHECKOUT ...]

For each checkout (by default this one) the command `finews crawl eastmoney` runs in a new folder, on one sample site whose
listing has one row: a new article with stock links and a table, read from JSON. The count begins when the listing's
response has been downloaded and ends when the article's outcome is committed: the middlewares for both responses, the
listing, the decision, the request, cleaning, rows, post file and outcome. Start-up, robots.txt, the site's pages and
shutdown are not counted.

- function: a `def` in crawler/, without sample_site/. Lambdas and comprehensions count as part of the function around
  them; code that libraries generate (dataclasses) has no file.
- calls: all calls of these functions. A generator or coroutine is called once, however often it resumes. The number
  grows with the length of the article: a function for each tag of the text counts for each tag.
- hops: distinct pairs of caller and function (Scrapy counts as one caller). A reader follows these; the number does not
  grow with the article.
- functions, files: the number of distinct functions and files in the calls.
- changes of file: in the functions ordered by first call, the number that are in another file than their predecessor.

A count by hand at c224b94 had 213 calls of 198 functions, 37 files, 85 changes of file, by the same definitions except
for the 213: it counts a function once for each of six parts of the way, and so is between `functions` and `hops`.

`--list` prints the functions in the order of their first call. The crawl runs twice, and again until two traces agree.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from crawl import FAST_OPTIONS
from measure import BENCHMARKS_DIR, PYTHON, SampleServer, run_sample_server

# The sample site has no article of its own in this column.
COLUMN = "1207"
_MAX_TRIES = 6
# No files are written into a checkout; errors have a traceback.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "FINEWS_DEBUG": "1"}

Function = tuple[str, str]
Trace = tuple[tuple[Function | None, Function], ...]
"""Pairs of caller (None: not in crawler/) and called function; a function is a file and a name."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a trace, as defined in the docstring of the module."""

    calls: int
    hops: int
    functions: int
    files: int
    changes_of_file: int

    @classmethod
    def from_trace(cls, trace: Trace) -> "Counts":
        """Count a trace."""
        functions = in_order(trace)
        changes = sum(before[0] != after[0] for before, after in pairwise(functions))
        return cls(len(trace), len(set(trace)), len(functions), len({file for file, _ in functions}), changes)


def in_order(trace: Trace) -> list[Function]:
    """Return the functions of a trace, each once, in the order of their first call."""
    return list(dict.fromkeys(function for _, function in trace))


def steady_trace(site: SampleServer, checkout: Path) -> Trace:
    """Trace crawls until two agree: on a busy machine a timer may fire before the crawl is idle."""
    seen: set[Trace] = set()
    for _ in range(_MAX_TRIES):
        if (trace := trace_of(site, checkout)) in seen:
            return trace
        seen.add(trace)
    raise SystemExit(f"{checkout}: {_MAX_TRIES} crawls, and no two called the same functions")


def trace_of(site: SampleServer, checkout: Path) -> Trace:
    """Trace one crawl. Raises SystemExit with its output when it did not save the article."""
    with tempfile.TemporaryDirectory(prefix="finews-hops-") as folder:
        written, output = Path(folder) / "trace.json", Path(folder) / "output"
        words = ["crawl", "eastmoney", "--column", COLUMN, "--mirror", site.url, "--output", str(output), "--quiet"]
        crawl = subprocess.run(
            [
                PYTHON,
                "-P",
                str(BENCHMARKS_DIR / "traced.py"),
                str(checkout),
                str(written),
                str(output),
                *words,
                *FAST_OPTIONS,
            ],
            env={**os.environ, "PYTHONPATH": str(checkout), **_ENVIRONMENT},
            capture_output=True,
            text=True,
        )
        if crawl.returncode or not written.exists():
            printed = (crawl.stdout + crawl.stderr)[-2000:]
            raise SystemExit(f"{checkout}: no article was taken in, exit code {crawl.returncode}\n{printed}")
        return read_trace(written)


def read_trace(path: Path) -> Trace:
    """Read the trace that traced.py wrote."""
    return tuple((caller and tuple(caller), tuple(called)) for caller, called in json.loads(path.read_text()))


def print_counts(counts: dict[str, Counts]) -> None:
    """Print a row for each checkout, and for each after the first its ratios to the first."""
    names = [field.name.replace("_", " ") for field in fields(Counts)]
    print(f"| checkout | {' | '.join(names)} |\n|---|{'--:|' * len(names)}")
    first = astuple(next(iter(counts.values())))
    for number, (name, count) in enumerate(counts.items()):
        print(f"| {name} | {' | '.join(f'{value:,}' for value in astuple(count))} |")
        if number:
            ratios = [value / base for value, base in zip(astuple(count), first, strict=True)]
            print(f"| ratio to the first | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")


def print_functions(name: str, trace: Trace) -> None:
    """Print the functions in order, and the file where it changes."""
    print(f"\n{name}")
    before = ""
    for file, function in in_order(trace):
        print(f"    {file if file != before else '':30} {function}")
        before = file


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--list"]
    checkouts = {word: Path(word).resolve() for word in words or [str(BENCHMARKS_DIR.parent)]}
    if missing := [name for name, checkout in checkouts.items() if not (checkout / "crawler").is_dir()]:
        raise SystemExit(f"no checkout with a folder crawler/: {', '.join(missing)}")
    with run_sample_server(1, COLUMN) as site:
        traces = {name: steady_trace(site, checkout) for name, checkout in checkouts.items()}
    print_counts({name: Counts.from_trace(trace) for name, trace in traces.items()})
    for name, trace in traces.items() if "--list" in sys.argv else ():
        print_functions(name, trace)


if __name__ == "__main__":
    main()
