"""What a command costs: it runs as a child of its own, and the kernel says what it took.

Subjects are run by turns, round after round, so that whatever else the machine does meets all of them alike; each
figure is the median of the rounds, and a ratio compares medians of the same run.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
HERE = Path(__file__).parent
# As most users have it: our modules are compiled once, in the round that does not count, and not in every process.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run: seconds on the clock, seconds of CPU (user and system), and MB of memory at its highest."""

    seconds: float
    cpu: float
    memory: float


def cost(words: list[str], *, cwd: Path | None = None) -> Cost:
    """Run a command to its end. Raises SystemExit with what it said when it fails."""
    found, code, said = run(words, cwd=cwd)
    if code:
        raise SystemExit(f"{' '.join(words)}: exit {code}\n{said[-2000:]}")
    return found


def run(words: list[str], *, cwd: Path | None = None) -> tuple[Cost, int, str]:
    """Run a command to its end: what it took, its exit code, and what it said on both outputs."""
    started = time.perf_counter()
    with subprocess.Popen(
        words, cwd=cwd, env=_ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024), child.returncode, said


def by_turns(subjects: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Each subject once a round; a first round warms everything up and does not count."""
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, run in subjects.items():
            found = run()
            if number:
                costs[name].append(found)
            print(f"  round {number}: {name}: {found.seconds:.2f} s, {found.cpu:.2f} s CPU", file=sys.stderr)
    return costs


def spread(values: list[float], digits: int = 2) -> str:
    """Median, and least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def ratio(values: list[float], baseline: list[float]) -> str:
    """Of the medians."""
    return f"{statistics.median(values) / statistics.median(baseline):.2f}"


def table(costs: Mapping[str, list[Cost]], articles: Mapping[str, int], baseline: str) -> None:
    """A row a subject; `articles` is how many each took in, and `baseline` whose CPU and speed are 1."""
    print("| | articles/s | CPU s per 1,000 | peak MB | CPU, ratio | articles/s, ratio |")
    print("|---|---|---|---|---|---|")
    speed = {name: [articles[name] / each.seconds for each in runs] for name, runs in costs.items()}
    cpu = {name: [each.cpu * 1000 / articles[name] for each in runs] for name, runs in costs.items()}
    for name, runs in costs.items():
        memory = spread([each.memory for each in runs], 0)
        print(
            f"| {name} | {spread(speed[name], 0)} | {spread(cpu[name])} | {memory} "
            f"| {ratio(cpu[name], cpu[baseline])} | {ratio(speed[name], speed[baseline])} |"
        )


def plain_table(costs: Mapping[str, list[Cost]], baseline: str) -> None:
    """A row a subject, for what takes in no article."""
    print("| | seconds | CPU s | peak MB | CPU, ratio | seconds, ratio |")
    print("|---|---|---|---|---|---|")
    base = costs[baseline]
    for name, runs in costs.items():
        cpu, seconds = [each.cpu for each in runs], [each.seconds for each in runs]
        print(
            f"| {name} | {spread(seconds)} | {spread(cpu)} | {spread([each.memory for each in runs], 0)} "
            f"| {ratio(cpu, [each.cpu for each in base])} | {ratio(seconds, [each.seconds for each in base])} |"
        )


def machine() -> str:
    """What it was measured on, in a line."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def work_folder() -> Path:
    """An empty folder for what is made while it is measured. It stays: whatever is deleted makes it slower for minutes
    to make files, so that `make bench` deletes all at its end."""
    return Path(tempfile.mkdtemp(prefix="finews-benchmark-"))


class Served:
    """The sample site in a process of its own."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.url = self._read()

    def ask(self, words: str) -> str:
        """`count`: the requests since it was last asked; `publish N`: so many articles more."""
        assert self._child.stdin
        self._child.stdin.write(f"{words}\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._child.stdout
        return self._child.stdout.readline().strip()


@contextmanager
def served(articles: int, *columns: str) -> Iterator[Served]:
    """A sample site of so many made-up articles, in the columns that the sample has or in these."""
    words = [PYTHON, str(HERE / "served.py"), str(articles), *columns]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Served(child)
        finally:
            child.terminate()
