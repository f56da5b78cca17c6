"""HTML cleaner: a source's body -> one line of balanced blocks, which Jekyll shows unchanged.

A long body has more lines: one for each block, and one for each row of a long table.

The steps, in the order of `clean_html`:
    bound     what is too big or too deep is refused before it is parsed (html_limits.py)
    sanitise  nh3 parses as a browser does, and drops what runs, loads or hides behind a comment; of what it would take
              minutes for, libxml2 parses all, in linear time
    edit      hidden parts and live charts go; links and images are set right
    arrange   every top-level node is a block; adverts go, and the source line and indents are set right; nothing is
              empty; no white space between blocks
    sanitise  nh3 again, with the allow-list of a post's tags: an edit cannot let anything else in
    disarm    a `{` that Liquid or kramdown would read becomes `&#123;`

Most edits look at every node, with their code in the loop: a function call per node would take longer than the edit.
"""

import itertools
import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import nh3
from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from crawler.content.html_limits import (
    MAX_BLOCKS_PER_LINE,
    MAX_ESCAPED_CHARS,
    MAX_MISNESTED_TAGS,
    MAX_NESTING_DEPTH,
    MAX_TAGS_PER_LINE,
    check_body_size,
    is_quick_for_nh3,
)
from crawler.content.markup import PLAIN_MARKUP, SourceMarkup
from crawler.content.stocks import SECID_PATTERN
from crawler.content.unicode_text import strip_invisible
from crawler.errors import RejectedArticleError
from crawler.items import QUOTE_URL_PREFIX, SOURCE_LINE_CLASS

_HEADING_TAGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TABLE_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"}
_LIST_TAGS = {"ul", "ol", "li", "dl", "dt", "dd"}
BLOCK_TAGS = {"p", "div", "blockquote", "pre", "figure", "figcaption", "hr"} | _HEADING_TAGS | _LIST_TAGS | _TABLE_TAGS
_INLINE_TAGS = {"a", "b", "strong", "i", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "br", "img"}
CELL_TAGS = {"td", "th"}
# Parts of a list or a figure. Those of a table never come without one: the parser drops them.
_CHILD_ONLY_TAGS = {"li", "dt", "dd", "figcaption"}
# Standing at the top level they need no <p> around them.
_TOP_LEVEL_TAGS = BLOCK_TAGS - (_TABLE_TAGS - {"table"}) - _CHILD_ONLY_TAGS
# What may be empty and still means something.
_TAGS_KEPT_WHEN_EMPTY = {"br", "hr", "img", "td", "th", "tr"}
_TAGS_REMOVED_WITH_CONTENT = {
    "script", "style", "noscript", "template", "title", "textarea", "iframe", "object", "embed", "applet", "svg",
    "math", "audio", "video", "canvas", "select", "button", "form", "xmp", "noembed", "noframes",
}  # fmt: skip

