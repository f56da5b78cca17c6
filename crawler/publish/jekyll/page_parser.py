"""Page parser for built HTML pages and Atom feeds: headings, times, links, and problems of feeds."""

from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

_ATOM_NAMESPACE = "{http://www.w3.org/2005/Atom}"
_REQUIRED_ELEMENTS = {"feed": ("id", "title", "updated"), "entry": ("id", "title", "updated", "link")}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Content of a page: its heading, time and links, and whether its body has text.

    `heading` and `published_at` are empty where the page has none. `links` include what the page loads.
    """

    heading: str
    published_at: str
    links: tuple[str, ...]
    has_text: bool


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """Links of an Atom feed, and what readers of RFC 4287 would reject."""

    links: list[str]
    problems: list[str]


def parse_page(content: bytes) -> PageFacts:
    """Parse a page of any bytes, empty ones included."""
    if not content.strip():
        return PageFacts("", "", (), has_text=False)
    try:
        page: HtmlElement = lxml_html.document_fromstring(content, parser=lxml_html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:
        return PageFacts("", "", (), has_text=False)
    heading = next(page.iter("h1"), None)
    siblings = heading.itersiblings() if heading is not None else ()
    times = (element for sibling in siblings for element in sibling.iter("time"))
    body = page.find("body")
    return PageFacts(
        heading="".join(heading.itertext()).strip() if heading is not None else "",
        published_at=next((time.get("datetime", "") for time in times), ""),
        links=tuple(link for _, _, link, _ in page.iterlinks()),
        has_text=body is not None and bool(body.text_content().strip()),
    )


def parse_feed(content: bytes) -> FeedFacts:
    """Parse an Atom feed of any bytes: no link and one problem where it is not a feed."""
    try:
        feed = etree.fromstring(content, parser=etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        return FeedFacts([], [f"not XML: {error}"])
    links = [link.get("href", "") for link in feed.iter(f"{_ATOM_NAMESPACE}link")]
    if feed.tag != f"{_ATOM_NAMESPACE}feed":
        return FeedFacts(links, ["not an Atom feed"])
    problems = [f"it has no {name}" for name in _REQUIRED_ELEMENTS["feed"] if not _has_value(feed, name)]
    entries = feed.findall(f"{_ATOM_NAMESPACE}entry")
    for number, entry in enumerate(entries, 1):
        missing = (name for name in _REQUIRED_ELEMENTS["entry"] if not _has_value(entry, name))
        problems += [f"entry {number} has no {name}" for name in missing]
    ids = [entry.findtext(f"{_ATOM_NAMESPACE}id") for entry in entries]
    if len(set(ids)) < len(ids):
        problems.append("two entries have one id")
    return FeedFacts(links, problems)


def _has_value(element: etree._Element, name: str) -> bool:
    child = element.find(_ATOM_NAMESPACE + name)
    return child is not None and bool((child.text or "").strip() or child.get("href"))
