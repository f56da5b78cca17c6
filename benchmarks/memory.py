"""Measure the peak memory of crawls of few and of many articles, each in a child process.

    python benchmarks/memory.py [FEW [MANY [ROUNDS]]]

The articles are in all columns of the source: 100,000 articles stay within the 5,000 that it lists for one column. The
crawl of MANY runs once; 100,000 articles take about ten minutes.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from crawl import finews_command, measure_into_empty_output
from measure import Cost, describe_machine, format_spread, run_sample_server

from crawler.spiders.eastmoney import COLUMNS


def measure_crawls(article_count: int, rounds: int, folder: Path) -> tuple[int, list[Cost]]:
    """Return the number of saved articles and the cost of each crawl."""
    with run_sample_server(article_count, *COLUMNS) as site:
        columns = [word for column in COLUMNS for word in ("--column", column)]
        costs = [measure_into_empty_output([*finews_command(site, folder), *columns], folder) for _ in range(rounds)]
    return sum(1 for _ in (folder / "_posts").rglob("*.md")), costs


def main() -> None:
    small_size, large_size, rounds = [*map(int, sys.argv[1:]), *(2_000, 100_000, 5)[len(sys.argv) - 1 :]]
    print(f"{describe_machine()}; {rounds} crawls of the few, one of the many\n")
    print("| articles | peak MB | CPU s per 1,000 | seconds |\n|---|---|---|---|")
    peaks = []
    for article_count, repeats in ((small_size, rounds), (large_size, 1)):
        with tempfile.TemporaryDirectory() as folder:
            saved_count, costs = measure_crawls(article_count, repeats, Path(folder) / "output")
        peaks.append(statistics.median(crawl_cost.peak_mb for crawl_cost in costs))
        cpu = format_spread([each.cpu_seconds * 1000 / saved_count for each in costs])
        memory, seconds = (
            format_spread([each.peak_mb for each in costs], 0),
            format_spread([each.seconds for each in costs], 0),
        )
        print(f"| {saved_count:,} | {memory} | {cpu} | {seconds} |", flush=True)
    print(f"\nratio of the peaks: {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