_KNOWN_TAGS = BLOCK_TAGS | _INLINE_TAGS | {"span", "center", "font"}
_INPUT_SANITISER = nh3.Cleaner(
    tags=_KNOWN_TAGS,
    clean_content_tags=_TAGS_REMOVED_WITH_CONTENT,
    attributes={
        # A whole list: browsers and nh3 take names for attributes that other parsers would read as something else.
        "*": {"class", "style", "id", "hidden", "data-code"},
        "a": {"href"},
        "span": {"href"},
        "img": {"src", "alt", "width", "height"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
    },
    url_schemes={"http", "https"},
    link_rel=None,
)
_OUTPUT_SANITISER = nh3.Cleaner(
    tags=BLOCK_TAGS | _INLINE_TAGS,
    attributes={
        "p": {"class"},
        "a": {"href"},
        "img": {"src", "alt"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
    },
    url_schemes={"http", "https"},
    link_rel=None,
)

_PARSER = etree.HTMLParser()  # of plain elements: those of lxml.html are found by a look-up in Python, each time
_LARGE_PARSER = etree.HTMLParser(remove_comments=True, remove_pis=True)
_STRING_VALUE = etree.XPath("string()", smart_strings=False)
# Elements in html and body.
_TOO_DEEP = "boolean(" + "/*" * (MAX_NESTING_DEPTH + 3) + ")"
# What the edits read.
_READ_ATTRIBUTES = {
    "class", "style", "id", "hidden", "data-code", "href", "src", "alt", "width", "height", "colspan", "rowspan",
}  # fmt: skip
_HIDING_ATTRIBUTES = {"hidden", "style", "class"}
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
# A picture of such a width or height counts readers.
_TRACKING_PIXEL_SIZES = {"0", "1", "0px", "1px"}
# The blocks that each block may hold.
_ALLOWED_CHILD_BLOCKS = {
    **dict.fromkeys(("div", "blockquote", "li", "dd", "td", "th", "figcaption"), frozenset(_TOP_LEVEL_TAGS)),
    "figure": frozenset(_TOP_LEVEL_TAGS | {"figcaption"}),
    **dict.fromkeys(("ul", "ol"), frozenset({"li"})),
    "dl": frozenset({"dt", "dd"}),
    "table": frozenset(_TABLE_TAGS),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset({"tr"})),
    "tr": frozenset(CELL_TAGS),
}
# A link in a text that is by so much more than twice as long is a name in a sentence, not a button.
_MIN_CHARS_AROUND_LINK = 3
# What goes, alone or with all that it holds, is taken out together: one by one, the text before it is copied each time.
_REMOVE_TAG, _REMOVE_SUBTREE = "tag-gone", "tree-gone"
# lxml parses a misplaced block depending on its surroundings, which edits change: clean until nothing changes.
_MAX_CLEANING_PASSES, _MAX_PASSES_OF_LARGE = 4, 2
# Between the texts around a tag that is gone, lxml keeps the break, and takes the square of their number to read them.
# Where there are more, they are joined.
_MAX_TEXT_PIECES = 5_000
# Characters of a paragraph that are looked at to tell whether it is an advert, which is far shorter.
_MAX_ADVERT_CHARS = 10_000
# An address that is absolute, and that `urljoin` would return as it is; most are, and it takes a while for each.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?:/[\w/.%~+,=-]*(?:\?[\w/.%~+,=&-]+)?)?", re.ASCII)
# Elements that hold no block. The parser of browsers takes them apart where one comes.
_PHRASE_TAGS = _INLINE_TAGS | _HEADING_TAGS | {"p", "span", "font"}
# Nothing of a body is behind its end.
_PAGE_END = re.compile("</(?:body|html)(?![a-z0-9])", re.IGNORECASE)
# nh3 repeats these in each paragraph that follows, where they are not closed as it expects.
_FORMATTING_TAGS = ("b", "strong", "i", "em", "u", "s", "small", "code")
_TABLE_ROW_EDGE = re.compile(r"(?=<tr>)|(?<=</tr>)(?!<tr>)")
# Tags. A line that is still too long ends inside of a tag, where a line end is not shown, after this number of them.
_TAGS_PER_BROKEN_LINE = 1_000
_TAG_NAME_END = re.compile(r"</[a-z][a-z0-9]*|<(?:br|hr|img)\b")
# From the first blank of a run only: looked for from each of them, a long run would take the square of its length.
_LINE_BREAKS = re.compile(r"(?<![ \t\f])[ \t\f]*[\r\n][ \t\r\n\f]*")
# What ends a line for Python and YAML, and is shown as nothing by a browser.
_NON_ASCII_LINE_ENDS = ("\x85", "\u2028", "\u2029")
_INDENT_CHARS = " \t\r\n\f\xa0\u3000"
_TEMPLATE_BRACE = re.compile(r"\{(?=[{%:])")
_TAG_START = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)


