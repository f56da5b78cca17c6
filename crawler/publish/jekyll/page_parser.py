"""Page parser for built HTML pages and feeds: their links, headings, times, and errors."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

_ATOM_NAMESPACE = "{http://www.w3.org/2005/Atom}"
_REQUIRED_ELEMENTS = {"feed": ("id", "title", "updated"), "entry": ("id", "title", "updated", "link")}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says: its heading, the moment that it is of, all that it links to or loads, and whether it has text.

    `heading` and `moment` are empty where there is none.
    """

    heading: str
    published_at: str
    links: tuple[str, ...]
    has_text: bool


def parse_page(content: bytes) -> PageFacts:
    """Read a page. Whatever it is, something comes of it."""
    if not content.strip():
        return PageFacts("", "", (), has_text=False)
    try:
        page: HtmlElement = lxml_html.document_fromstring(content, parser=lxml_html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:
        return PageFacts("", "", (), has_text=False)
    heading = next(page.iter("h1"), None)
    body = page.find("body")
    return PageFacts(
        heading="".join(heading.itertext()).strip() if heading is not None else "",
        published_at=_find_datetime_after(heading),
        links=tuple(link for _, _, link, _ in page.iterlinks()),
        has_text=body is not None and bool(body.text_content().strip()),
    )


def _find_datetime_after(heading: HtmlElement | None) -> str:
    """The first moment below a heading, as a program reads it."""
    siblings = heading.itersiblings() if heading is not None else ()
    time_elements = (element for sibling in siblings for element in sibling.iter("time"))
    return next((moment.get("datetime", "") for moment in time_elements), "")


def atom_problems(content: bytes) -> Iterator[str]:
    """What a reader of Atom would stumble over."""
    try:
        feed = etree.fromstring(content, parser=etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        yield f"not XML: {error}"
        return
    if feed.tag != f"{_ATOM_NAMESPACE}feed":
        yield "not an Atom feed"
        return
    yield from (f"it has no {name}" for name in _REQUIRED_ELEMENTS["feed"] if not _has_value(feed, name))
    entries = feed.findall(f"{_ATOM_NAMESPACE}entry")
    for number, entry in enumerate(entries, 1):
        yield from (
            f"entry {number} has no {name}" for name in _REQUIRED_ELEMENTS["entry"] if not _has_value(entry, name)
        )
    ids = [entry.findtext(f"{_ATOM_NAMESPACE}id") for entry in entries]
    if len(set(ids)) < len(ids):
        yield "two entries have one id"


def atom_links(content: bytes) -> list[str]:
    """The pages that a feed's entries are about; none where it is no feed."""
    try:
        feed = etree.fromstring(content, parser=etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return []
    return [link.get("href", "") for link in feed.iter(f"{_ATOM_NAMESPACE}link")]


def _has_value(element: etree._Element, name: str) -> bool:
    child = element.find(_ATOM_NAMESPACE + name)
    return child is not None and bool((child.text or "").strip() or child.get("href"))
