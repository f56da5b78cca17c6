"""A small real web server that answers as the source does: for the demo, the tests and the benchmarks.

    with SampleSite(articles=50) as site:
        site.corpus.publish(3)
        site.fail("page_index=2", status(503), times=1)
        ...  # crawl site.url
        print(site.article_requests)

It holds real posts of the old site, recorded replies, and as many made-up articles as wanted. It imports
nothing else of this project, so that it cannot share a mistake with the code that it tests.
"""

from crawler.sample_site.corpus import NEWEST, Corpus, Listed, SourceArticle
from crawler.sample_site.faults import (
    Fault,
    body,
    cut,
    cut_chunks,
    drip,
    edited,
    endless,
    hang,
    raw,
    redirect,
    reset,
    reset_in_body,
    status,
    undeclared,
    wrong_length,
)
from crawler.sample_site.http import Exchange, Hit, Reply
from crawler.sample_site.server import Hits, SampleSite

__all__ = [
    "NEWEST",
    "Corpus",
    "Exchange",
    "Fault",
    "Hit",
    "Hits",
    "Listed",
    "Reply",
    "SampleSite",
    "SourceArticle",
    "body",
    "cut",
    "cut_chunks",
    "drip",
    "edited",
    "endless",
    "hang",
    "raw",
    "redirect",
    "reset",
    "reset_in_body",
    "status",
    "undeclared",
    "wrong_length",
]
