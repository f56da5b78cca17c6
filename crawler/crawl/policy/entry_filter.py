"""Which listing entries need a request. Pure: what is known is handed in."""

from crawler.content.categories import Media
from crawler.content.dates import iso
from crawler.crawl.policy.seen_codes import Codes
from crawler.crawl.policy.selection import Selection
from crawler.items import Entry, Known, Outcome

DUPLICATE = "listed already in this crawl"
WITHDRAWN = "withdrawn at the source: "
STILL_REFUSED = "in quarantine since an earlier crawl: "


def matches_listing(known: Known, entry: Entry) -> bool:
    """Return whether a listing still says of an entry what it said when its article was taken in."""
    return (known.title, known.published_at) == (entry.title, iso(entry.published))


# The outcome of an entry that needs no request, and why; no outcome for one that is to be fetched.
Decision = tuple[Outcome | None, str]


class Triage:
    """Decides entry by entry, and remembers what it has met in this crawl."""

    def __init__(self, spider: str, supersedes: frozenset[str], selection: Selection, media: Media) -> None:
        self._spider, self._supersedes = spider, supersedes
        self._selection, self._media = selection, media
        self._met = Codes()
        self._wanted = 0

    @property
    def still_wanted(self) -> int | None:
        """How many more entries are wanted; None without a limit."""
        return None if self._selection.limit is None else max(0, self._selection.limit - self._wanted)

    @property
    def limit_reached(self) -> bool:
        return self.still_wanted == 0

    def has_met(self, code: str) -> bool:
        return code in self._met

    def meet(self, code: str) -> bool:
        """Whether a code is met for the first time in this crawl; a row without one always is."""
        first = code not in self._met
        if code:
            self._met.add(code)
        return first

    def decide(self, entry: Entry, known: Known | None) -> Decision:
        if self.has_met(entry.code):
            return Outcome.DUPLICATE, DUPLICATE
        # What is filtered is not met: another listing may name the media that this one leaves out.
        if reason := self._selection.unwanted(entry, self._media):
            return Outcome.FILTERED, reason
        if self.limit_reached:
            return Outcome.FILTERED, "over --limit"
        self.meet(entry.code)
        self._wanted += 1
        return self._decide_known(entry, known) if known else (None, "")

    def _decide_known(self, entry: Entry, known: Known) -> Decision:
        ours = known.source == self._spider
        if known.source and not ours and known.source not in self._supersedes:
            return Outcome.UNCHANGED, f"kept by {known.source}"
        if not matches_listing(known, entry) or known.withdrawn or self._is_to_be_refreshed(entry, known):
            return None, ""
        if known.refused:
            return Outcome.UNCHANGED, STILL_REFUSED + known.refused
        return (Outcome.UNCHANGED, "") if ours else (None, "")

    def _is_to_be_refreshed(self, entry: Entry, known: Known) -> bool:
        refresh = self._selection.refresh
        return refresh is not None and known.source is not None and entry.published >= refresh
