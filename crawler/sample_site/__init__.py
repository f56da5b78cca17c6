"""Sample site: a small web server that responds as the source does, for demo, tests and benchmarks.

    with SampleSite(article_count=50) as site:
        site.corpus.publish(3)
        site.add_fault("page_index=2", return_status(503), times=1)
        ...  # crawl site.url
        print(site.requested_codes)

It serves real posts of the old site, recorded responses, and any number of made-up articles. It imports nothing
else of this project, so it cannot share a mistake with the code that it tests.
"""

from crawler.sample_site.corpus import NEWEST_AT, Corpus, ListedArticle, SourceArticle
from crawler.sample_site.faults import (
    Fault,
    declare_length,
    delay_response,
    drip_response,
    edit_response,
    omit_length,
    reset_connection,
    reset_mid_body,
    return_body,
    return_redirect,
    return_status,
    send_forever,
    send_raw,
    truncate_body,
    truncate_chunks,
)
from crawler.sample_site.http_exchange import Exchange, HttpRequest, HttpResponse
from crawler.sample_site.server import RequestLog, SampleSite

__all__ = [
    "NEWEST_AT",
    "Corpus",
    "Exchange",
    "Fault",
    "HttpRequest",
    "HttpResponse",
    "ListedArticle",
    "RequestLog",
    "SampleSite",
    "SourceArticle",
    "declare_length",
    "delay_response",
    "drip_response",
    "edit_response",
    "omit_length",
    "reset_connection",
    "reset_mid_body",
    "return_body",
    "return_redirect",
    "return_status",
    "send_forever",
    "send_raw",
    "truncate_body",
    "truncate_chunks",
]
