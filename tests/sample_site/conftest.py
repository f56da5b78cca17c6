"""Fixture: a sample site with five made-up articles, for one test."""

from collections.abc import Iterator

import pytest

from crawler.sample_site import SampleSite


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    with SampleSite(article_count=5) as sample_site:
        yield sample_site