def clean_html(body: str, base_url: str, markup: SourceMarkup) -> str:
    """Return the body as a post may hold it; an empty string when nothing is left to read.

    `base_url` is the page that relative links start from, `markup` what the source adds to its texts. Cleaning a clean
    body changes nothing.

    Raises: RejectedArticleError ("too complex") for what is over the limits of html_limits.
    """
    is_large, is_read_by_libxml2 = body.count("<") > MAX_MISNESTED_TAGS, not is_quick_for_nh3(body)
    for _ in range(_MAX_PASSES_OF_LARGE if is_large else _MAX_CLEANING_PASSES):
        root = _edit_body(body, base_url, markup)
        cleaned = disarm_template_braces("\n".join(_serialize_lines(root)))
        is_misplaced = any(
            node.tag in BLOCK_TAGS and node.tag not in _ALLOWED_CHILD_BLOCKS.get(node.getparent().tag, ())
            for node in root.iterdescendants()
        )
        if is_read_by_libxml2 and not is_misplaced:  # then text between blocks is misplaced, too
            blocks = parse_fragment(cleaned)
            texts = (blocks.text, *(block.tail for block in blocks))
            is_misplaced = any(text and text.strip() for text in texts) or any(
                block.tag not in _TOP_LEVEL_TAGS for block in blocks
            )
        if cleaned == body or not is_misplaced:
            return cleaned
        body = cleaned
    if is_large:
        raise RejectedArticleError(f"too complex: misplaced blocks in a body of over {MAX_MISNESTED_TAGS:,} tags")
    return cleaned


def disarm_template_braces(html: str) -> str:
    """Return HTML without template syntax of Liquid and kramdown."""
    return _TEMPLATE_BRACE.sub("&#123;", html)


def sanitise_html(html: str) -> str:
    """Return what a browser would show of any markup, as balanced tags of few kinds.

    Raises: RejectedArticleError ("too complex") for what is over the limits of html_limits.
    """
    html = strip_invisible(html)
    # References are read by the parser: they too may hide characters.
    sanitised = strip_invisible(_INPUT_SANITISER.clean(html) if is_quick_for_nh3(html) else _sanitise_large(html))
    for line_end in _NON_ASCII_LINE_ENDS:  # a look for three characters is quicker than a table for all
        sanitised = sanitised.replace(line_end, "\n")
    if sanitised.count("</") > MAX_NESTING_DEPTH:
        depth = 0
        for tag in _TAG_START.finditer(sanitised):
            if tag[2] not in {"br", "hr", "img"}:
                depth += -1 if tag[1] else 1
                if depth > MAX_NESTING_DEPTH:
                    raise _too_deep()
    return sanitised


def _sanitise_large(html: str) -> str:
    """Return the same of markup that is large, or odd, in linear time. What it is allowed to hold, nh3 decides later.

    Blocks are taken out of elements that hold no block, and elements of formatting out of others of their kind.
    """
    check_body_size(html)
    document = lxml_html.document_fromstring(f"<body>{_PAGE_END.sub('</x', html)}", parser=_LARGE_PARSER)
    if document.xpath(_TOO_DEEP):
        raise _too_deep()
    body = document.find("body")
    if body is None:
        return ""
    nodes = list(body.iterdescendants())
    for node in nodes:
        if node.tag in _TAGS_REMOVED_WITH_CONTENT:
            node.tag = _REMOVE_SUBTREE
        elif node.tag not in _KNOWN_TAGS:
            node.tag = _REMOVE_TAG
        if len(names := node.keys()) > len(_READ_ATTRIBUTES):
            for name in _READ_ATTRIBUTES.symmetric_difference(names).intersection(names):
                del node.attrib[name]
    holders: set[HtmlElement] = set()
    for node in reversed(nodes):
        if node in holders or node.tag in BLOCK_TAGS or node.tag == "center":
            parent: HtmlElement = node.getparent()
            if parent.tag in _PHRASE_TAGS:
                holders.add(parent)
                parent.tag = _REMOVE_TAG
    for node in list(body.iterdescendants("table", "thead", "tbody", "tfoot", "tr")):
        _move_out_of_table(node)
    for node in body.iterdescendants(*_FORMATTING_TAGS):
        if _is_inside(node, node.tag):
            node.tag = _REMOVE_TAG
        elif len(node.keys()) and not _HIDING_ATTRIBUTES.intersection(node.keys()):
            node.attrib.clear()
    _remove_marked(body)
    sanitised = _inner_html(body)
    if sanitised.count("&") > MAX_ESCAPED_CHARS:
        raise RejectedArticleError(f"too complex: the body has over {MAX_ESCAPED_CHARS:,} of the characters < > &")
    return sanitised


