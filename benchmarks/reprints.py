"""What does it cost to look for reprints? CPU time an article, as a share of a crawl of the sample site.

python -m benchmarks.reprints [ARTICLES]
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from crawler.sample_site import Corpus, SampleSite
from crawler.storage import Store

_NO_MANNERS = ("--set", "DOWNLOAD_DELAY=0", "--set", "AUTOTHROTTLE_ENABLED=0")


def main() -> None:
    articles = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with tempfile.TemporaryDirectory(prefix="finews-benchmark-") as folder:
        output = Path(folder) / "output"
        crawl = crawled(output, articles)
        with Store.open_rw(output) as store:
            start = time.process_time()
            number = store.reprint_clusters.rebuild()
            reprints = time.process_time() - start
            compared = store.reprint_clusters.compared_pairs
    print(f"{number} articles: crawl {crawl / number * 1e3:.2f} ms of CPU each, with reprints; {compared} comparisons")
    print(
        f"reprints alone {reprints / number * 1e3:.2f} ms each: {reprints / (crawl - reprints):.1%} on top of the rest"
    )


def crawled(output: Path, articles: int) -> float:
    """CPU seconds of one crawl; the site's own do not count."""
    with SampleSite(Corpus.sample(articles)) as site:
        words = ("crawl", "eastmoney", "--mirror", site.url, "--output", str(output), *_NO_MANNERS, "--quiet")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "crawler", *words], check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
