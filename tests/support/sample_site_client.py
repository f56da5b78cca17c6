"""Requests to the sample site."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

from crawler.sample_site import SampleSite

DIRECT_OPENER = build_opener(ProxyHandler({}))


def get(sample_site: SampleSite, path: str, **query: object) -> bytes:
    address = f"{sample_site.url}{path}{'?' + urlencode(query) if query else ''}"
    with DIRECT_OPENER.open(address, timeout=10) as response:
        return bytes(response.read())


def get_json(sample_site: SampleSite, path: str, **query: object) -> Any:
    return json.loads(get(sample_site, path, **query))


def get_error(sample_site: SampleSite, path: str) -> tuple[int, bytes]:
    with pytest.raises(HTTPError) as exc_info:
        get(sample_site, path)
    with exc_info.value as error:
        return error.code, error.read()


def get_column_page(sample_site: SampleSite, **query: object) -> Any:
    parameters = {"client": "web", "biz": "web_news_col", "column": "344", "req_trace": "1"} | query
    return get_json(sample_site, "/comm/web/getNewsByColumns", **parameters)