def _move_out_of_table(part: HtmlElement) -> None:
    """Move what is between the rows or cells of a table to before it, as browsers do."""
    table = part if part.tag == "table" else next(part.iterancestors("table"), None)
    if table is None:
        return
    if part.text and part.text.strip():
        paragraph = part.makeelement("p")
        paragraph.text, part.text = part.text, None
        table.addprevious(paragraph)
    for child in list(part):
        if child.tag not in _TABLE_TAGS or (child.tail and child.tail.strip()):
            box = part.makeelement("div")
            box.text, child.tail = child.tail, None
            if child.tag not in _TABLE_TAGS:
                box.insert(0, child)
                child.tail, box.text = box.text, None
            table.addprevious(box)


def _too_deep() -> RejectedArticleError:
    return RejectedArticleError(f"too complex: the body is nested over {MAX_NESTING_DEPTH} deep")


def parse_fragment(fragment: str) -> HtmlElement:
    """Return a <div> that holds sanitised markup."""
    root: HtmlElement = lxml_html.document_fromstring(f"<div>{fragment}</div>", parser=_PARSER).find("body/div")
    return root


def _edit_body(body: str, base_url: str, markup: SourceMarkup) -> HtmlElement:
    sanitised = sanitise_html(body)
    root = parse_fragment(sanitised)
    nodes = list(root.iterdescendants())  # held to the end, since lxml wraps each node again that has no reference
    _remove_invisible(root, nodes, markup)
    _edit_links(root, base_url, markup)
    _edit_images(root, base_url, markup)
    _wrap_inline_runs(root)
    _remove_advert_links(root, markup)
    _remove_boilerplate(root, markup)
    if len(nodes) > _MAX_TEXT_PIECES and len(nodes) - int(root.xpath("count(descendant::*)")) > _MAX_TEXT_PIECES:
        root = parse_fragment(_inner_html(root))
    _flatten_source_lines(root, markup)
    _remove_empty(root)
    if "\n" in sanitised or "\r" in sanitised:
        _replace_line_breaks(root)
    _trim_blocks(root)
    return root


# edit


def _remove_invisible(root: HtmlElement, nodes: list[HtmlElement], markup: SourceMarkup) -> None:
    """Remove what a browser would not show, live charts and the adverts that a class marks."""
    for node in nodes:
        if not node.keys():
            continue
        style, class_names, tag = node.get("style"), node.get("class"), node.tag
        is_unwanted = (
            node.get("hidden") is not None
            or (style and _HIDING_STYLE.search(style))
            or (class_names and markup.advert_class and markup.advert_class.search(class_names))
        )
        if tag == "img" and not is_unwanted:
            is_unwanted = (
                not _TRACKING_PIXEL_SIZES.isdisjoint((node.get("width", "").strip(), node.get("height", "").strip()))
            ) or (markup.live_chart_url and markup.live_chart_url.search(node.get("src", "")))
        if is_unwanted:
            node.tag = _REMOVE_SUBTREE
    etree.strip_elements(root, _REMOVE_SUBTREE, with_tail=False)


