"""Tests of the sample site's faults, as a client sees them."""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

import pytest

from crawler.sample_site import (
    Fault,
    SampleSite,
    declare_length,
    delay_response,
    drip_response,
    reset_connection,
    return_body,
    return_redirect,
    return_status,
    send_raw,
    truncate_body,
)
from tests.support.sample_site_client import DIRECT_OPENER, get, get_column_page, get_error


class NoRedirectHandler(HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def get_raw_bytes(sample_site: SampleSite, path: str = "/robots.txt") -> bytes:
    """Return all bytes that the site sends until it closes the connection."""
    host, port = sample_site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := connection.recv(65536):
            received += data
        return received


def split_response(response: bytes) -> tuple[bytes, bytes]:
    head, _, text = response.partition(b"\r\n\r\n")
    return head, text


ROBOTS_TXT = b"User-agent: *\nAllow: /\n"


def test_status(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", return_status(503, b"later", {"Retry-After": "30"}))
    head, text = split_response(get_raw_bytes(sample_site))
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 30" in head
    assert text == b"later"


def test_body(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", return_body(b"\xff\xfe", content_type="text/plain; charset=gbk"))
    head, text = split_response(get_raw_bytes(sample_site))
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Type: text/plain; charset=gbk" in head
    assert text == b"\xff\xfe"


def test_reset(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", reset_connection())
    with pytest.raises(ConnectionResetError):
        get_raw_bytes(sample_site)


def test_hang_is_silent_until_the_client_gives_up(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", delay_response(60))
    with pytest.raises(TimeoutError):
        DIRECT_OPENER.open(f"{sample_site.url}/robots.txt", timeout=0.2)


def test_hang_answers_at_last(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", delay_response(0.01))
    assert get(sample_site, "/robots.txt") == ROBOTS_TXT


def test_cut(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", truncate_body(5))
    head, text = split_response(get_raw_bytes(sample_site))
    assert b"Content-Length: 23" in head
    assert text == ROBOTS_TXT[:5]
    with pytest.raises(http.client.IncompleteRead):
        get(sample_site, "/robots.txt")


def test_drip(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", drip_response(5000))
    assert split_response(get_raw_bytes(sample_site))[1] == ROBOTS_TXT
    assert get(sample_site, "/robots.txt") == ROBOTS_TXT


def test_redirect(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", return_redirect("http://127.0.0.1:9/elsewhere", 301))
    with pytest.raises(HTTPError) as exc_info:
        build_opener(ProxyHandler({}), NoRedirectHandler()).open(f"{sample_site.url}/robots.txt", timeout=10)
    assert exc_info.value.code == 301
    assert exc_info.value.headers["Location"] == "http://127.0.0.1:9/elsewhere"
    exc_info.value.close()


def test_wrong_length(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", declare_length(3))
    head, text = split_response(get_raw_bytes(sample_site))
    assert b"Content-Length: 3\r\n" in head + b"\r\n"
    assert text == ROBOTS_TXT


def test_raw(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", send_raw(b"\x16\x03\x01 no HTTP"))
    assert get_raw_bytes(sample_site) == b"\x16\x03\x01 no HTTP"


def test_fault_is_used_the_given_number_of_times(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", return_status(500), times=2)
    sample_site.add_fault("robots", return_status(404), times=1)
    statuses = [get_raw_bytes(sample_site).split()[1] for _ in range(4)]
    assert statuses == [b"500", b"500", b"404", b"200"]


def test_fault_matches_path_and_query(sample_site: SampleSite) -> None:
    sample_site.add_fault(r"getNewsByColumns.*page_index=2", return_status(500))
    assert get_column_page(sample_site, page_index=1)["code"] == "1"
    query = "client=web&biz=x&column=344&page_index=2&req_trace=1"
    assert get_error(sample_site, f"/comm/web/getNewsByColumns?{query}")[0] == 500


def test_heal_and_reset(sample_site: SampleSite) -> None:
    sample_site.add_fault("robots", return_status(500))
    sample_site.clear_faults()
    assert get(sample_site, "/robots.txt") == ROBOTS_TXT
    sample_site.add_fault("robots", return_status(500))
    sample_site.reset()
    assert len(sample_site.requests) == 0
    assert get(sample_site, "/robots.txt") == ROBOTS_TXT


@pytest.mark.parametrize(
    "fault", [return_status(500), truncate_body(3), declare_length(1), send_raw(b"x"), reset_connection()]
)
def test_fault_affects_only_its_request(sample_site: SampleSite, fault: Fault) -> None:
    sample_site.add_fault("robots", fault, times=1)
    with suppress(ConnectionResetError):
        get_raw_bytes(sample_site)
    assert get(sample_site, "/robots.txt") == ROBOTS_TXT
    assert len(sample_site.requests) == 2


def test_garbage_is_no_request(sample_site: SampleSite) -> None:
    host, port = sample_site.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\r\n")
        assert connection.recv(10) == b""
    assert len(sample_site.requests) == 0
