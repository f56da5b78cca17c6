"""Responses of the sample site that a test holds back."""

from threading import Event

from crawler.sample_site import Exchange, RequestLog, SampleSite, delay_response


class HeldResponses:
    """Answers the first requests and holds back the responses to all others until `release`.

    A test then knows the state of the crawl on a machine of any speed.
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
