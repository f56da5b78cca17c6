"""Messages for transport errors: failed proxies, and certificates that are not trusted."""

import re

from scrapy import Request

from crawler.crawl.policy.proxies import describe_proxy

# HTTP statuses of a proxy that requires a password, or that cannot reach the host.
_PROXY_STATUSES = {407, 502, 503, 504}
_TUNNEL_STATUS = re.compile(r"'status': ([0-9]{3})", re.ASCII)


def describe_transport_error(error: BaseException | None, request: Request) -> str:
    """Return one line about a failed proxy or certificate; empty for any other error."""
    # Imported here because only a crawl, which has loaded them already, needs them.
    from OpenSSL.SSL import Error as TlsError
    from scrapy.core.downloader.handlers.http11 import TunnelError
    from service_identity import VerificationError

    if isinstance(error, TunnelError):
        status = _TUNNEL_STATUS.search(str(error))
        return f"{f'HTTP {status[1]}' if status else 'no HTTP response'} from the proxy {_get_proxy(request)}"
    causes = [failure.value for failure in getattr(error and error.__cause__, "reasons", ())]
    if any(isinstance(cause, VerificationError) for cause in causes):
        return (
            f"{through_proxy(request)}the certificate is another host's: another server responds in place of the"
            " source, and SSL_CERT_FILE cannot change that"
        )
    if any(isinstance(cause, TlsError) and "certificate verify failed" in str(cause) for cause in causes):
        return (
            f"{through_proxy(request)}the certificate has expired, or its authority is unknown here: name a PEM file"
            " with that authority in the environment's SSL_CERT_FILE"
        )
    return ""


def describe_proxy_status(status: int, request: Request) -> str:
    """Return the proxy that a status may come from; empty for a status of the source itself."""
    # An https response comes through a tunnel, from the source itself.
    may_be_proxy = status in _PROXY_STATUSES and request.url.startswith("http:") and _get_proxy(request)
    return f" from the proxy {_get_proxy(request)}" if may_be_proxy else ""


def through_proxy(request: Request) -> str:
    """Return a request's proxy as the start of an error message; empty without one."""
    return f"through the proxy {_get_proxy(request)}: " if _get_proxy(request) else ""


def _get_proxy(request: Request) -> str:
    return describe_proxy(request.meta.get("proxy") or "")
