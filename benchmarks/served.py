"""Serve the sample site and obey commands on standard input; measure.py runs this script.

python benchmarks/served.py ARTICLES [COLUMN...]
"""

import sys

from crawler.sample_site import Corpus, SampleSite


def main() -> None:
    article_count, *columns = sys.argv[1:]
    corpus_options = {"columns": tuple(columns)} if columns else {}
    with SampleSite(Corpus.sample(int(article_count), **corpus_options)) as site:
        print(site.url, flush=True)
        for line in sys.stdin:
            command, *numbers = line.split()
            if command == "publish":
                print(len(site.corpus.publish(int(numbers[0]))), flush=True)
            else:
                print(len(site.requests), flush=True)
                site.requests.clear()


main()
