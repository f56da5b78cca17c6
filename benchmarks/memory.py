"""Does the memory of a crawl depend on how many articles it takes in? Each crawl is a child; the kernel tells its peak.

    python benchmarks/memory.py [FEW [MANY [ROUNDS]]]

The articles stand in all columns that the source has, so that 100,000 of them are listed by pages that are just within
what it lists of one column (5,000). The crawl of MANY takes some ten minutes for 100,000; it runs once.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from crawl import anew, finews
from measure import Cost, machine, served, spread

from crawler.spiders.eastmoney import COLUMNS


def crawls(articles: int, rounds: int, folder: Path) -> tuple[int, list[Cost]]:
    """How many articles came, and what each crawl took."""
    with served(articles, *COLUMNS) as site:
        columns = [word for column in COLUMNS for word in ("--column", column)]
        costs = [anew([*finews(site, folder), *columns], folder) for _ in range(rounds)]
    return sum(1 for _ in (folder / "_posts").rglob("*.md")), costs


def main() -> None:
    few, many, rounds = [*map(int, sys.argv[1:]), *(2_000, 100_000, 5)[len(sys.argv) - 1 :]]
    print(f"{machine()}; {rounds} crawls of the few, one of the many\n")
    print("| articles | peak MB | CPU s per 1,000 | seconds |\n|---|---|---|---|")
    peaks = []
    for articles, times in ((few, rounds), (many, 1)):
        with tempfile.TemporaryDirectory() as folder:
            taken, costs = crawls(articles, times, Path(folder) / "output")
        peaks.append(statistics.median(each.memory for each in costs))
        cpu = spread([each.cpu * 1000 / taken for each in costs])
        memory, seconds = spread([each.memory for each in costs], 0), spread([each.seconds for each in costs], 0)
        print(f"| {taken:,} | {memory} | {cpu} | {seconds} |", flush=True)
    print(f"\nratio of the peaks: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
