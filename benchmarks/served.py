"""Serves the sample site, and answers on standard input how many requests came; run by measure.py."""

import sys

from crawler.sample_site import Corpus, SampleSite


def main() -> None:
    with SampleSite(Corpus.sample(int(sys.argv[1]))) as site:
        print(site.url, flush=True)
        for line in sys.stdin:
            command, *numbers = line.split()
            if command == "publish":
                print(len(site.corpus.publish(int(numbers[0]))), flush=True)
            else:
                print(len(site.requests), flush=True)
                site.requests.reset()


main()
