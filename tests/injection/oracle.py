"""Oracle of a built site: judges its pages alone, as a browser parses them.

It shares no code with finews, only the post that a page must show.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import html5lib

from tests.support.injection_payloads import LIQUID_SECRET

_ALLOWED_ATTRIBUTES = {
    "p": {"class"}, "a": {"href"}, "img": {"src", "alt"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
}  # fmt: skip
_ALLOWED_ELEMENTS = {
    "p", "div", "blockquote", "pre", "figure", "figcaption", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li",
    "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "a", "b", "strong", "i", "em", "u",
    "s", "del", "ins", "sub", "sup", "small", "code", "br", "img",
}  # fmt: skip
# Controls, bidi, zero-width, tag characters and non-characters: none may be in a page. ZWJ joins emoji.
_INVISIBLE_CHARACTERS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class ExpectedPage:
    """Expected page of a post. `source_text` is what the source wrote as text, `body_html` the cleaned body."""

    code: str
    category: str
    published: datetime
    title: str
    label: str
    source_text: str
    body_html: str
    url: str

    @property
    def path(self) -> str:
        """Return the path of the page: its day is the post's, in any time zone of the builder."""
        return f"{self.category}/{self.published:%Y/%m/%d}/NW{self.code}.html"


def find_site_faults(site: Path, expected_pages: Sequence[ExpectedPage]) -> dict[str, list[str]]:
    """Return the faults of a built site by post; those of the site itself have an empty name."""
    pages = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    expected_paths = {post.path for post in expected_pages}
    faults_by_code: dict[str, list[str]] = {}
    if pages != expected_paths:
        faults_by_code[""] = [
            f"{len(expected_paths - pages)} pages are missing, {len(pages - expected_paths)} were not asked for"
        ]
    for post in expected_pages:
        if post.path in pages and (faults := list(find_page_faults((site / post.path).read_text("utf-8"), post))):
            faults_by_code[post.code] = faults
    return faults_by_code


def find_page_faults(text: str, expected: ExpectedPage) -> Iterator[str]:
    page = _parse_html(text)
    main = page.find(".//main")
    if main is None or page.find("./body/footer[@id='end']") is None:
        yield "structure: the body swallows what follows it"
        return
    yield from _active_content_faults(main)
    if [node.tag for node in page.find("head")] != ["meta", "title"] or [node.tag for node in page.find("body")] != [
        "h1",
        "p",
        "main",
        "footer",
    ]:
        yield "structure: elements outside of the body"
    if (
        _collapse_whitespace(page.findtext("./body/h1", "")) != expected.title
        or _collapse_whitespace(page.findtext("./head/title", "")) != expected.title
    ):
        yield f"title: {page.findtext('./body/h1')!r}"
    if _text_content(page.find("./body/p")) != f"{expected.category}｜{expected.label}":
        yield f"category or tag: {_text_content(page.find('./body/p'))!r}"
    if LIQUID_SECRET in text:
        yield "secret: Liquid was run"
    if hidden := _INVISIBLE_CHARACTERS.search(text):
        yield f"characters: {hidden[0]!r}"
    yield from _content_faults(main, expected)


def _content_faults(main: Any, expected: ExpectedPage) -> Iterator[str]:
    """Yield faults unless the source's text and the cleaned body are on the page, followed by the links out of it."""
    *body, source, back_links = list(main) if len(main) > 2 else (None, None, None)
    if source is None or not _is_link(source, expected.url, expected.url):
        yield "links: the source link is not in place"
    if back_links is None or _text_content(back_links) != f"返回{expected.label}｜返回首页" or [link.get("href") for link in back_links] != [f"//site.invalid/category/{expected.category}.html", "//site.invalid/"]:  # fmt: skip
        yield "links: the ways back are not in place"
    shown_text = _visible_characters(_text_content(body[1])) if len(body) > 1 and body[1] is not None else ""
    if shown_text != _visible_characters(expected.source_text) and _visible_characters(expected.source_text):
        yield f"text: {shown_text!r} is not {_visible_characters(expected.source_text)!r}"
    cleaned = _parse_html(f"<main>{expected.body_html}</main>").find(".//main")
    if [_as_tree(node) for node in body if node is not None] != [_as_tree(node) for node in cleaned]:
        yield "body: it is not shown as it was cleaned"


def _active_content_faults(main: Any) -> Iterator[str]:
    for node in main.iter():
        if node is main:
            continue
        if not isinstance(node.tag, str) or node.tag not in _ALLOWED_ELEMENTS:
            yield f"active: <{node.tag}>"
            continue
        for name, value in node.attrib.items():
            if name not in _ALLOWED_ATTRIBUTES.get(node.tag, set()) or (name == "class" and value != "em_media"):
                yield f"active: {node.tag} {name}={value[:40]}"
            if name in {"href", "src"} and not re.match(r"(?:https?:)?//[^/\\]", value):
                yield f"active: {node.tag} {name}={value[:40]}"


def _parse_html(text: str) -> Any:
    return html5lib.parse(text, treebuilder="etree", namespaceHTMLElements=False)


def _text_content(node: Any) -> str:
    return "".join(node.itertext())


def _collapse_whitespace(text: str | None) -> str:
    return " ".join((text or "").split())


def _visible_characters(text: str) -> str:
    """Return the visible characters."""
    return "".join(
        char for char in text if not char.isspace() and unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Cn"}
    )


def _is_link(paragraph: Any, address: str, text: str) -> bool:
    return len(paragraph) == 1 and paragraph[0].get("href") == address and _text_content(paragraph) == text


def _as_tree(node: Any) -> tuple[Any, ...]:
    """Return an element with its content; a line end is a space, and blanks between blocks are dropped."""
    children: list[Any] = [_collapse_whitespace(node.text)]
    for child in node:
        children += [_as_tree(child), _collapse_whitespace(child.tail)]
    return (node.tag, tuple(sorted(node.attrib.items())), *children)