def find_secid(attributes: Mapping[str, str], markup: SourceMarkup) -> str | None:
    """Return the secid that an element with these attributes means, None for other elements."""
    for name, pattern in markup.stock_attributes.items():
        match = pattern.fullmatch(attributes.get(name, "").strip())
        if match and SECID_PATTERN.fullmatch(secid := ".".join(filter(None, match.groups()))):
            return secid
    return None


def _edit_links(root: HtmlElement, base_url: str, markup: SourceMarkup) -> None:
    """Link stocks to their pages, make other links absolute, and unwrap what leads nowhere.

    What a post may not hold goes before anything is decided by its position: first, last or in a row.
    """
    nodes = list(root.iterdescendants("a", "span"))
    resolved_urls: dict[str, str] = {}  # most links of a body lead where others of it do
    for node in nodes if markup.stock_attributes else ():
        if not node.keys() or not (secid := find_secid(node.attrib, markup)):
            continue
        if not (node.text and node.text.strip()) and not _text_of(node).strip():
            continue
        if node.tag == "span" and (_contains_tag(node, "a") or _is_inside(node, "a")):
            continue  # the link inside, or around, is the one that counts
        node.tag = "a"
        url = QUOTE_URL_PREFIX + secid
        node.set("href", url)
        resolved_urls[url] = url
    for node in nodes:
        if node.tag != "a":
            continue
        href = node.get("href", "").strip()
        if href not in resolved_urls:
            resolved_urls[href] = _resolve_url(href, base_url)
        url = resolved_urls[href]
        if not url or _is_inside(node, "a"):
            node.tag = _REMOVE_TAG
        elif node.get("href") != url:
            node.set("href", url)
    etree.strip_tags(root, _REMOVE_TAG, "span", "font")


def _edit_images(root: HtmlElement, base_url: str, markup: SourceMarkup) -> None:
    """Make addresses of pictures absolute, on https for known hosts; remove pictures without an address."""
    https_domains = tuple(f".{host}" for host in markup.https_image_hosts)
    resolved_urls: dict[str, str] = {}
    for node in list(root.iterdescendants("img")):
        source = node.get("src", "").strip()
        if source not in resolved_urls:
            url = _resolve_url(source, base_url)
            is_on_https = url.startswith("http://") and f".{urlsplit(url).hostname}".endswith(https_domains)
            resolved_urls[source] = "https" + url[4:] if is_on_https else url
        url = resolved_urls[source]
        if not url:
            node.tag = _REMOVE_SUBTREE
        elif node.get("src") != url:
            node.set("src", url)
    etree.strip_elements(root, _REMOVE_SUBTREE, with_tail=False)


def _resolve_url(url: str, base_url: str) -> str:
    """Return the address on http or https, or an empty string for everything else."""
    if _PLAIN_URL.fullmatch(url):
        return url
    try:
        absolute = urljoin(base_url, url) if url and not url.startswith("#") else ""
        split_url = urlsplit(absolute)
        scheme, host, _ = split_url.scheme, split_url.hostname, split_url.port  # a port that is no number raises
    except ValueError:
        return ""
    return absolute if scheme in {"http", "https"} and host else ""


# arrange


