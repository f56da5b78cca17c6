"""Errors between this machine and a source: proxies that fail, and certificates that are not trusted."""

import re

from scrapy import Request

from crawler.crawl.policy.proxies import describe_proxy

# HTTP statuses of a proxy that wants a password, or that cannot reach the host.
_PROXY_STATUSES = {407, 502, 503, 504}
_TUNNEL_STATUS = re.compile(r"'status': ([0-9]{3})", re.ASCII)


def describe_transport_error(error: BaseException | None, request: Request) -> str:
    """Return one line about a proxy or a certificate that failed; empty for any other error."""
    # A crawl has loaded them by then; other commands do without.
    from OpenSSL.SSL import Error as TlsError
    from scrapy.core.downloader.handlers.http11 import TunnelError
    from service_identity import VerificationError

    if isinstance(error, TunnelError):
        status = _TUNNEL_STATUS.search(str(error))
        return f"{f'HTTP {status[1]}' if status else 'no HTTP response'} from the proxy {_get_proxy(request)}"
    causes = [failure.value for failure in getattr(error and error.__cause__, "reasons", ())]
    if any(isinstance(cause, VerificationError) for cause in causes):
        return (
            f"{through_proxy(request)}the certificate is another host's: another machine answers in place of this one,"
            " and SSL_CERT_FILE cannot change that"
        )
    if any(isinstance(cause, TlsError) and "certificate verify failed" in str(cause) for cause in causes):
        return (
            f"{through_proxy(request)}the certificate has expired, or its authority is unknown here: name a PEM file"
            " with that authority in the environment's SSL_CERT_FILE"
        )
    return ""


def describe_proxy_status(status: int, request: Request) -> str:
    """Return which proxy a status may come from; empty for a status that is the source's own."""
    # Through a proxy's tunnel, which TLS needs, only the source itself answers.
    may_be_proxy = status in _PROXY_STATUSES and request.url.startswith("http:") and _get_proxy(request)
    return f" from the proxy {_get_proxy(request)}" if may_be_proxy else ""


def through_proxy(request: Request) -> str:
    """Return the words that name a request's proxy, before an error; empty when it has none."""
    return f"through the proxy {_get_proxy(request)}: " if _get_proxy(request) else ""


def _get_proxy(request: Request) -> str:
    return describe_proxy(request.meta.get("proxy") or "")
