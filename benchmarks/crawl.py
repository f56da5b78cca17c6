"""What does a crawl cost, against a bare spider, the site's first script, and a crawl that finds nothing?

python benchmarks/crawl.py [ARTICLES [ROUNDS]]
"""

import sys
import tempfile
from pathlib import Path

from measure import HERE, PYTHON, Cost, Served, by_turns, cost, machine, plain_table, served, table, work_folder

from crawler.sample_site import SampleSite

# The sample site asks for no manners, and the bare spider has none.
FAST = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0", "--set", "CONCURRENT_REQUESTS=16",
        "--set", "CONCURRENT_REQUESTS_PER_DOMAIN=8")  # fmt: skip


def finews(site: Served | SampleSite, output: Path, spider: str = "eastmoney") -> list[str]:
    where = ("--mirror", site.url, "--output", str(output))
    return [PYTHON, "-m", "crawler", "crawl", spider, *where, *FAST, "--quiet"]


def bare(site: Served, *words: str) -> list[str]:
    return [PYTHON, str(HERE / "bare_spider.py"), site.url, *words]


def old_script(site: Served, folder: Path, rounds: int) -> list[str]:
    return [PYTHON, str(HERE / "old_script.py"), site.url, str(folder), str(rounds)]


def anew(words: list[str], output: Path) -> Cost:
    """With an empty output folder. What stood there is moved aside: ext4 looks past all that was deleted in the last
    minutes whenever a file is made, which once cost more than all else that finews does with a post."""
    if output.exists():
        output.rename(tempfile.mkdtemp(prefix="before-", dir=output.parent))
    return cost(words)


def whole_crawl(articles: int, rounds: int, folder: Path) -> None:
    with served(articles) as site:
        output = folder / "output"
        subjects = {
            "bare spider, Scrapy's defaults": lambda: cost(bare(site)),
            "bare spider, Scrapy's defaults and log": lambda: cost(bare(site, "log")),
            "bare spider, finews' settings": lambda: cost(bare(site, "lean")),
            "finews": lambda: anew(finews(site, output), output),
        }
        costs = by_turns(subjects, rounds)
        taken = len(list((output / "_posts").rglob("*.md")))
        print(f"\n### A whole crawl of {taken:,} articles\n")
        table(costs, dict.fromkeys(subjects, taken), "bare spider, Scrapy's defaults")
        nothing_new(site, output, rounds)


def nothing_new(site: Served, output: Path, rounds: int) -> None:
    """The output folder is that of the crawl before."""
    costs = by_turns(
        {
            "import scrapy": lambda: cost([PYTHON, "-c", "import scrapy"]),
            "bare spider, Scrapy's defaults": lambda: cost(bare(site, "nothing")),
            "finews": lambda: cost(finews(site, output)),
        },
        rounds,
    )
    print("\n### A crawl that finds nothing new, and a bare spider that sends the same requests\n")
    plain_table(costs, "bare spider, Scrapy's defaults")


def against_the_old_script(rounds: int, folder: Path) -> None:
    """Five lists of 100; then 15 new articles: the first script takes all again, five times."""
    with served(3_100) as site:
        output = folder / "choice"
        cost(finews(site, output, "choice"))
        asked: dict[str, int] = {}

        def counted(name: str, words: list[str]) -> Cost:
            site.ask("count")
            found = cost(words)
            asked[name] = int(site.ask("count"))
            return found

        def steady() -> Cost:
            site.ask("publish 90")  # of which each sixth is in one of the five lists
            return counted("finews", finews(site, output, "choice"))

        def old() -> Cost:
            return counted("first script, 5 rounds", old_script(site, folder / "old", 5))

        costs = by_turns({"first script, 5 rounds": old, "finews": steady}, rounds)
        print("\n### Five lists of 100 articles, 15 of them new\n")
        plain_table(costs, "first script, 5 rounds")
        print("\nrequests: " + ", ".join(f"{name} {count:,}" for name, count in asked.items()))
        costs = by_turns(
            {
                "first script, 1 round": lambda: cost(old_script(site, folder / "old", 1)),
                "finews": lambda: anew(finews(site, output, "choice"), output),
            },
            rounds,
        )
        print("\n### The same lists, all new\n")
        table(costs, dict.fromkeys(costs, 500), "first script, 1 round")


def main() -> None:
    articles, rounds = [*map(int, sys.argv[1:]), *(2_000, 5)[len(sys.argv) - 1 :]]
    print(f"{machine()}; {rounds} rounds")
    folder = work_folder()
    whole_crawl(articles, rounds, folder)
    against_the_old_script(rounds, folder)


if __name__ == "__main__":
    main()