def _wrap_inline_runs(root: HtmlElement) -> None:
    """Wrap each top-level run of text and inline elements in a paragraph of its own.

    A paragraph cannot hold a block: a run that does, <a><p>, is wrapped in a <div>, and a part without its whole, an
    <li> without a list, becomes one.
    """
    for node in root.iterdescendants("center"):
        node.tag = "div"
    blocks: list[HtmlElement] = []
    inline_run: HtmlElement | None = None  # that the next child belongs to
    children, text, root.text = list(root), root.text, None  # text: what comes before the next child, and is in no run
    for child in children:
        if child.tag in _CHILD_ONLY_TAGS:
            child.tag = "div"
        is_block = child.tag in _TOP_LEVEL_TAGS
        if inline_run is None and (not is_block or (text and text.strip(_INDENT_CHARS))):
            inline_run = root.makeelement("p")
            inline_run.text, text = text, None
            blocks.append(inline_run)
        if is_block:
            inline_run, text, child.tail = None, child.tail, None
            blocks.append(child)
            continue
        assert inline_run is not None
        inline_run.append(child)
        # A look at each: lxml takes longer to read all these names.
        if any(descendant.tag in BLOCK_TAGS for descendant in child.iterdescendants()):
            inline_run.tag = "div"
    if text and text.strip(_INDENT_CHARS):
        paragraph = root.makeelement("p")
        paragraph.text = text
        blocks.append(paragraph)
    root[:] = blocks


def _remove_advert_links(root: HtmlElement, markup: SourceMarkup) -> None:
    """Remove the links to hosts of adverts, with their paragraph where that is an advert too.

    In a sentence of news the words of such a link stay, unless they are a call to act.
    """
    rule = markup.boilerplate
    # Of paragraphs, as they were, and whether they hold blocks: one may hold thousands of links.
    texts: dict[HtmlElement, str] = {}
    boxes: dict[HtmlElement, bool] = {}
    is_advert: dict[str, bool] = {}
    for link in list(root.iterdescendants("a")) if markup.advert_hosts else ():
        url = link.get("href", "")
        if url not in is_advert:
            # This look is enough for most; to split an address takes longer.
            may_be_advert = any(host in url.lower() for host in markup.advert_hosts)
            is_advert[url] = may_be_advert and urlsplit(url).hostname in markup.advert_hosts
        if not is_advert[url]:
            continue
        paragraph, link_text = next(link.iterancestors(*BLOCK_TAGS), root), _one_line(link)
        if paragraph not in texts:
            texts[paragraph] = _one_line(paragraph)
            boxes[paragraph] = any(_is_visible(block) for block in paragraph.iterdescendants(*BLOCK_TAGS))
        text = texts[paragraph]
        # The words of a link stay if they belong to the text around it, as a name does and a button does not.
        if not link_text or not rule:
            is_part_of_news = False
        elif rule.is_news(text):
            is_part_of_news = not rule.pattern.search(link_text)
        else:
            is_long = len(text) >= 2 * len(link_text) + _MIN_CHARS_AROUND_LINK
            is_part_of_news = is_long and not rule.pattern.search(text)
        if is_part_of_news:
            link.tag = _REMOVE_TAG
        elif rule and paragraph.tag in {"p", "div"} and rule.matches_link(text) and not boxes[paragraph]:
            _remove_later(paragraph)
        else:
            _remove_later(link)
    _remove_marked(root)


def _remove_boilerplate(root: HtmlElement, markup: SourceMarkup) -> None:
    """Remove paragraphs that are the page's own by their words."""
    rule = markup.boilerplate
    if rule is None or not rule.may_match(_text_of(root)):
        return
    boxes: set[HtmlElement] = set()  # that hold a block which a reader would see something of
    # In reverse order: a box is judged by what is left in it.
    for node in reversed(list(root.iterdescendants())):
        if node not in boxes:
            if node.tag in {"p", "div"} and rule.matches(_one_line(node)):
                _remove_later(node)
            if node.tag not in BLOCK_TAGS or not _is_visible(node):
                continue
        boxes.add(node.getparent())
    _remove_marked(root)


def _text_of(node: HtmlElement) -> str:
    return str(_STRING_VALUE(node))


def _one_line(node: HtmlElement) -> str:
    """Return the text of an element on one line; of a long one only the beginning."""
    return " ".join(_text_of(node).lstrip()[:_MAX_ADVERT_CHARS].split())


def _is_visible(block: HtmlElement) -> bool:
    return block.tag == "hr" or bool(_text_of(block).strip(_INDENT_CHARS)) or _contains_tag(block, "img", "hr")


