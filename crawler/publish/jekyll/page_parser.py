"""Built pages and feeds, read as a visitor's program reads them: what they link to and what they say."""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

_ATOM = "{http://www.w3.org/2005/Atom}"
_NEEDED = {"feed": ("id", "title", "updated"), "entry": ("id", "title", "updated", "link")}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page says: its heading, the moment that it is of, all that it links to or loads, and whether it has text.

    `heading` and `moment` are empty where there is none.
    """

    heading: str
    moment: str
    links: tuple[str, ...]
    has_text: bool


def see(content: bytes) -> Seen:
    """Read a page. Whatever it is, something comes of it."""
    if not content.strip():
        return Seen("", "", (), has_text=False)
    try:
        page: HtmlElement = lxml_html.document_fromstring(content, parser=lxml_html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:
        return Seen("", "", (), has_text=False)
    heading = next(page.iter("h1"), None)
    body = page.find("body")
    return Seen(
        heading="".join(heading.itertext()).strip() if heading is not None else "",
        moment=_moment_after(heading),
        links=tuple(link for _, _, link, _ in page.iterlinks()),
        has_text=body is not None and bool(body.text_content().strip()),
    )


def _moment_after(heading: HtmlElement | None) -> str:
    """The first moment below a heading, as a program reads it."""
    below = heading.itersiblings() if heading is not None else ()
    moments = (moment for sibling in below for moment in sibling.iter("time"))
    return next((moment.get("datetime", "") for moment in moments), "")


def faults_of_feed(content: bytes) -> Iterator[str]:
    """What a reader of Atom would stumble over."""
    try:
        feed = etree.fromstring(content, parser=etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        yield f"not XML: {error}"
        return
    if feed.tag != f"{_ATOM}feed":
        yield "not an Atom feed"
        return
    yield from (f"it has no {name}" for name in _NEEDED["feed"] if not _says(feed, name))
    entries = feed.findall(f"{_ATOM}entry")
    for number, entry in enumerate(entries, 1):
        yield from (f"entry {number} has no {name}" for name in _NEEDED["entry"] if not _says(entry, name))
    ids = [entry.findtext(f"{_ATOM}id") for entry in entries]
    if len(set(ids)) < len(ids):
        yield "two entries have one id"


def links_of_feed(content: bytes) -> list[str]:
    """The pages that a feed's entries are about; none where it is no feed."""
    try:
        feed = etree.fromstring(content, parser=etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return []
    return [link.get("href", "") for link in feed.iter(f"{_ATOM}link")]


def _says(element: etree._Element, name: str) -> bool:
    child = element.find(_ATOM + name)
    return child is not None and bool((child.text or "").strip() or child.get("href"))
