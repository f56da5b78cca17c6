"""Responses of the sample site that come when the test says so."""

from threading import Event

from crawler.sample_site import Exchange, RequestLog, SampleSite, delay_response


class HeldResponses:
    """Lets the first requests pass and holds the reply to every other one back until it is opened.

    So a test knows what a crawl is doing meanwhile, however fast the machine is.
    """

    def __init__(self, sample_site: SampleSite, pattern: str, *, pass_first: int = 0) -> None:
        self.held_requests = RequestLog()
        self._site = sample_site
        self._released = Event()
        sample_site.add_fault(pattern, delay_response(0), times=pass_first)
        sample_site.add_fault(pattern, self)

    def apply(self, exchange: Exchange) -> None:
        self.held_requests.append(exchange.request)
        while not self._released.is_set() and not exchange.stop_event.is_set():
            exchange.wait(0.01)
        exchange.send_response(exchange.default_response)

    def release(self) -> None:
        self._released.set()
        self._site.clear_faults()