def _remove_later(node: HtmlElement) -> None:
    """Empty an element, to judge its surroundings without it, and mark it for `_remove_marked`."""
    node.clear(keep_tail=True)
    node.tag = _REMOVE_SUBTREE


def _remove_marked(root: HtmlElement) -> None:
    etree.strip_tags(root, _REMOVE_TAG)
    etree.strip_elements(root, _REMOVE_SUBTREE, with_tail=False)


def _flatten_source_lines(root: HtmlElement, markup: SourceMarkup) -> None:
    """Reduce the source line at the end to text: a link inside it, 上海<证券>报, is a mistake."""
    paragraphs = list(root.iterdescendants("p"))
    for node in paragraphs:
        if (class_names := node.get("class")) is None:
            continue
        node.attrib.pop("class")
        if not {SOURCE_LINE_CLASS, markup.source_line_class}.isdisjoint(class_names.split()):
            _flatten_to_text(node)
            node.set("class", SOURCE_LINE_CLASS)
    if markup.source_line is None:
        return
    for node in reversed(paragraphs):
        text = _text_of(node)
        if text.strip(_INDENT_CHARS) or _contains_tag(node, "img", "hr"):  # the last one that a reader is to see
            if markup.source_line.fullmatch(" ".join(text.split())):
                _flatten_to_text(node)
            break


def _flatten_to_text(node: HtmlElement) -> None:
    text = _text_of(node)
    del node[:]
    node.text = text


def _remove_empty(root: HtmlElement) -> None:
    """Remove elements that a reader sees nothing of."""
    visible: set[HtmlElement] = set()  # those in which there is a text or a picture
    for node in reversed(list(root.iterdescendants())):
        tag, text = node.tag, node.text
        if node in visible or (text and text.strip(_INDENT_CHARS)) or tag in {"img", "hr"}:
            visible.add(node.getparent())
        elif tag not in _TAGS_KEPT_WHEN_EMPTY:
            if tag in _INLINE_TAGS and " " in _text_of(node):  # it keeps two words apart
                node.tail = " " + (node.tail or "")
            node.clear(keep_tail=True)
            node.tag = _REMOVE_SUBTREE
        if (tail := node.tail) and tail.strip(_INDENT_CHARS):
            visible.add(node.getparent())
    etree.strip_elements(root, _REMOVE_SUBTREE, with_tail=False)


def _replace_line_breaks(root: HtmlElement) -> None:
    """Replace line ends with spaces, except in a <pre>."""
    has_pre = _contains_tag(root, "pre")
    for node in root.iter():
        if has_pre and _is_inside(node, "pre"):
            continue
        # Most often there is none, and lxml copies what it is given and what it is asked for.
        if (tail := node.tail) and ("\n" in tail or "\r" in tail):
            node.tail = _LINE_BREAKS.sub(" ", tail)
        if node.tag != "pre" and (text := node.text) and ("\n" in text or "\r" in text):
            node.text = _LINE_BREAKS.sub(" ", text)


def _trim_blocks(root: HtmlElement) -> None:
    """Remove white space at the ends of paragraphs and between blocks."""
    nodes = list(root.iter())
    if _contains_tag(root, "pre"):
        nodes = [node for node in nodes if node.tag != "pre" and not _is_inside(node, "pre")]
    for node in nodes:
        tag = node.tag
        if tag not in BLOCK_TAGS and tag != "br":
            continue
        # Most often a text is right already, and lxml copies what it is given.
        if (tail := node.tail) and (trimmed := tail.lstrip(_INDENT_CHARS)) != tail:
            node.tail = trimmed or None
        if tag == "br":
            continue
        if len(node):
            _trim_ends(node)
        elif (text := node.text) and (trimmed := text.strip(_INDENT_CHARS)) != text:
            node.text = trimmed or None
        if (previous := node.getprevious()) is not None:
            if (tail := previous.tail) and (trimmed := tail.rstrip(_INDENT_CHARS)) != tail:
                previous.tail = trimmed or None
        elif (
            (parent := node.getparent()) is not None
            and (text := parent.text)
            and (trimmed := text.rstrip(_INDENT_CHARS)) != text
        ):
            parent.text = trimmed or None


def _trim_ends(block: HtmlElement) -> None:
    """Remove indents before the first character, white space after the last, and empty first and last lines."""
    node = block  # goes down to the element, however deep, that holds the first character
    while True:
        if (text := node.text) and (trimmed := text.lstrip(_INDENT_CHARS)) != text:
            node.text = text = trimmed or None
        if text or not len(node) or node[0].tag in BLOCK_TAGS:
            break
        if node[0].tag == "br":
            node.text = (node[0].tail or "").lstrip(_INDENT_CHARS) or None
            node.remove(node[0])
        else:
            node = node[0]
    while (last_child := next(block.iterchildren(reversed=True), None)) is not None:
        if (tail := last_child.tail) and (trimmed := tail.rstrip(_INDENT_CHARS)) != tail:
            last_child.tail = tail = trimmed or None
        if tail or last_child.tag != "br":
            return
        block.remove(last_child)
    if (text := block.text) and (trimmed := text.rstrip(_INDENT_CHARS)) != text:
        block.text = trimmed or None


def _contains_tag(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterdescendants(*tags), None) is not None


def _is_inside(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterancestors(*tags), None) is not None


def add_block(body: str, block: str, *, at_start: bool = False) -> str:
    """Return a clean body with one block more, which is clean too, at its end or its start.

    Raises: RejectedArticleError ("too complex") when it is over the limits of html_limits with it.
    """
    blocks = [block, body] if at_start else [body, block]
    if "\n" in body:  # each block has a line of its own
        return "\n".join(blocks)
    joined = "".join(blocks)
    # One more block may be one too many for a line.
    return joined if body.count("<") < MAX_BLOCKS_PER_LINE else clean_html(joined, "", PLAIN_MARKUP)


def _serialize_lines(root: HtmlElement) -> list[str]:
    """Return the body as one line, as in the first posts; as one line per block where kramdown would be slow.

    A remaining line end is in a <pre>, where it is visible: it becomes a reference.
    """
    if len(root) <= MAX_BLOCKS_PER_LINE:
        html = _inner_html(root)
        # The sanitiser drops tags, but not most of them.
        if html.count("<") <= 2 * MAX_TAGS_PER_LINE:
            line = _OUTPUT_SANITISER.clean(html).replace("\n", "&#10;")
            if line.count("<") <= MAX_TAGS_PER_LINE:
                return [line]
    blocks = (_OUTPUT_SANITISER.clean(_outer_html(block)).replace("\n", "&#10;") for block in root)
    return [line for block in blocks for line in _break_line(block)]


def _outer_html(node: HtmlElement) -> str:
    return str(etree.tostring(node, method="html", encoding="unicode", with_tail=False))


def _inner_html(root: HtmlElement) -> str:
    return _outer_html(root).removeprefix(f"<{root.tag}>").removesuffix(f"</{root.tag}>")


def _break_line(line: str) -> list[str]:
    """Return a block as the lines that kramdown reads in linear time: the rows of a table, or what has as few tags."""
    if line.count("<") <= MAX_TAGS_PER_LINE:
        return [line]
    lines: list[str] = []
    for row in _TABLE_ROW_EDGE.split(line):
        offsets = [0, len(row)]
        if row.count("<") > MAX_TAGS_PER_LINE:
            ends = [tag.end() for tag in _TAG_NAME_END.finditer(row)]
            offsets[1:1] = ends[_TAGS_PER_BROKEN_LINE::_TAGS_PER_BROKEN_LINE]
        lines += [row[start:end] for start, end in itertools.pairwise(offsets)]
    return lines
